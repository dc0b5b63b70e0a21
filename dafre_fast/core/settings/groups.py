"""Every setting, its default, its bounds and its help text: the only home of defaults.

Each group is a frozen struct. A command names the groups it takes; the flags, the keys of the
`--config` file and their checks follow from the fields (`dafre_fast.cli`). A field without
default is required.
"""

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
ShardSize = Annotated[Count, Meta(description="Images of a shard, at most.")]


class Group(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all groups of settings."""
