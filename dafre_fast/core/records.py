"""The records that travel between stages and processes; all frozen, all plain data."""

from typing import NamedTuple

from msgspec import Struct

from dafre_fast.core.reasons import Note, Proof, Reason


class Box(NamedTuple):
    """A head box as faces.tsv gives it: edges as shares (0 to 1) of the oriented picture."""

    left: float
    top: float
    right: float
    bottom: float


class Wanted(Struct, frozen=True):
    """One image to be had: where its original is known under `id`, and what to make of it.

    `key` names it in the ledger: the decimal id, or the relative path in a tree.
    `full` and `face` are the files to write, None for an output that is not wanted.
    """

    key: str
    original: str | None = None
    """Path of the original, None while a source still has to find or fetch it."""
    full: str | None = None
    face: str | None = None
    box: Box | None = None
    spool: str | None = None
    """The file at whose end both are put, in place of files of their own."""


class Sought(Struct, frozen=True):
    """One original to be had, and what is known of it beforehand."""

    key: str
    """Its decimal id."""
    extension: str | None = None
    bytes: int | None = None
    md5: str | None = None
    """Lower-case hexadecimal digits."""
    name: str | None = None
    """Its path in the source, where a list of files tells it."""
    row: int = 0
    """Where it stands in the table of what is asked for."""


class Fetched(Struct, frozen=True, omit_defaults=True, tag_field="stage", tag="fetch"):
    """What became of looking for one original; stands in the ledger as one line.

    `url` is what was asked for, `final_url` what answered after redirects, where that is another.
    `seconds` are those of all attempts, waiting for the host's turn aside. `at` is when it was
    recorded, in seconds since 1970.
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
    at: float | None = None


class Image(Struct, frozen=True):
    """One encoded output: JPEG bytes and their size in pixels."""

    data: bytes
    width: int
    height: int


class Made(Struct, frozen=True, omit_defaults=True, tag_field="stage", tag="make"):
    """What became of making one image; stands in the ledger as one line.

    Sizes are in pixels and bytes; the original's are those of the oriented picture.
    `recipe` is the hash of the settings that decided the outcome. `at` is when it was recorded, in
    seconds since 1970.
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
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    face_width: int | None = None
    face_height: int | None = None
    face_bytes: int | None = None
    face_sha256: str | None = None
    spool: str | None = None
    """Name of the spool at whose byte `offset` the outputs begin, the full image first."""
    offset: int | None = None
    notes: tuple[Note, ...] = ()
    at: float | None = None
