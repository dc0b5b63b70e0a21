"""The record of a written part of a pack."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dafre_fast.core.atomic import File
from dafre_fast.dataset.samples import Damaged


class Shard(Struct, frozen=True, omit_defaults=True):
    """A written part. `contents` is the SHA-256 of everything that decides its bytes; `images`
    counts those planned for it, `damaged` lists those left out, `files` has its files by name,
    and `etags` those of the objects if they lie in an object store.
    """

    contents: str
    images: int
    damaged: Sequence[Damaged]
    files: Mapping[str, File]
    etags: Mapping[str, str] = {}
