"""Queries of the index of a dataset: the images of a view in order, and the details of one image.

A query makes a mask of all rows from lists of row numbers (postings), one per filter. Over a
million rows with 18 tags each, one to three tags take 3 to 7 ms (two cores, files in memory). For
comparison: scanning the tags of all rows takes polars 0.9 s and DuckDB 1.0 s; DuckDB with a sorted
table of postings takes 0.2 to 0.4 s.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.splits import SPLITS, TRAIN
from dafre_fast.gallery.answers import NOT_JUDGED
from dafre_fast.gallery.index import Column, Index, RowNumbers, ordered_columns, sorted_by
from dafre_fast.gallery.language import MARK, VERDICT, read, split_order
from dafre_fast.gallery.matching import KINDS, Mask, listed, mask_of, resolve, term_of
from dafre_fast.gallery.view import (
    ORDERS,
    UNSURE,
    Answer,
    Choice,
    Details,
    Judged,
    Listed,
    Listing,
    Near,
    Next,
    Page,
    Place,
    Tile,
    View,
)

PAGE = 60
"""Number of images on a page."""
LIKE = 24
"""Number of images that look like another one."""
_TRIED = 50
"""Images of a name among which one with a picture is looked for."""
_MOST_WORDS = 6
"""Words of the longest name that is completed."""
_CHOICES = 12
_BLOCK = 50_000
"""Rows of an order that are looked at together."""
_NO_ROWS = np.zeros(0, np.uint32)
_SIDE_TAGS = 15
"""Tags of a kind beside a page."""


def page(index: Index, view: View) -> Page:
    """Return the page of a view. A page after the last one has no tiles."""
    mask, first = _mask(index, view), (view.page - 1) * PAGE
    images = int(np.count_nonzero(mask))
    shown = _ordered(index, view, most=first + PAGE)[first : first + PAGE]
    return Page(
        tiles=_tiles(index, shown),
        images=images,
        pages=max(1, -(-images // PAGE)),
        tags=tags_of(index, mask, shown),
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


def _tags(index: Index, row: int) -> dict[str, list[Choice]]:
    kinds = zip(TAG_KINDS, index.tag_starts, strict=True)
    return {
        kind: [
            Choice(kind, one["name"], one["images"], term_of(one))
            for one in index.terms[index.tags[starts[row] : starts[row + 1]]].iter_rows(named=True)
        ]
        for kind, starts in kinds
    }


def exists(index: Index, image_id: int) -> bool:
    """Return whether the manifest has an image with this id."""
    return _row_of(index, image_id) is not None


def tiles_of(index: Index, ids: Sequence[int]) -> list[Tile]:
    """Return the tiles of those images that the manifest has."""
    rows = (_row_of(index, image) for image in ids)
    return [tile(index, row) for row in rows if row is not None]


def judged(index: Index, view: View) -> Judged | None:
    """Count the answers of a model that the view would have without asking for any; None without
    a model.
    """
    if index.answers is None:
        return None
    mask = _mask(index, view.without_fields("answer", "probability"))
    right, below = index.answers.right[mask], UNSURE
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
    mask = _mask(index, view.without_fields(kind))
    found = [_counted(index, mask, row) for row in _of_kind(index, kind)]
    order = {split: place for place, split in enumerate(SPLITS)}
    return sorted(found, key=lambda choice: order.get(choice.name, len(order)))


def _of_kind(index: Index, kind: str) -> Iterator[dict[str, Any]]:
    return index.terms.filter(kind=kind).iter_rows(named=True)


def listing(index: Index, kind: str, asked: Listing) -> Listed:
    """Return a page of all names of a kind, each with its images in the dataset. A page after the
    last one is empty.
    """
    names = index.terms.filter(kind=kind).with_columns(
        letter=pl.col("key").str.slice(0, 1).str.to_uppercase()
    )
    letters = names["letter"].unique().sort().to_list()
    if asked.letter:
        names = names.filter(letter=asked.letter.upper())
    if asked.by == "name":
        names = names.sort("key", "name")
    shown = names.slice((asked.page - 1) * PAGE, PAGE).iter_rows(named=True)
    choices = [
        Choice(row["kind"], row["name"], row["images"], term_of(row), _example(index, row))
        for row in shown
    ]
    return Listed(choices, letters, names.height, max(1, -(-names.height // PAGE)))


def _example(index: Index, row: dict[str, Any]) -> Tile | None:
    """Return the first of the first images with a name that has a picture."""
    rows = listed(index, row)[:_TRIED]
    made = index.grid[len(Column)][rows] > 0
    return tile(index, int(rows[made.argmax()])) if made.any() else None


def complete(index: Index, view: View, text: str) -> list[tuple[Choice, View]]:
    """Return up to 12 classes and tags that contain the last words of `text`, best matches first,
    and the view with each in place of these words.

    The order is: equal to the words, beginning with them, with a word beginning with them,
    containing them; then by number of images. Case is ignored, and underscores count as spaces.
    """
    words = text.split()
    for number in range(max(len(words) - _MOST_WORDS, 0), len(words)):
        kinds, excluded, sought = _sought(words[number:])
        found = _matching(index, sought, kinds).head(_CHOICES)
        if not found.is_empty():
            rest, order = split_order(read(" ".join(words[:number])))
            before = view.asking(resolve(index, rest)).but(order=order or view.order)
            mask = _mask(index, before)
            choices = [_counted(index, mask, row) for row in found.iter_rows(named=True)]
            return [
                (one, before.added(one.term.opposite if excluded else one.term)) for one in choices
            ]
    return []


def _sought(words: Sequence[str]) -> tuple[Sequence[str], bool, str]:
    """Return the kinds of names, whether they are excluded, and the text that is sought."""
    text = " ".join(words)
    excluded = text.startswith("-") and len(text) > 1
    kind, colon, rest = text[excluded:].partition(":")
    if colon and kind in KINDS and rest:
        return [kind], excluded, rest
    return KINDS, excluded, text[excluded:]


def _matching(index: Index, text: str, kinds: Sequence[str]) -> pl.DataFrame:
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
        .filter(pl.col("kind").is_in(kinds) & key.str.contains(sought, literal=True))
        .with_columns(rank=rank)
        .sort("rank", "images", "name", descending=[False, True, False])
        .collect()
    )


def _counted(index: Index, mask: Mask, row: dict[str, Any]) -> Choice:
    images = int(np.count_nonzero(mask[listed(index, row)]))
    return Choice(row["kind"], row["name"], images, term_of(row))


def _row_of(index: Index, image_id: int) -> int | None:
    place = int(np.searchsorted(index.ids, image_id))
    if place == len(index.ids) or index.ids[place] != image_id:
        return None
    return int(index.by_id[place])


def rows_of(index: Index, view: View) -> RowNumbers:
    """Return the row numbers of all images of a view, in the order of the manifest."""
    return np.flatnonzero(_mask(index, view)).astype(np.uint32)


def _ordered(index: Index, view: View, most: int | None = None) -> RowNumbers:
    """Return the row numbers of a view, in its order; at least the first `most` if it is given.
    Raises UsageError for an unknown order.
    """
    mask = _mask(index, view)
    match view.order:
        case "mixed":
            order = _mixed(len(mask))
        case "manifest":
            return np.flatnonzero(mask).astype(np.uint32)
        case "id":
            order = index.by_id
        case "random":
            order = _shuffled(len(mask), view.seed or 0)
        case column:
            return _by_column(index, np.flatnonzero(mask).astype(np.uint32), column)
    if most is None:
        return order[mask[order]]
    found, length = list[RowNumbers](), 0
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        found.append(block[mask[block]])
        length += len(found[-1])
        if length >= most:
            break
    return np.concatenate([_NO_ROWS, *found])


def _by_column(index: Index, rows: RowNumbers, order: str) -> RowNumbers:
    """Return rows in the order of a column, `-` before it for the largest first; rows without a
    value come last.
    """
    column, columns = order.removeprefix("-"), ordered_columns(index.rows)
    if column not in columns:
        near = get_close_matches(column, [*ORDERS, *columns], 3, 0.4)
        said = f"; near to it: {', '.join(near)}" if near else ""
        raise UsageError(f"order: there is no column {column!r}{said}")
    ranks = index.ranks[columns.index(column)][rows]
    keys = np.uint32(0xFFFF_FFFF) - ranks if order.startswith("-") else ranks - np.uint32(1)
    keys[ranks == 0] = 0xFFFF_FFFF
    return sorted_by(keys, rows)


@lru_cache(maxsize=2)
def _mixed(rows: int) -> RowNumbers:
    """Return the order in which classes are mixed; it is the same at every start."""
    return _shuffled(rows, 0)


@lru_cache(maxsize=4)
def _shuffled(rows: int, seed: int) -> RowNumbers:
    """Return a random order of rows that is the same for a seed in every version of NumPy.

    Only RandomState guarantees that (NEP 19); it is also the fastest here.
    """
    return np.random.RandomState(seed).permutation(np.arange(rows, dtype=np.uint32))


@lru_cache(maxsize=16)  # one page needs its mask three times, and the next page needs it too
def _of_question(index: Index, question: str, _revision: int) -> Mask:
    mask = mask_of(index, read(question))
    mask.flags.writeable = False
    return mask


def _mask(index: Index, view: View) -> Mask:
    """Return a mask of all rows, true for those of the view."""
    asks_people = any(term.field in {MARK, VERDICT} for term in view.terms)
    revision = index.revision() if asks_people else 0
    return _of_question(index, view.q, revision)


def next_of(index: Index, view: View, seen: Iterable[int]) -> Next:
    """Return the first image of a view that has a picture and was not seen."""
    rows = _ordered(index, view)
    rows = rows[index.grid[len(Column)][rows] > 0]
    is_seen = np.zeros(index.grid.shape[1], np.bool_)
    is_seen[index.rows_of(seen)] = True
    left = rows[~is_seen[rows]]
    image = int(index.grid[Column.ID][left[0]]) if len(left) else None
    return Next(image, len(rows), len(rows) - len(left))


def examples(index: Index, image: Tile, most: int = 6) -> list[Tile]:
    """Return other images of the class of an image, those of train first."""
    of_class = index.terms.filter(kind="class", name=image.klass)
    rows = [listed(index, row)[:_TRIED] for row in of_class.iter_rows(named=True)]
    there = [one for row in rows for one in row.tolist() if index.grid[len(Column)][one] > 0]
    tiles = [one for one in _tiles(index, np.array(there, np.uint32)) if one.id != image.id]
    return sorted(tiles, key=lambda one: one.split != TRAIN)[:most]


def tags_of(index: Index, mask: Mask, rows: RowNumbers) -> list[Choice]:
    """Return the most frequent tags of some rows, by kind, with the images of a view that have
    them.
    """
    found = list[Choice]()
    for starts in reversed(index.tag_starts):
        spans = [index.tags[starts[row] : starts[row + 1]] for row in rows.tolist()]
        if not spans or not len(together := np.concatenate(spans)):
            continue
        places, times = np.unique(together, return_counts=True)
        best = places[np.argsort(-times, kind="stable")][:_SIDE_TAGS]
        of_kind = [_counted(index, mask, index.terms.row(int(at), named=True)) for at in best]
        found += sorted(of_kind, key=lambda choice: (-choice.images, choice.name))
    return found


def _tiles(index: Index, rows: RowNumbers) -> list[Tile]:
    names, outputs = index.terms["name"], [output.name for output in index.outputs]
    found = index.grid[:, rows]
    texts = [names.gather(found[line]) for line in (Column.CLASS, Column.SPLIT, Column.STATUS)]
    sides = found[len(Column) :].T.reshape(len(rows), len(outputs), 2).tolist()
    answers = [_answer(index, row) for row in rows.tolist()]
    boxes = map(_box, found[Column.LEFT : Column.BOTTOM + 1].T.tolist())
    return [
        Tile(
            image,
            klass,
            split,
            status,
            dict(zip(outputs, map(tuple, sizes), strict=True)),
            answer,
            box,
        )
        for image, klass, split, status, sizes, answer, box in zip(
            found[Column.ID].tolist(), *texts, sides, answers, boxes, strict=True
        )
    ]


def _box(edges: Sequence[int]) -> tuple[float, float, float, float] | None:
    """Return left, top, width and height as shares of the full image; None if it is empty."""
    left, top, right, bottom = (min(max(edge / 1_000_000, 0.0), 1.0) for edge in edges)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _answer(index: Index, row: int) -> Answer | None:
    answers = index.answers
    if answers is None or answers.right[row] == NOT_JUDGED:
        return None
    name = answers.names[int(answers.answer[row])]
    return Answer(name, float(answers.probability[row]), bool(answers.right[row]))
