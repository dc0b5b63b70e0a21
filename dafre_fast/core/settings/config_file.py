"""Read the settings of a command from a TOML file.

What stands at its top level serves every command that has such a setting. A table named like a
command serves that command alone, and comes first. Every name must be known to some command: a
misspelt one would change nothing, and nobody would notice.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from dafre_fast.core.errors import InputError, UsageError

Known = Mapping[str, Collection[str]]
"""The names of the settings of each command, by its name."""
Table = Mapping[str, object]


def read_settings(path: Path, command: str, known: Known) -> dict[str, object]:
    """Return the settings in a file for one of the commands in `known`, by name and with `_`.

    Raises InputError if the file cannot be read or is not TOML, UsageError for a table that is
    named like no command and for a name that is no setting there, with the nearest that is.
    """
    tables, values = _divided(path, _read(path))
    settings = {name for names in known.values() for name in names}
    for name in tables:
        if name not in known:
            raise UsageError(f"{path}: [{name}]: {_no_command(name, known, settings)}")
    shared = _named(f"{path}:", values, settings, {*settings, *known}, "no command has a setting")
    own = {
        name: _named(f"{path}: [{name}]", table, known[name], settings, "has no setting")
        for name, table in tables.items()
    }
    return {name: shared[name] for name in shared.keys() & {*known[command]}} | own.get(command, {})


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from error


def _divided(path: Path, content: Table) -> tuple[dict[str, Table], Table]:
    """Return the tables of a file, and the values at its top level."""
    tables, values = dict[str, Table](), dict[str, object]()
    for name, value in content.items():
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            raise UsageError(f"{path}: [[{name}]]: a command has one table: write [{name}]")
        if isinstance(value, dict):
            tables[name] = value
        else:
            values[name] = value
    return tables, values


def _named(
    where: str, table: Table, known: Collection[str], near: Collection[str], unknown: str
) -> dict[str, object]:
    """Return the values of a table by the names of settings. Raises UsageError for other names."""
    named = dict[str, object]()
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"{where} {unknown} {key}{_nearest(name, known, near)}")
        if isinstance(value, dict):
            raise UsageError(f"{where} {key}: is a table; give it a value")
        if name in named:
            raise UsageError(f"{where} {key}: stands there twice, with - and with _")
        named[name] = value
    return named


def _nearest(name: str, *choices: Iterable[str]) -> str:
    """Return the hint at the name that was probably meant, from the first choice that has one."""
    for names in choices:
        if found := get_close_matches(name, sorted(names), n=1):
            if found[0] == name:
                return f" ({name} is one of other commands)"
            return f"; did you mean {found[0]}?"
    return ""


def _no_command(name: str, known: Known, settings: Collection[str]) -> str:
    if (setting := name.replace("-", "_")) in settings:
        return f"is no command but a setting: write {setting} = …"
    near = get_close_matches(name, sorted(known), n=1)
    return "there is no such command" + (f"; did you mean [{near[0]}]?" if near else "")
