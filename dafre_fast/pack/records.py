"""What a pack is made of, and what packing has to say at the end."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dafre_fast.core.atomic import File
from dafre_fast.dataset.samples import Damaged


class Shard(Struct, frozen=True):
    """What stands on record of a shard, written last: `contents` is the hash of everything that
    decides its bytes, `images` are those planned for it, the `damaged` ones left out, and `files`
    go by their names in its folder.
    """

    contents: str
    images: int
    damaged: Sequence[Damaged]
    files: Mapping[str, File]
