"""Where files stand, and how they come to stand there: whole, or not at all."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dafre_fast.core.errors import OutputError

ORIGINALS, FULL, FACES, LABELS = "original", "fullMin256", "faces", "labels"
SMALL = "512px"
"""Danbooru's own tree of images of at most 512 pixels, beside that of originals."""
MANIFEST = "manifest.parquet"
BAD_ROWS = "bad_rows.csv"
BAD_RECORDS = "bad_records.csv"
STATISTICS = "stats"
PACKS = "packs"
SHARDS = f"{PACKS}/webdataset-both"
"""Shards of both images: where there are no trees, these stand for them."""
REPORT = "report"
AUDIT = "audit"
EXCLUDE, AUDIT_SUMMARY = "exclude.csv", "summary.json"
FUNNEL, TAGS_FUNNEL = "funnel.json", "tags_funnel.json"
STATE = ".dafre_fast"
"""Folder for what a run must remember: the ledger. Where an output is a tree of images alone, the
list of bad rows stands there too, so that it is not taken for one of them.
"""


def bucket(image_id: int) -> str:
    """The folder of an id in every tree of Danbooru: `id % 1000` with four digits."""
    return f"{image_id % 1000:04d}"


_LONGEST_NAME = 255
"""Bytes, on all common file systems."""


def temporary(path: Path) -> Path:
    """Where `path` is written before it is whole: hidden, in the same folder, always the same, so
    that the next attempt replaces what a killed one left.
    """
    name = f".{path.name}.part"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
        name = f".{digest}{path.suffix}.part"
    return path.with_name(name)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to the path given and it replaces `path` at the end; on an error nothing changes.

    Raises OutputError where that cannot be done.
    """
    part = temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"{path}: {error.strerror or error}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def scratch(output: Path, name: str) -> Iterator[Path]:
    """A hidden, empty folder within `output` for what is needed for a while; the next run removes
    what a killed one left there.

    Raises OutputError where it cannot be made, or something cannot be written within.
    """
    folder = temporary(output / name)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
