"""Images of a dataset, read and compared with what is recorded, some ahead of who takes them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import polars as pl

from dafre_fast.engine.checking import read_as_recorded
from dafre_fast.engine.pictures import Picture, Pictures
from dafre_fast.model.packs import Damaged

_BATCH = 16
"""Images that a thread reads at once."""


class Sample(NamedTuple):
    """An image whose files are as recorded: the number of its row in the table that was asked for,
    the row, and the bytes of each picture.
    """

    place: int
    row: dict[str, Any]
    files: tuple[bytes, ...]


def read_samples(
    stored: Pictures, rows: pl.DataFrame, pictures: tuple[Picture, ...], readers: int
) -> Iterator[Sample | Damaged]:
    """All rows in their order, a few batches in memory at a time."""

    def read(place: int, batch: pl.DataFrame) -> list[Sample | Damaged]:
        numbered = enumerate(batch.iter_rows(named=True), place)
        return [_read(stored, number, row, pictures) for number, row in numbered]

    waiting = deque[Future[list[Sample | Damaged]]]()
    with ThreadPoolExecutor(readers) as threads:
        for number, batch in enumerate(rows.iter_slices(_BATCH)):
            waiting.append(threads.submit(read, number * _BATCH, batch))
            if len(waiting) > 2 * readers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


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
