"""Read the answers of a model for the images of a dataset, as `evaluate` left them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.errors import InputError
from dafre_fast.learning.records import (
    ANSWERS,
    EVALUATION,
    SUMMARY,
    read_config,
    read_embeddings,
)
from dafre_fast.tables.unreadable import reading

RIGHT, WRONG = "right", "wrong"
NOT_JUDGED = -1
"""Stands in place of a number in rows that were not judged."""
_BLOCK = 1024
"""Embeddings that are compared at a time."""


class Likely(NamedTuple):
    """A class, and the probability that the model gives it."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers for the rows of an index, in its order.

    `right` is int8 (rows,): 1, 0, or NOT_JUDGED; `probability` float32 (rows,), NaN if not judged;
    `answer` int32 (rows,), places in `names`. `folders` are those of the evaluations, and `places`
    int32 (rows, 2): folder and line of an answer. `rows` has for each folder the row of each line,
    int64, NOT_JUDGED if the index has none.
    """

    folders: tuple[Path, ...]
    names: pl.Series
    right: NDArray[np.int8]
    probability: NDArray[np.float32]
    answer: NDArray[np.int32]
    places: NDArray[np.int32]
    rows: tuple[NDArray[np.int64], ...]

    def likeliest(self, row: int) -> list[Likely]:
        """Return the likeliest classes of a row, the likeliest first. Raises InputError."""
        folder, line = self.places[row].tolist()
        if folder == NOT_JUDGED:
            return []
        path = self.folders[folder] / ANSWERS
        with reading(path):
            found = pl.scan_parquet(path, glob=False).slice(line, 1)
            names, shares = found.select("likeliest", "probabilities").collect().row(0)
        return [Likely(*both) for both in zip(names, shares, strict=True)]

    def embedding(self, row: int) -> NDArray[np.float32] | None:
        """Return the embedding of a row, float32 (d,) of length 1; None if there is none."""
        folder, line = self.places[row].tolist()
        if folder == NOT_JUDGED:
            return None
        found: NDArray[np.float32] = read_embeddings(self.folders[folder])[1][line].astype(
            np.float32
        )
        return found

    def nearest(
        self, embedding: NDArray[np.float32], most: int, but: int | None = None
    ) -> list[tuple[int, float]]:
        """Return up to so many rows with the most similar embeddings, and their cosines, the most
        similar first, without the row `but`. The search is exact.
        """
        found = [pair for near in self._near(embedding, most + 1) for pair in near]
        others = {row: cosine for row, cosine in found if row not in (NOT_JUDGED, but)}
        return sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))[:most]

    def _near(
        self, embedding: NDArray[np.float32], most: int
    ) -> Iterator[Sequence[tuple[int, float]]]:
        for folder, rows in zip(self.folders, self.rows, strict=True):
            known = read_embeddings(folder)[1]
            if known.shape[1] != len(embedding):
                raise InputError(f"{folder}: is of another model: evaluate again")
            if not len(rows):
                continue
            cosines = _cosines(known, embedding)
            cosines[rows == NOT_JUDGED] = -2
            best = np.argpartition(-cosines, min(most, len(rows)) - 1)[:most]
            yield [*zip(rows[best].tolist(), cosines[best].tolist(), strict=True)]


def _cosines(known: NDArray[np.float16], embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosines of embeddings and one more, float32 (n,).

    Of a million embeddings of 512 numbers it takes 2 s on two busy cores, most of it to make them
    float32, block by block.
    """
    blocks = (known[start : start + _BLOCK] for start in range(0, len(known), _BLOCK))
    return np.concatenate([block.astype(np.float32) @ embedding for block in blocks])


class _Summary(msgspec.Struct):
    """The part of the record of an evaluation that is read."""

    dataset: str


def read_answers(model: Path, dataset: str, ids: NDArray[np.int64]) -> Answers:
    """Read all evaluations of a model on a dataset, a folder of this name, for rows with these ids.

    If an image was judged several times, the first folder by name counts. Raises InputError if the
    model or an evaluation cannot be read.
    """
    read_config(model)
    folders = tuple(_folders(model, dataset))
    order = np.argsort(ids, kind="stable")
    right = np.full(len(ids), NOT_JUDGED, np.int8)
    probability = np.full(len(ids), np.nan, np.float32)
    places = np.full((len(ids), 2), NOT_JUDGED, np.int32)
    answer = np.full(len(ids), NOT_JUDGED, np.int32)
    tables = [*map(_read, folders)]
    names = pl.concat([_NO_NAMES, *(table["answer"] for table in tables)]).unique().sort()
    rows = []
    for number, table in enumerate(tables):
        of_lines = _rows(ids, order, table["id"].to_numpy())
        rows.append(of_lines)
        lines = np.flatnonzero(of_lines != NOT_JUDGED)
        lines = lines[places[of_lines[lines], 0] == NOT_JUDGED]
        at = of_lines[lines]
        right[at] = table["right"].to_numpy()[lines]
        probability[at] = table["probability"].to_numpy()[lines]
        answer[at] = names.search_sorted(table["answer"]).to_numpy()[lines]
        places[at] = np.column_stack([np.full(len(lines), number), lines])
    return Answers(folders, names, right, probability, answer, places, tuple(rows))


_NO_NAMES = pl.Series("answer", [], pl.String)


def _folders(model: Path, dataset: str) -> Iterator[Path]:
    """Yield the folders of all finished evaluations of a model on a dataset, by name."""
    for path in sorted((model / EVALUATION).glob(f"*/{SUMMARY}")):
        try:
            summary = msgspec.json.decode(path.read_bytes(), type=_Summary)
        except (OSError, msgspec.DecodeError) as error:
            raise InputError(f"{path}: cannot be read: {error}; evaluate again") from error
        if Path(summary.dataset).resolve().name == dataset:
            yield path.parent


def _read(folder: Path) -> pl.DataFrame:
    path = folder / ANSWERS
    with reading(path):
        return pl.read_parquet(path, columns=["id", "answer", "probability", "right"], glob=False)


def _rows(
    ids: NDArray[np.int64], order: NDArray[np.int64], sought: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the row of each id that is sought, or NOT_JUDGED."""
    if not len(ids):
        return np.full(len(sought), NOT_JUDGED, np.int64)
    at = np.minimum(np.searchsorted(ids, sought, sorter=order), len(ids) - 1)
    rows = order[at]
    return np.where(ids[rows] == sought, rows, NOT_JUDGED)
