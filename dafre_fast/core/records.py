"""Records that travel between stages and processes: frozen, plain data."""

from typing import NamedTuple

from msgspec import Struct

from dafre_fast.core.reasons import Note, Proof, Reason


class Box(NamedTuple):
    """A head box of faces.tsv: its edges as shares (0 to 1) of the width and height of the upright
    picture.
    """

    left: float
    top: float
    right: float
    bottom: float


class Head(NamedTuple):
    """A head that a detector found: its box, and its score (0 to 1)."""

    box: Box
    score: float


class WantedOutput(Struct, frozen=True):
    """An output to make of one original: the name of the output, and the file to write."""

    name: str
    path: str


class Wanted(Struct, frozen=True):
    """One image to make: its original, and which outputs to make of it."""

    key: str
    """Its name in the ledger: the decimal id, or the path in a tree of originals."""
    original: str | None = None
    """Path of the original as text (`core.paths`), None while a source still has to bring it."""
    outputs: tuple[WantedOutput, ...] = ()
    """Outputs in the order of the recipe."""
    box: Box | None = None
    spool: str | None = None
    """The file to which all outputs are appended, in place of files of their own."""
    removable: bool = False
    """The original is removed once its outcome stands: it was fetched, and is not to be kept."""


class Sought(Struct, frozen=True):
    """One original to fetch, and what is known of it beforehand."""

    key: str
    """Its decimal id."""
    extension: str | None = None
    bytes: int | None = None
    md5: str | None = None
    """Lower-case hexadecimal digits."""
    name: str | None = None
    """Its path in the source, where a list of files has it."""
    row: int = 0
    """Its row in the table of requested images."""


class Fetched(Struct, frozen=True, omit_defaults=True, tag_field="stage", tag="fetch"):
    """The outcome of fetching one original; one line of the ledger.

    `path` is that of the file, as text (`core.paths`); `url` is the address that was requested,
    `final_url` the one that answered after redirects, if that is another. `source` is the
    fingerprint of the source that was asked (`sources.identity`), None if none was, or by an
    earlier version. `seconds` is the time of all attempts, without waiting for rate limits. `at` is
    the time of recording, in seconds since 1970.
    """

    key: str
    reason: Reason | None = None
    detail: str = ""
    path: str | None = None
    url: str | None = None
    final_url: str | None = None
    http_status: int | None = None
    attempts: int = 0
    bytes: int | None = None
    seconds: float | None = None
    sha256: str | None = None
    proof: Proof | None = None
    etag: str | None = None
    last_modified: str | None = None
    source: str | None = None
    at: float | None = None


class Detected(Struct, frozen=True, omit_defaults=True, tag_field="stage", tag="detect"):
    """The outcome of searching one original for heads; one line of the ledger.

    The size of the original is in pixels, of the upright picture. `recipe` is the hash of the
    detector and of what it is told. `at` is as in `Made`.
    """

    key: str
    recipe: str = ""
    reason: Reason | None = None
    detail: str = ""
    original: str | None = None
    original_width: int | None = None
    original_height: int | None = None
    heads: tuple[tuple[float, float, float, float, float], ...] = ()
    """Left, top, right, bottom as shares of the upright picture, and score; the surest first."""
    at: float | None = None


class Image(Struct, frozen=True):
    """One encoded output: the bytes of its file, and its size in pixels."""

    data: bytes
    width: int
    height: int


class MadeOutput(Struct, frozen=True):
    """An output that was written: its name, its size in pixels and bytes, and its SHA-256."""

    name: str
    width: int
    height: int
    bytes: int
    sha256: str


class Made(Struct, frozen=True, omit_defaults=True, tag_field="stage", tag="make"):
    """The outcome of making one image; one line of the ledger (`dataset.ledger_lines`).

    Sizes are in pixels and bytes; those of the original are of the upright picture. `recipe` is the
    hash of the settings that decided the outcome. `at` is the time of recording, in seconds since
    1970.
    """

    key: str
    recipe: str = ""
    reason: Reason | None = None
    detail: str = ""
    original: str | None = None
    format: str | None = None
    original_width: int | None = None
    original_height: int | None = None
    original_bytes: int | None = None
    outputs: tuple[MadeOutput, ...] = ()
    """Outputs in the order of the recipe."""
    spool: str | None = None
    """Name of the spool in which the outputs lie one behind the other, from byte `offset` on."""
    offset: int | None = None
    notes: tuple[Note, ...] = ()
    at: float | None = None


Outcome = Made | Fetched | Detected
"""A line of the ledger."""
