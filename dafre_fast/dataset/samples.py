"""Read images of a dataset and compare them with what is recorded."""

import hashlib
import os
from collections.abc import Iterator
from stat import S_ISREG
from typing import Any, NamedTuple

import polars as pl
from msgspec import Struct

from dafre_fast.core.findings import Flaw
from dafre_fast.core.findings import Output as RecordedFile
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.pictures import Pictures


class Damaged(Struct, frozen=True):
    """An image that is not packed because one of its files is missing or not as recorded."""

    id: int
    file: str
    """Its path in the dataset."""
    flaw: Flaw
    detail: str = ""


class Sample(NamedTuple):
    """An image whose files are as recorded: the number of its row, the row, and the bytes of each
    output.
    """

    place: int
    row: dict[str, Any]
    files: tuple[bytes, ...]


def read_samples(
    stored: Pictures, rows: pl.DataFrame, outputs: tuple[Output, ...]
) -> Iterator[Sample | Damaged]:
    """Yield the images of all rows in their order, one in memory at a time."""
    for place, row in enumerate(rows.iter_rows(named=True)):
        yield _read(stored, place, row, outputs)


def still_damaged(stored: Pictures, row: dict[str, Any], outputs: tuple[Output, ...]) -> bool:
    """Return True if an output of an image is missing or not as recorded."""
    return isinstance(_read(stored, 0, row, outputs), Damaged)


def _read(
    stored: Pictures, place: int, row: dict[str, Any], outputs: tuple[Output, ...]
) -> Sample | Damaged:
    files = list[bytes]()
    for output in outputs:
        recorded = stored.recorded(output, row)
        data = read_as_recorded(str(stored.folder), recorded)
        if not isinstance(data, bytes):
            return Damaged(row["id"], recorded.file, *data)
        files.append(data)
    return Sample(place, row, tuple(files))


def read_as_recorded(folder: str, recorded: RecordedFile) -> bytes | tuple[Flaw, str]:
    """Return the bytes of a picture if they are as recorded, else the flaw and a description."""
    path = f"{folder}/{recorded.shard or recorded.file}"
    try:
        status = os.stat(path)  # noqa: PTH116  (a Path per file costs)
        if not S_ISREG(status.st_mode):  # reading a pipe could block for ever
            return Flaw.UNREADABLE, "is no regular file"
        size = status.st_size
        if recorded.shard and recorded.bytes is not None:
            size = min(max(size - recorded.offset, 0), recorded.bytes)
        if size != recorded.bytes:
            return Flaw.WRONG_SIZE, f"{size} bytes, recorded {recorded.bytes}"
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(recorded.offset)
            data = file.read(size)
    except (FileNotFoundError, NotADirectoryError):
        return Flaw.MISSING, ""
    except OSError as error:
        return Flaw.UNREADABLE, str(error.strerror)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != recorded.sha256:
        return Flaw.WRONG_HASH, f"SHA-256 {sha256[:12]}…, recorded {recorded.sha256[:12]}…"
    return data
