"""Images of a dataset, read and compared with what is recorded, some ahead of who takes them."""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import polars as pl

from dafre_fast.model.files import FACES, FULL, bucket
from dafre_fast.model.findings import Flaw
from dafre_fast.model.packs import Damaged

_BATCH = 16
"""Images that a thread reads at once."""


class Picture(NamedTuple):
    """One of what is made of each original: its tree, and how its columns in the manifest begin."""

    name: str
    tree: str
    prefix: str

    def file(self, image_id: int) -> str:
        """Its path in the dataset. It is made of the id, never of text."""
        return f"{self.tree}/{bucket(image_id)}/{image_id}.jpg"


_FULL, _FACE = Picture("full", FULL, ""), Picture("face", FACES, "face_")
PICTURES = {"full": (_FULL,), "faces": (_FACE,), "both": (_FULL, _FACE)}


class Sample(NamedTuple):
    """An image whose files are as recorded: the number of its row in the table that was asked for,
    the row, and the bytes of each picture.
    """

    place: int
    row: dict[str, Any]
    files: tuple[bytes, ...]


def read_samples(
    folder: Path, rows: pl.DataFrame, pictures: tuple[Picture, ...], readers: int
) -> Iterator[Sample | Damaged]:
    """All rows in their order, a few batches in memory at a time."""

    def read(place: int, batch: pl.DataFrame) -> list[Sample | Damaged]:
        numbered = enumerate(batch.iter_rows(named=True), place)
        return [_read(folder, number, row, pictures) for number, row in numbered]

    waiting = deque[Future[list[Sample | Damaged]]]()
    with ThreadPoolExecutor(readers) as threads:
        for number, batch in enumerate(rows.iter_slices(_BATCH)):
            waiting.append(threads.submit(read, number * _BATCH, batch))
            if len(waiting) > 2 * readers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def still_damaged(folder: Path, row: dict[str, Any], pictures: tuple[Picture, ...]) -> bool:
    """True where a file of an image is not there or not as recorded."""
    return isinstance(_read(folder, 0, row, pictures), Damaged)


def _read(
    folder: Path, place: int, row: dict[str, Any], pictures: tuple[Picture, ...]
) -> Sample | Damaged:
    files = list[bytes]()
    for picture in pictures:
        file, recorded = picture.file(row["id"]), f"{picture.prefix}sha256"
        try:
            data = _bytes_of(folder / file, row[f"{picture.prefix}bytes"])
        except (FileNotFoundError, NotADirectoryError):
            return Damaged(row["id"], file, Flaw.MISSING, "is not there")
        except OSError as error:
            return Damaged(row["id"], file, Flaw.UNREADABLE, str(error.strerror))
        except _Flawed as flawed:
            return Damaged(row["id"], file, *flawed.args)
        if (sha256 := hashlib.sha256(data).hexdigest()) != row[recorded]:
            detail = f"SHA-256 {sha256}, recorded {row[recorded]}"
            return Damaged(row["id"], file, Flaw.WRONG_HASH, detail)
        files.append(data)
    return Sample(place, row, tuple(files))


class _Flawed(Exception):
    """With the flaw and its detail."""


def _bytes_of(path: Path, recorded: int | None) -> bytes:
    status = path.stat()
    if not S_ISREG(status.st_mode):  # one could wait at it for ever
        raise _Flawed(Flaw.UNREADABLE, "is no regular file")
    if status.st_size != recorded:
        raise _Flawed(Flaw.WRONG_SIZE, f"{status.st_size} bytes, recorded {recorded}")
    return path.read_bytes()
