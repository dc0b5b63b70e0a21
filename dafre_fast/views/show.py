"""Print the result of a command on standard output."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct


def show(result: Struct, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a result: as JSON for machines, or else its `lines`, made only then, for people."""
    print(to_json(result) if as_json else "\n".join(lines))


def to_json(result: Struct) -> str:
    """Return a result as JSON, indented by two spaces."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
