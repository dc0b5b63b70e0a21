"""Label files in the published form: no header, no quoting, `class_id,path` and `class_id,name`."""

from pathlib import Path

import polars as pl

from dafre_fast.model.errors import InputError
from dafre_fast.model.files import replacing
from dafre_fast.tables.catalogue import SPLITS
from dafre_fast.tables.text import read_text


def write_labels(kept: pl.DataFrame, folder: Path) -> None:
    """Write train.csv, val.csv, test.csv and classid_classname.csv into `folder`.

    `kept` is `Catalogue.kept`. Raises OutputError where the folder cannot be written.
    """
    for split in SPLITS:
        _write(kept.lazy().filter(split=split).select("class_id", "path"), folder / f"{split}.csv")
    classes = kept.lazy().select("class_id", "class_name").unique(maintain_order=True)
    _write(classes, folder / "classid_classname.csv")


def _write(rows: pl.LazyFrame, path: Path) -> None:
    # Names with commas or quotes stand as they are: the second field runs to the end of the line.
    with replacing(path) as temporary:
        rows.collect().write_csv(temporary, include_header=False, quote_style="never")


def read_labels(folder: Path) -> pl.DataFrame:
    """Those of train.csv, val.csv and test.csv that are there: split, class_id int64, dir (the path
    as it stands) and id int64, in the order of the files.

    Raises InputError where none is there, or a line is not `class_id,path` of an image.
    """
    paths = [path for split in SPLITS if (path := folder / f"{split}.csv").is_file()]
    if not paths:
        raise InputError(f"{folder}: holds none of {', '.join(f'{split}.csv' for split in SPLITS)}")
    return pl.concat(map(_read, paths))


def _read(path: Path) -> pl.DataFrame:
    lines = pl.Series("text", read_text(path).decode(errors="replace").split("\n"))
    fields = lines.str.strip_chars_end(" \t\r").str.extract_groups(
        r"^(?<class_id>[0-9]{1,18}),(?<dir>(?:[^,]*/)?0*(?<id>[0-9]{1,18})\.[0-9A-Za-z]+)$"
    )
    rows = fields.struct.unnest().with_row_index("line", offset=1)
    rows = rows.filter(lines.str.contains(r"\S"))
    if (bad := rows.filter(pl.col("id").is_null())).height:
        raise InputError(f"{path}: line {bad['line'][0]} is not class_id,path of an image")
    numbers = pl.col("class_id", "id").cast(pl.Int64)
    return rows.select(pl.lit(path.stem).alias("split"), numbers, "dir")
