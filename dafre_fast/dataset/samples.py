"""Read images of a dataset and compare them with what is recorded."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import polars as pl
from msgspec import Struct

from dafre_fast.core.findings import Flaw
from dafre_fast.core.findings import Output as RecordedFile
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.stored import read_at, size_in_store


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
    """Return the bytes of a picture if they are as recorded, else the flaw and a description.
    Raises InputError if they lie in an object store that cannot be read.
    """
    try:
        data = _of_file(f"{folder}/{recorded.shard or recorded.file}", recorded)
    except (FileNotFoundError, NotADirectoryError):
        data = _of_store(Path(folder), recorded)
    except OSError as error:
        return Flaw.UNREADABLE, str(error.strerror)
    if not isinstance(data, bytes):
        return data
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != recorded.sha256:
        return Flaw.WRONG_HASH, f"SHA-256 {sha256[:12]}…, recorded {recorded.sha256[:12]}…"
    return data


def _of_file(path: str, recorded: RecordedFile) -> bytes | tuple[Flaw, str]:
    status = os.stat(path)  # noqa: PTH116  (a Path per file costs)
    if not S_ISREG(status.st_mode):  # reading a pipe could block for ever
        return Flaw.UNREADABLE, "is no regular file"
    if wrong := _wrong_size(status.st_size, recorded):
        return wrong
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(recorded.offset)
        return file.read(recorded.bytes or 0)


def _of_store(dataset: Path, recorded: RecordedFile) -> bytes | tuple[Flaw, str]:
    archive = recorded.shard
    if archive is None or (size := size_in_store(dataset, archive)) is None:
        return Flaw.MISSING, ""
    if wrong := _wrong_size(size, recorded):
        return wrong
    try:
        return read_at(dataset, archive, recorded.offset, recorded.bytes or 0)
    except FileNotFoundError:
        return Flaw.MISSING, ""


def _wrong_size(of_file: int, recorded: RecordedFile) -> tuple[Flaw, str] | None:
    size = of_file
    if recorded.shard and recorded.bytes is not None:
        size = min(max(size - recorded.offset, 0), recorded.bytes)
    if size == recorded.bytes:
        return None
    return Flaw.WRONG_SIZE, f"{size} bytes, recorded {recorded.bytes}"
