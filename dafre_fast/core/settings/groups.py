"""Groups of settings: the only home of every setting's default, bounds and help text.

Each group is a frozen struct. A command names the groups it takes; its flags, the keys of its
`--config` file and their checks are derived from the fields (`dafre_fast.cli`). A field without a
default is required.
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
ShardSize = Annotated[Count, Meta(description="Most images in a shard.")]
OnlyList = Annotated[
    Path | None,
    Meta(description="List of images to take, no others: CSV, Parquet or lines of ids or keys."),
]
ExcludeList = Annotated[
    Path | None,
    Meta(description="List of images to leave out, such as audit/exclude.csv or exported marks."),
]
MarkNames = Annotated[
    tuple[str, ...],
    Meta(
        description="Marks that count in these lists, where they have a column mark. Default: all."
    ),
]


STORES = {"stores": True}
"""Extra of the `Meta` of a path that may be the address of an object store."""


class Group(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all groups of settings."""
