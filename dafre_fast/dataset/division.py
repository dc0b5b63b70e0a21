"""The number of parts that a driver has cut a run into, until they are merged.

`parts/division.json` in the state folder of the output keeps it, so that the same command goes on
with the same parts. Nodes of a cluster look for it, too: those that do not see it do not share the
output.
"""

import secrets
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import STATE


class Division(Struct, frozen=True):
    """A run in so many `parts`; the `token` tells its record from that of any other."""

    parts: int
    token: str


def path_of_division(output: Path) -> Path:
    """Return the path of the record."""
    return output / STATE / "parts" / "division.json"


def read_division(output: Path) -> Division | None:
    """Return the division of a run that is not merged yet, None if there is none. Raises
    InputError.
    """
    path = path_of_division(output)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Division)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is damaged ({error}); remove it") from error


def record_division(output: Path, parts: int) -> Division:
    """Record a new division. Raises OutputError."""
    division = Division(parts, secrets.token_hex(8))
    with replacing(path_of_division(output)) as file:
        file.write_bytes(msgspec.json.encode(division))
    return division


def forget_division(output: Path) -> None:
    """Remove the record: the parts are merged."""
    with suppress(OSError):
        path_of_division(output).unlink(missing_ok=True)
