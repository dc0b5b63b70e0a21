"""What a report tells of a dataset: plain counts, before anything is drawn."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dafre_fast.audit.records import Audit
from dafre_fast.core.summaries import Funnel, TagFunnel
from dafre_fast.dataset.provenance import Choice, File, Making
from dafre_fast.stats.records import Statistics


class Share(Struct, frozen=True):
    """Images of one kind: of a split, a format, a place."""

    name: str
    images: int


class Split(Struct, frozen=True):
    """Images that were asked for, and of them those that were made; `classes` have one of these."""

    name: str
    images: int
    made: int
    classes: int


class ImageClass(Struct, frozen=True):
    """A class: images that were asked for, those that were made, and these by split."""

    class_id: int
    name: str
    images: int
    made: int
    splits: Mapping[str, int]


class Range(Struct, frozen=True):
    """The 5th, 50th and 95th percentile."""

    low: float
    middle: float
    high: float


class Sizes(Struct, frozen=True):
    """Of files of one kind: sides in pixels, bytes of one, and `total` of them all."""

    name: str
    images: int
    width: Range
    height: Range
    bytes: Range
    total: int


class Grid(Struct, frozen=True):
    """How much there is in each cell, row by row from the top. `across` and `down` are the values
    at the outer edges.
    """

    cells: Sequence[Sequence[int]]
    across: tuple[float, float]
    down: tuple[float, float]


class Example(Struct, frozen=True):
    """One image. `url` is where its original came from, a path for one that was read on disk."""

    id: int
    path: str
    name: str
    detail: str = ""
    url: str | None = None


class Refused(Struct, frozen=True):
    """Images refused for one reason, and some of them."""

    reason: str
    images: int
    examples: Sequence[Example]


class Heads(Struct, frozen=True):
    """Of `images`, how many have a cell of the picture within their head box, and the median box
    (left, top, right, bottom as shares).
    """

    images: int
    covered: Grid
    box: tuple[float, float, float, float]


class Overview(Struct, frozen=True, kw_only=True):
    """All that the manifest tells. `class_sizes` has the images of every class, the largest first,
    and `classes` the first of them. What is not known is None or empty.
    """

    images: int
    made: int
    made_classes: int
    splits: Sequence[Split]
    class_sizes: Sequence[int]
    classes: Sequence[ImageClass]
    formats: Sequence[Share]
    sizes: Sequence[Sizes]
    original_sizes: Grid | None
    face_sizes: Grid | None
    heads: Heads | None
    refused: Sequence[Refused]
    notes: Sequence[Share]
    places: Sequence[Share]
    proofs: Sequence[Share]
    download_seconds: Range | None


class Pace(Struct, frozen=True):
    """How fast one stage went: outcomes per second in each bin of `seconds`, breaks left out."""

    stage: str
    outcomes: int
    per_second: Sequence[float]


class Throughput(Struct, frozen=True):
    """`seconds` of work, from the first line of the ledger to the last; `breaks` between two lines
    of more than `longest_wait` seconds are left out. `untimed` lines have no time.
    """

    seconds: float
    breaks: int
    longest_wait: float
    stages: Sequence[Pace]
    untimed: int


class Picture(Struct, frozen=True):
    """A file of the report, and its size in pixels."""

    path: str
    width: int
    height: int


class Tile(Struct, frozen=True):
    """One image, shown; no `picture` where it cannot be."""

    example: Example
    picture: Picture | None


class Sheet(Struct, frozen=True):
    """Some images of a split, of one tree: all in one picture, and the first of them one by one."""

    split: str
    tree: str
    images: int
    picture: Picture | None
    tiles: Sequence[Tile]


class Cloud(Struct, frozen=True):
    """A word cloud of a category, of its tags or the words in them."""

    category: int
    level: str
    picture: Picture


class Twins(Struct, frozen=True):
    """An image that an audit leaves out, and the one that stays for it; `distance` of their hashes
    in bits.
    """

    leaves: Tile
    stays: Tile
    splits: tuple[str, str]
    distance: int | None


class Duplicates(Struct, frozen=True):
    """What an audit found, and some of the pairs, those across splits first."""

    audit: Audit
    pairs: Sequence[Twins]


class Page(Struct, frozen=True, kw_only=True):
    """All that the page shows. `left_out` says of a section why it is not there; `unread` has the
    files that could not be read.
    """

    title: str
    seed: int
    overview: Overview
    funnel: Funnel | None
    tag_funnel: TagFunnel | None
    statistics: Statistics | None
    clouds: Sequence[Cloud]
    sheets: Sequence[Sheet]
    class_pictures: Mapping[int, Picture]
    refused_pictures: Mapping[int, Picture]
    duplicates: Duplicates | None
    throughput: Throughput | None
    recipes: Mapping[str, int]
    makings: Sequence[Making]
    choice: Choice | None
    in_shards: bool
    files: Sequence[File]
    left_out: Mapping[str, str]
    unread: Sequence[str]


class Written(Struct, frozen=True):
    """What `report` wrote: `index` is the page, `files` and `bytes` all of its folder."""

    index: str
    files: int
    bytes: int
    images: int
    left_out: Mapping[str, str]
    unread: Sequence[str]
