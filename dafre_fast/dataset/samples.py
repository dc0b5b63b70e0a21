"""Images of a dataset, read and compared with what is recorded."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from dafre_fast.dataset.pictures import Picture, Pictures
from dafre_fast.pack.records import Damaged
from dafre_fast.verify.check import read_as_recorded


class Sample(NamedTuple):
    """An image whose files are as recorded: the number of its row in the table that was asked for,
    the row, and the bytes of each picture.
    """

    place: int
    row: dict[str, Any]
    files: tuple[bytes, ...]


def read_samples(
    stored: Pictures, rows: pl.DataFrame, pictures: tuple[Picture, ...]
) -> Iterator[Sample | Damaged]:
    """All rows in their order, one in memory at a time."""
    for place, row in enumerate(rows.iter_rows(named=True)):
        yield _read(stored, place, row, pictures)


def still_damaged(stored: Pictures, row: dict[str, Any], pictures: tuple[Picture, ...]) -> bool:
    """True where a picture of an image is not there or not as recorded."""
    return isinstance(_read(stored, 0, row, pictures), Damaged)


def _read(
    stored: Pictures, place: int, row: dict[str, Any], pictures: tuple[Picture, ...]
) -> Sample | Damaged:
    files = list[bytes]()
    for picture in pictures:
        output = stored.output(picture, row)
        data = read_as_recorded(str(stored.folder), output)
        if not isinstance(data, bytes):
            return Damaged(row["id"], output.file, *data)
        files.append(data)
    return Sample(place, row, tuple(files))
