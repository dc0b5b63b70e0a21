"""Names of the columns of outputs. Apart from `outputs`, since workers write ledgers and start
faster without a library of tables.
"""

from dafre_fast.core.settings.images import FULL_IMAGE

FIELDS = ("width", "height", "bytes", "sha256")
"""The columns of an output, without their prefix; sizes are in pixels and bytes."""


def prefix_of(name: str) -> str:
    """Return the prefix of the columns of an output."""
    return "" if name == FULL_IMAGE.name else f"{name}_"
