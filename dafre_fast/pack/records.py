"""What a pack is made of, and what packing has to say at the end."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dafre_fast.core.findings import Flaw


class Damaged(Struct, frozen=True):
    """An image that is not packed, since one of its files is not there or not as recorded."""

    id: int
    file: str
    """Its path in the dataset."""
    flaw: Flaw
    detail: str = ""


class File(Struct, frozen=True):
    """A file of a pack, as it was written."""

    bytes: int
    sha256: str


class Shard(Struct, frozen=True):
    """What stands on record of a shard, written last: `contents` is the hash of everything that
    decides its bytes, `images` are those planned for it, the `damaged` ones left out, and `files`
    go by their names in its folder.
    """

    contents: str
    images: int
    damaged: Sequence[Damaged]
    files: Mapping[str, File]


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
