"""Records of a report: plain counts and file names, before anything is drawn."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dafre_fast.audit.records import Audit
from dafre_fast.core.records import Head
from dafre_fast.core.summaries import Funnel, Step, TagFunnel
from dafre_fast.dataset.provenance import Choice, File, Making
from dafre_fast.stats.records import Statistics


class Share(Struct, frozen=True):
    """A value (of a format, note, host or proof) and the number of images that have it."""

    name: str
    images: int


class Split(Struct, frozen=True):
    """A split: `images` requested, `made` of them, and the number of `classes` with made ones."""

    name: str
    images: int
    made: int
    classes: int


class ImageClass(Struct, frozen=True):
    """A class: `images` requested, `made` of them, and the made ones by split. `alone` if it has a
    name that no other class has.
    """

    class_id: int
    name: str
    images: int
    made: int
    splits: Mapping[str, int]
    alone: bool = True


class Range(Struct, frozen=True):
    """The 5th, 50th and 95th percentile of a column."""

    low: float
    middle: float
    high: float


class Sizes(Struct, frozen=True):
    """Sizes of one kind of file: sides in pixels, bytes per file, and `total` bytes of all."""

    name: str
    images: int
    width: Range
    height: Range
    bytes: Range
    total: int


class Grid(Struct, frozen=True):
    """Counts in cells, row by row from the top; `across` (left, right) and `down` (top, bottom) are
    the values at the outer edges.
    """

    cells: Sequence[Sequence[int]]
    across: tuple[float, float]
    down: tuple[float, float]


class Example(Struct, frozen=True):
    """One image; `url` is the address of its original, or its path if it was read from disk."""

    id: int
    path: str
    name: str
    detail: str = ""
    url: str | None = None


class Refused(Struct, frozen=True):
    """A reason, the number of images refused for it, and some of them."""

    reason: str
    images: int
    examples: Sequence[Example]


class Heads(Struct, frozen=True):
    """Head boxes of `images`: how many boxes cover each cell of the picture, and the median `box`
    (left, top, right, bottom as shares from 0 to 1).
    """

    images: int
    covered: Grid
    box: tuple[float, float, float, float]


class Overview(Struct, frozen=True, kw_only=True):
    """Everything counted in the manifest. `class_sizes` has the images of every class, largest
    first, `classes` details of the first of them. Unknown values are None or empty.
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
    """Speed of one stage: outcomes per second in equal bins of the working time."""

    stage: str
    outcomes: int
    per_second: Sequence[float]


class Throughput(Struct, frozen=True):
    """Speed of all stages. `seconds` is the time from the first line of the ledger to the last,
    without `breaks`: waits of more than `longest_wait` seconds between two lines. `untimed` counts
    lines without a time.
    """

    seconds: float
    breaks: int
    longest_wait: float
    stages: Sequence[Pace]
    untimed: int


class Picture(Struct, frozen=True):
    """A picture file of the report (path relative to the page) and its size in pixels."""

    path: str
    width: int
    height: int


class Tile(Struct, frozen=True):
    """An image as a small picture; `picture` is None if it cannot be shown."""

    example: Example
    picture: Picture | None


class RefusedOriginal(Struct, frozen=True):
    """A refused original: a picture of what can be decoded, and `file`, its type and size, or why
    it cannot be seen.
    """

    picture: Picture | None
    file: str


class Sheet(Struct, frozen=True):
    """A contact sheet: images of one split and tree in one picture, the first also as tiles. `word`
    is that of the output in commands and in the gallery.
    """

    split: str
    tree: str
    word: str
    images: int
    picture: Picture | None
    tiles: Sequence[Tile]


class Cloud(Struct, frozen=True):
    """A word cloud of the tags of a category, or of the words in them."""

    category: int
    level: str
    picture: Picture


class Twins(Struct, frozen=True):
    """A pair of duplicates: the image that the audit excludes, the one it keeps, and the distance
    of their hashes in bits.
    """

    leaves: Tile
    stays: Tile
    splits: tuple[str, str]
    distance: int | None


class Duplicates(Struct, frozen=True):
    """The findings of an audit and some of its pairs, those across splits first."""

    audit: Audit
    pairs: Sequence[Twins]


class Bars(Struct, frozen=True):
    """A histogram: `edges` from low to high, one more than bins; the boxes in each bin that are
    drawn as bars, and those among them that are `sure` enough for labels.
    """

    edges: Sequence[float]
    boxes: Sequence[int]
    sure: Sequence[int]


class Searched(Struct, frozen=True):
    """An image that was searched, and the heads to draw on it; `below` if they did not count.
    `picture` is None if it cannot be shown, which `absent` says why.
    """

    example: Example
    heads: Sequence[Head]
    below: bool
    picture: Picture | None
    absent: str = ""


class SearchedSheet(Struct, frozen=True):
    """A contact sheet of images with as many heads: its `name`, how many images there are of the
    kind, and those that are shown.
    """

    name: str
    images: int
    shown: Sequence[Searched]


class FoundHeads(Struct, frozen=True, kw_only=True):
    """The heads that a detector found. The `images` searched are those with a `single` head, with
    `none` and with `several`, and those refused (with examples, by reason).

    Of all `boxes`, those `counted` have a score of `count_threshold` or more; those of
    `min_confidence` or more are sure enough for labels.
    """

    images: int
    single: int
    none: int
    several: int
    refused: Sequence[Refused]
    boxes: int
    counted: int
    detector: str
    count_threshold: float
    min_confidence: float
    funnel: Sequence[Step]
    scores: Bars
    sizes: Bars
    """The short sides of boxes that were counted, in pixels of the original."""
    sheets: Sequence[SearchedSheet]


class SearchPage(Struct, frozen=True, kw_only=True):
    """Everything that the page of a search for heads shows; see `Page`."""

    title: str
    description: str
    gallery: str
    seed: int
    found: FoundHeads
    left_out: Mapping[str, str]
    unread: Sequence[str]


class Page(Struct, frozen=True, kw_only=True):
    """Everything the page shows: first the images of `first`. `gallery` is the address that links
    lead to, '' without links. `left_out` maps an absent section to the reason; `unread` lists the
    files that could not be read.
    """

    title: str
    description: str
    gallery: str
    seed: int
    first: Sequence[Tile]
    overview: Overview
    funnel: Funnel | None
    tag_funnel: TagFunnel | None
    statistics: Statistics | None
    clouds: Sequence[Cloud]
    sheets: Sequence[Sheet]
    class_pictures: Mapping[int, Picture]
    refused: Mapping[int, RefusedOriginal]
    found: FoundHeads | None
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
    """The result of `report`: path of the page, and `files` and `bytes` of the whole folder."""

    index: str
    files: int
    bytes: int
    images: int
    left_out: Mapping[str, str]
    unread: Sequence[str]
