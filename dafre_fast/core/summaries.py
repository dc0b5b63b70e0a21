"""What a run has to say for itself at the end."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from dafre_fast.core.findings import Flaw


class Packed(Struct, frozen=True):
    """`images` of the manifest are `packed`, `refused` by the run that made the dataset (by
    reason), `damaged` since (by flaw), or `excluded` on demand, always. Shards were `written` in
    this run or `kept` from an earlier one; `bytes` are those of all files of the pack, in `folder`.
    """

    images: int
    packed: int
    refused: Mapping[str, int]
    damaged: Mapping[Flaw, int]
    excluded: int
    damaged_list: str | None
    """Path of the table of all damaged ones, where there are any."""
    written: int
    kept: int
    bytes: int
    folder: str
    seconds: float
    cpu_seconds: float


class HasBadRows(Protocol):
    """A summary of tables, some rows of which were malformed."""

    @property
    def bad_rows(self) -> Sequence["Problem"]: ...
    @property
    def bad_rows_list(self) -> str | None: ...


class Step(Struct, frozen=True):
    """One step of the funnel: what is left after it."""

    name: str
    images: int
    classes: int


class TagCount(Struct, frozen=True):
    """Tags of one category: how many different ones, and their uses over all images."""

    unique: int
    uses: int


class TagStep(Struct, frozen=True):
    """One step of the funnel of tags: what is left after it, tags by Danbooru's category."""

    name: str
    images: int
    categories: Mapping[int, TagCount]


NAMED_LINES = 10
"""Of rows with one problem, as many are named."""


class Problem(Struct, frozen=True):
    """Rows of a table that were set aside for one reason: how many, and the lines (from 1) of the
    first `NAMED_LINES`.
    """

    table: str
    problem: str
    rows: int
    lines: Sequence[int]


class Bottleneck(StrEnum):
    """What a run waited for most."""

    NETWORK = "network"
    DISK = "disk"
    CPU = "CPU"
    MANNERS = "manners"
    """The rate limit, and hosts that asked to wait or were down."""


class Downloads(Struct, frozen=True):
    """What this run fetched: requests for originals (redirects aside), of which `retries` came
    after a passing failure; `bytes` of the files that came of them. `shares` of the run's time
    went to each of what may be the bottleneck, and the largest one is it.
    """

    originals: int
    bytes: int
    requests: int
    retries: int
    bottleneck: Bottleneck
    shares: Mapping[Bottleneck, float]


class Work(Struct, frozen=True):
    """What this run did: images brought to an outcome, and what that took, in seconds.

    CPU time is user and system time of this process and its workers.
    """

    images: int
    seconds: float
    cpu_seconds: float
    downloads: Downloads | None = None
    """None where nothing was asked of any server."""


class TagsSummary(Struct, frozen=True):
    """`images` of the labels are `tagged` and `untagged` (by reason), always. Without labels they
    are all that are left of the metadata.
    """

    images: int
    tagged: int
    untagged: Mapping[str, int]
    steps: Sequence[TagStep]
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None


class Summary(Struct, frozen=True):
    """`images` asked for are `success` and `refused` (by reason), always."""

    images: int
    success: int
    refused: Mapping[str, int]
    work: Work | None = None
    funnel: Sequence[Step] = ()
    tags: TagsSummary | None = None
    """Where tables of tags are a part of the run."""
    packed: Packed | None = None
    """Where images went straight into shards."""
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None
    """Path of the list of all bad rows, where there are any."""


class Listed(Struct, frozen=True):
    """The `images` of a split, and by tree how many the list of files has and has not there."""

    split: str
    images: int
    listed: Mapping[str, int]
    missing: Mapping[str, int]


class Lists(Struct, frozen=True):
    """`lines` of a list of files are `listed` for a split, of images of no split (`unwanted`), of
    images in trees of other sizes (`elsewhere`), and `set_aside`, always.
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
    """By tree, what came of fetching what is listed there."""


class Place(Struct, frozen=True):
    """A host, archive or folder, how many originals would come from there, and their bytes where
    these are known; of `unknown` originals they are not.
    """

    place: str
    originals: int
    bytes: int
    unknown: int


class Simulation(Struct, frozen=True):
    """`images` asked for are those that lie there already, those that an earlier run refused for
    good, those that would be fetched from somewhere, and those that are `nowhere`.
    """

    images: int
    there: int
    refused: int
    nowhere: int
    places: Sequence[Place]


class Funnel(Struct, frozen=True):
    """Images and classes step by step, as it stands in `funnel.json`."""

    steps: Sequence[Step]


class TagFunnel(Struct, frozen=True):
    """Tags step by step, as it stands in `tags_funnel.json`."""

    steps: Sequence[TagStep]
