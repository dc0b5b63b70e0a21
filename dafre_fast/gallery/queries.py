"""Queries of the index of a dataset: the images of a view in order, and the details of one image.

A query makes a mask of all rows from lists of row numbers (postings), one per filter. Over a
million rows with 18 tags each, one to three tags take 3 to 7 ms (two cores, files in memory). For
comparison: scanning the tags of all rows takes polars 0.9 s and DuckDB 1.0 s; DuckDB with a sorted
table of postings takes 0.2 to 0.4 s.
"""

from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.splits import SPLITS
from dafre_fast.gallery.answers import NOT_JUDGED, RIGHT
from dafre_fast.gallery.index import Column, Index, RowNumbers
from dafre_fast.gallery.view import (
    REFUSED,
    Answer,
    Choice,
    Details,
    Judged,
    Near,
    Page,
    Place,
    Tile,
    View,
)

PAGE = 60
"""Number of images on a page."""
LIKE = 24
"""Number of images that look like another one."""
UNSURE = 0.5
"""Answers with a lower probability are unsure, unless another bound is asked for."""
_CHOICES = 12

Mask = NDArray[np.bool_]


def page(index: Index, view: View) -> Page:
    """Return the page of a view. A page after the last one has no tiles."""
    rows = _ordered(index, view)
    first = (view.page - 1) * PAGE
    return Page(
        tiles=_tiles(index, rows[first : first + PAGE]),
        images=len(rows),
        pages=max(1, -(-len(rows) // PAGE)),
    )


def place(index: Index, view: View, image_id: int) -> Place:
    """Return the place of an image in a view, and the ids before and after it."""
    rows = _ordered(index, view)
    found = np.flatnonzero(rows == _row_of(index, image_id))
    if not len(found):
        return Place(images=len(rows))
    number = int(found[0])
    ids = index.grid[Column.ID]
    before = int(ids[rows[number - 1]]) if number else None
    after = int(ids[rows[number + 1]]) if number + 1 < len(rows) else None
    return Place(len(rows), number, number // PAGE + 1, before, after)


def details(index: Index, image_id: int) -> Details | None:
    """Return the details of an image, or None if the manifest does not have it.

    Raises InputError if another process has rebuilt the index since this one opened it.
    """
    number = _row_of(index, image_id)
    if number is None:
        return None
    found = index.rows.slice(number, 1).collect()
    if found["id"].to_list() != [image_id]:
        raise InputError("the dataset has changed and was indexed again: restart the gallery")
    row = found.drop("class").row(0, named=True)
    likeliest = index.answers.likeliest(number) if index.answers else ()
    return Details(tile(index, number), row, _tags(index, number), likeliest)


def tile(index: Index, row: int) -> Tile:
    """Return the tile of a row."""
    return _tiles(index, np.array([row], np.uint32))[0]


def _tags(index: Index, row: int) -> dict[str, list[str]]:
    names = index.terms["name"]
    kinds = zip(TAG_KINDS, index.tag_starts, strict=True)
    return {
        kind: names.gather(index.tags[starts[row] : starts[row + 1]]).to_list()
        for kind, starts in kinds
    }


def exists(index: Index, image_id: int) -> bool:
    """Return whether the manifest has an image with this id."""
    return _row_of(index, image_id) is not None


def judged(index: Index, view: View) -> Judged | None:
    """Count the answers of a model that the view would have without asking for any; None without
    a model.
    """
    if index.answers is None:
        return None
    mask = _mask(index, view.but(answer=None, below=None))
    right, below = index.answers.right[mask], view.below or UNSURE
    unsure = int(np.count_nonzero(index.answers.probability[mask] < below))
    good, bad = (int(np.count_nonzero(right == value)) for value in (1, 0))
    return Judged(good + bad, good, bad, unsure, below)


def look_alikes(index: Index, image_id: int) -> list[Near] | None:
    """Return the images that look most like one; None if no model has seen it. Raises InputError
    if the embeddings cannot be read.
    """
    row = _row_of(index, image_id)
    if row is None or index.answers is None:
        return None
    embedding = index.answers.embedding(row)
    return None if embedding is None else nearest(index, embedding, row)


def nearest(index: Index, embedding: NDArray[np.float32], but: int | None = None) -> list[Near]:
    """Return the images whose embeddings are most similar to one, without that of the row `but`."""
    if index.answers is None:
        return []
    found = index.answers.nearest(embedding, LIKE, but)
    return [Near(tile(index, row), cosine) for row, cosine in found]


def choices(index: Index, view: View, kind: str) -> list[Choice]:
    """Return all names of a kind, with the images the view would have if it was set to each.

    Splits come as train, val, test; other kinds by number of images in the dataset.
    """
    mask = _mask(index, view.but(**{kind: None}))
    of_kind = index.terms.filter(kind=kind)
    found = [_counted(index, mask, term) for term in of_kind.iter_rows(named=True)]
    order = {split: place for place, split in enumerate(SPLITS)}
    return sorted(found, key=lambda choice: order.get(choice.name, len(order)))


def complete(index: Index, view: View, text: str) -> list[Choice]:
    """Return up to 12 classes and tags that contain `text`, best matches first.

    The order is: equal to `text`, beginning with it, with a word beginning with it, containing it;
    then by number of images. Case is ignored, and underscores count as spaces.
    """
    found = _matching(index, text).head(_CHOICES)
    if found.is_empty():
        return []
    mask = _mask(index, view)
    return [_counted(index, mask, term) for term in found.iter_rows(named=True)]


def exact_matches(index: Index, text: str) -> list[tuple[str, str]]:
    """Return kind and name of the classes and tags that equal `text`, in any case."""
    return _matching(index, text).filter(pl.col("rank") == 0).select("kind", "name").rows()


def _matching(index: Index, text: str) -> pl.DataFrame:
    sought = pl.lit(" ".join(text.replace("_", " ").split())).str.to_lowercase()
    key = pl.col("key")
    rank = (
        pl.when(key == sought).then(0)
        .when(key.str.starts_with(sought)).then(1)
        .when(key.str.contains(pl.format(" {}", sought), literal=True)).then(2)
        .otherwise(3)
    )  # fmt: skip
    return (
        index.terms.lazy()
        .filter(
            pl.col("kind").is_in(["class", *TAG_KINDS]) & key.str.contains(sought, literal=True)
        )
        .with_columns(rank=rank)
        .sort("rank", "images", "name", descending=[False, True, False])
        .collect()
    )


def _counted(index: Index, mask: Mask, term: dict[str, object]) -> Choice:
    rows = _listed(index, term)
    return Choice(str(term["kind"]), str(term["name"]), int(np.count_nonzero(mask[rows])))


def _listed(index: Index, term: dict[str, object]) -> RowNumbers:
    start, images = term["start"], term["images"]
    assert isinstance(start, int)
    assert isinstance(images, int)
    return index.postings[start : start + images]


def _row_of(index: Index, image_id: int) -> int | None:
    place = int(np.searchsorted(index.ids, image_id))
    if place == len(index.ids) or index.ids[place] != image_id:
        return None
    return int(index.by_id[place])


def _ordered(index: Index, view: View) -> RowNumbers:
    """Return the row numbers of a view, in its order."""
    mask = _mask(index, view)
    match view.order:
        case "manifest":
            return np.flatnonzero(mask).astype(np.uint32)
        case "id":
            order = index.by_id
        case "random":
            order = _shuffled(len(mask), view.seed or 0)
    return order[mask[order]]


@lru_cache(maxsize=4)
def _shuffled(rows: int, seed: int) -> RowNumbers:
    """Return a random order of rows that is the same for a seed in every version of NumPy.

    Only RandomState guarantees that (NEP 19); it is also the fastest here.
    """
    return np.random.RandomState(seed).permutation(np.arange(rows, dtype=np.uint32))


def _mask(index: Index, view: View) -> Mask:
    """Return a mask of all rows, true for those of the view."""
    return _mask_of(index, view.but(show="full", order="manifest", seed=None))


@lru_cache(maxsize=16)  # one page needs its mask three times, and the next page needs it too
def _mask_of(index: Index, view: View) -> Mask:
    mask = np.ones(index.grid.shape[1], np.bool_)
    for kind, name in view.terms:
        mask &= _having(index, kind, name)
    for line, least, most in (
        (Column.ORIGINAL, view.original_min, view.original_max),
        (Column.HEAD, view.head_min, view.head_max),
    ):
        if least or most:
            sides = index.grid[line]
            mask &= (sides >= (least or 1)) & (sides <= (most or np.iinfo(np.int64).max))
    if index.answers and view.answer:
        mask &= index.answers.right == (view.answer == RIGHT)
    if index.answers and view.below:
        mask &= index.answers.probability < view.below
    mask.flags.writeable = False
    return mask


def _having(index: Index, kind: str, name: str) -> Mask:
    if (kind, name) == ("status", REFUSED):
        return ~_having(index, "status", SUCCESS)
    mask = np.zeros(index.grid.shape[1], np.bool_)
    for term in index.terms.filter(kind=kind, name=name).iter_rows(named=True):
        mask[_listed(index, term)] = True
    return mask


def _tiles(index: Index, rows: RowNumbers) -> list[Tile]:
    names, outputs = index.terms["name"], [output.name for output in index.outputs]
    found = index.grid[:, rows]
    texts = [names.gather(found[line]) for line in (Column.CLASS, Column.SPLIT, Column.STATUS)]
    sides = found[len(Column) :].T.reshape(len(rows), len(outputs), 2).tolist()
    answers = [_answer(index, row) for row in rows.tolist()]
    return [
        Tile(
            image, klass, split, status, dict(zip(outputs, map(tuple, sizes), strict=True)), answer
        )
        for image, klass, split, status, sizes, answer in zip(
            found[Column.ID].tolist(), *texts, sides, answers, strict=True
        )
    ]


def _answer(index: Index, row: int) -> Answer | None:
    answers = index.answers
    if answers is None or answers.right[row] == NOT_JUDGED:
        return None
    name = answers.names[int(answers.answer[row])]
    return Answer(name, float(answers.probability[row]), bool(answers.right[row]))
