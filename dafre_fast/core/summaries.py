"""The summaries that commands print at the end, and the records that they are made of."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from dafre_fast.core.findings import Flaw


class Packed(Struct, frozen=True):
    """The result of packing.

    The `images` of the manifest are the sum of `packed`, `refused` (by the run that made them, per
    reason), `damaged` (since then, per flaw) and `excluded` (on demand). Parts were `written` by
    this run or `kept` from an earlier one. `bytes` is the size of all files of the pack in
    `folder`; times are in seconds.
    """

    images: int
    packed: int
    refused: Mapping[str, int]
    damaged: Mapping[Flaw, int]
    excluded: int
    damaged_list: str | None
    """Path of the table of damaged images, None if there are none."""
    written: int
    kept: int
    bytes: int
    folder: str
    seconds: float
    cpu_seconds: float


class HasBadRows(Protocol):
    """A summary of tables of which some rows may be malformed."""

    @property
    def bad_rows(self) -> Sequence["Problem"]: ...
    @property
    def bad_rows_list(self) -> str | None: ...


class Step(Struct, frozen=True):
    """One step of a funnel: the images and classes left after it."""

    name: str
    images: int
    classes: int


class TagCount(Struct, frozen=True):
    """Number of different tags of one category, and of their uses over all images."""

    unique: int
    uses: int


class TagStep(Struct, frozen=True):
    """One step of the funnel of tags: the images left after it, and the tags of each category (by
    Danbooru's number).
    """

    name: str
    images: int
    categories: Mapping[int, TagCount]


FILLED = "empty lists filled"
"""Name of the last step of tags, in which empty lists get the tag `unlabeled`."""

NAMED_LINES = 10
"""Rows with one problem that are named by their lines."""


class Problem(Struct, frozen=True):
    """Rows of a table that were set aside for one reason: their number, and the lines (counted from
    1) of the first `NAMED_LINES`.
    """

    table: str
    problem: str
    rows: int
    lines: Sequence[int]


class Bottleneck(StrEnum):
    """Something that a run may wait for."""

    NETWORK = "network"
    DISK = "disk"
    CPU = "CPU"
    RATE_LIMITS = "rate_limits"
    """Rate limits, and hosts that asked to wait or were down."""


class Downloads(Struct, frozen=True):
    """The downloads of one run.

    `requests` for originals do not count redirects; `retries` of them followed a passing failure.
    `bytes` is the size of the files fetched. `shares` divides the run's time among what it waited
    for; the largest share is the `bottleneck`.
    """

    originals: int
    bytes: int
    requests: int
    retries: int
    bottleneck: Bottleneck
    shares: Mapping[Bottleneck, float]


class Work(Struct, frozen=True):
    """The work of one run: the images that reached an outcome, and the seconds it took.

    CPU time is user and system time of this process and its workers.
    """

    images: int
    seconds: float
    cpu_seconds: float
    downloads: Downloads | None = None
    """Is None if no server was asked for anything."""
    refused_before: int = 0
    """Images that earlier runs refused for good, and that this run did not try again."""


class TagsSummary(Struct, frozen=True):
    """The result of `tags`.

    The `images` of the labels are the sum of `tagged` and `untagged` (per reason). Without labels
    they are the images left of the metadata.
    """

    images: int
    tagged: int
    untagged: Mapping[str, int]
    steps: Sequence[TagStep]
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None


class Judged(Struct, frozen=True):
    """The quality of a detector at one threshold; shares are 0 to 1.

    `counted` is the share of images with as many heads found as known, `overlap` the mean overlap
    (intersection over union) of the boxes that match, 0 if there are none.
    """

    threshold: float
    known: int
    found: int
    matched: int
    recall: float
    precision: float
    overlap: float
    counted: float


class HeadsSummary(Struct, frozen=True):
    """The result of `heads`.

    The `images` searched are the sum of those with a `single` head, with `none`, with `several`,
    and of those `refused` (per reason).
    """

    images: int
    single: int
    none: int
    several: int
    refused: Mapping[str, int]
    work: Work
    funnel: Sequence[Step]
    judged: Sequence[Judged] = ()
    """The quality at each threshold, if known boxes were given."""
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None


class Summary(Struct, frozen=True):
    """The result of a run.

    The `images` asked for are the sum of `success` and `refused` (per reason).
    """

    images: int
    success: int
    refused: Mapping[str, int]
    work: Work | None = None
    funnel: Sequence[Step] = ()
    tags: TagsSummary | None = None
    """The summary of the tags, if the run made tables of tags."""
    packed: Packed | None = None
    """The result of packing, if images went straight into shards."""
    heads: HeadsSummary | None = None
    """The summary of the search for heads, if the run made faces.tsv itself."""
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None
    """Path of the list of all bad rows, None if there are none."""


class Listed(Struct, frozen=True):
    """The `images` of a split: how many the list of files has in each tree, and has not."""

    split: str
    images: int
    listed: Mapping[str, int]
    missing: Mapping[str, int]


class Lists(Struct, frozen=True):
    """The result of `lists`.

    The `lines` of a list of files are the sum of those `listed` for a split, of images in no split
    (`unwanted`), of trees of other sizes (`elsewhere`), and of malformed ones (`set_aside`).
    """

    lines: int
    listed: int
    unwanted: int
    elsewhere: int
    set_aside: int
    splits: Sequence[Listed]
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None
    fetched: Mapping[str, Summary] = {}
    """The summary of fetching the files listed, per tree."""


class Place(Struct, frozen=True):
    """A host, archive or folder, and the number of originals that would come from there.

    `bytes` is the sum of their known sizes; those of `unknown` originals are not known.
    """

    place: str
    originals: int
    bytes: int
    unknown: int


class Simulation(Struct, frozen=True):
    """The result of `download --simulate`.

    The `images` asked for are the sum of those on disk (`there`), those that an earlier run
    `refused` for good, those that would be fetched from `places`, and those found `nowhere`.
    """

    images: int
    there: int
    refused: int
    nowhere: int
    places: Sequence[Place]


class Probes(Struct, frozen=True):
    """The result of trying a few originals, which are thrown away: those `tried`, those `made`, the
    mean bytes of one original and of its outputs, and the mean seconds of fetching it and of CPU
    for its outputs. Means are 0 where none was made.
    """

    tried: int
    made: int
    original_bytes: float = 0.0
    output_bytes: float = 0.0
    fetch_seconds: float = 0.0
    cpu_seconds: float = 0.0


class Basis(StrEnum):
    """The grounds on which the size of outputs is guessed."""

    MADE = "images made before"
    PROBES = "probes"
    USUAL = "usual sizes"


class Rehearsal(Struct, frozen=True):
    """The result of `full --dry-run`.

    The `images` asked for are the sum of those `made` and `refused` by earlier runs and of those
    that are left to make, whose originals come from where `originals` says. `needed_bytes` is the
    space for originals to fetch and outputs to make, without originals of unknown size where no
    probe says how large one is; `seconds` is known with probes alone.
    """

    images: int
    made: int
    refused: int
    originals: Simulation
    needed_bytes: int
    needed_by: Basis
    free_bytes: int
    funnel: Sequence[Step] = ()
    probes: Probes | None = None
    seconds: float | None = None
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None


class Funnel(Struct, frozen=True):
    """Images and classes after each step, as in `funnel.json`."""

    steps: Sequence[Step]


class TagFunnel(Struct, frozen=True):
    """Tags after each step, as in `tags_funnel.json`."""

    steps: Sequence[TagStep]
