"""Records of written parts: one JSON file each, in the state folder of the pack."""

from pathlib import Path

import msgspec

from dafre_fast.core.atomic import replacing
from dafre_fast.core.layout import STATE
from dafre_fast.pack.records import Shard


def record(folder: Path, name: str, shard: Shard) -> None:
    """Record a part that is written. Raises OutputError."""
    with replacing(record_path(folder, name)) as temporary:
        temporary.write_bytes(msgspec.json.encode(shard))


def recorded(folder: Path, name: str) -> Shard | None:
    """Return the record of a part, or None if it is missing or damaged."""
    try:
        return msgspec.json.decode(record_path(folder, name).read_bytes(), type=Shard)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def all_recorded(folder: Path) -> list[str]:
    """Return the names of all recorded parts."""
    state = folder / STATE
    return sorted(
        str(path.relative_to(state)).removesuffix(".json") for path in state.rglob("*.json")
    )


def forget(folder: Path, name: str) -> None:
    """Delete the record of a part. Raises OSError."""
    record_path(folder, name).unlink(missing_ok=True)


def record_path(folder: Path, name: str) -> Path:
    """Return the path of the record of a part."""
    return folder / STATE / f"{name}.json"
