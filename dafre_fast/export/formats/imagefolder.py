"""`imagefolder`: `SPLIT/CLASS/332446.jpg`, and the class of each folder in `classes.csv`.

torchvision, Keras, timm and Hugging Face `datasets` read it; they number classes by their folders,
in alphabetical order. A name that cannot be a folder is written with %XX, as in addresses. Boxes
and tags are in `images.parquet`.
"""

import csv
import io
from collections.abc import Sequence
from urllib.parse import quote

import polars as pl

from dafre_fast.export.formats.common import table
from dafre_fast.export.rows import Exporting, Files, Format

_LONGEST = 200
"""Bytes of the longest name of a folder; file systems take 255."""
_SAFE = "".join(chr(code) for code in range(32, 127) if chr(code) not in '%/\\:*?"<>|')


def folders_of(classes: Sequence[str]) -> list[str]:
    """Return a folder for each class; no two are the same, in any case of letters."""
    found, taken = list[str](), set[str]()
    for number, name in enumerate(classes):
        folder = _folder(name)
        if folder.lower() in taken or len(folder.encode()) > _LONGEST:
            cut = folder.encode()[: _LONGEST - 20].decode(errors="ignore")
            folder = f"{cut}%23{number}"
        taken.add(folder.lower())
        found.append(folder)
    return found


def _folder(name: str) -> str:
    text = "".join(
        one if one in _SAFE or (ord(one) > 127 and one.isprintable()) else quote(one, safe="")
        for one in name
    )
    if text[:1] in {".", "-", " "}:  # hidden, a flag, or cut off
        text = f"%{ord(text[0]):02X}{text[1:]}"
    if text[-1:] in {".", " "}:
        text = f"{text[:-1]}%{ord(text[-1]):02X}"
    return text or "%"


def _path(classes: Sequence[str], extension: str) -> pl.Expr:
    folders = pl.Series("folder", folders_of(classes), pl.String)
    numbers = pl.Series("number", range(len(folders)), pl.Int64)
    folder = pl.col("class_id").replace_strict(numbers, folders, return_dtype=pl.String)
    number = pl.col("id").cast(pl.String)
    slash = pl.lit("/")
    return pl.concat_str([pl.col("split"), slash, folder, slash, number, pl.lit(f".{extension}")])


def _files(export: Exporting) -> Files:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("class_id", "class_name", "folder"))
    folders = folders_of(export.classes)
    rows.writerows(zip(range(len(folders)), export.classes, folders, strict=True))
    yield "classes.csv", text.getvalue().encode()
    yield from table(export.images)


FORMAT = Format(_path, _files, needs_classes=True)
