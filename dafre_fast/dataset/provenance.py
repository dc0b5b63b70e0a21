"""Of what, and by which settings and versions, a dataset was made.

The ledger has a hash of the settings with each outcome; what the hashes stand for is written beside
it when a run begins, once for each combination of settings and versions. What decides which rows
and tags there are stands beside them, as the last run had it.
"""

import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import msgspec

from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import STATE, replacing
from dafre_fast.core.settings.groups import FullRun, Recipe, Selection, TagSteps
from dafre_fast.dataset.tar_files import digest
from dafre_fast.report.records import Choice, File, Making

NAME, CHOICE = "makings.json", "choice.json"
_PACKAGES = (
    "dafre_fast",
    "deflate",
    "numba",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "polars",
    "PyTurboJPEG",
    "pyvips",
    "pyvips-binary",
)
"""Those whose code decides pixels or tables."""

_LOOPBACK = ("127.0.0.1:", "localhost:")

T = TypeVar("T")


def remember_making(output: Path, recipe: Recipe, *, anew: bool) -> None:
    """Add settings and versions of this run to those of earlier ones; `anew`, forget these.

    Raises OutputError where that cannot be written.
    """
    path = output / STATE / NAME
    known = list[Making]()
    if not anew:
        with suppress(InputError):  # damaged: what can still be known is of this run
            known = makings(output)
    making = Making(*recipe.hashes(), recipe, _versions())
    if making not in known:
        with replacing(path) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode([*known, making])))


def makings(output: Path) -> list[Making]:
    """Of all runs that had a part in a dataset, the earliest first; none where nothing is known.

    Raises InputError where the file is damaged.
    """
    return _read(output / STATE / NAME, list[Making]) or []


def remember_choice(
    run: FullRun, selection: Selection, metadata: Sequence[Path], steps: TagSteps | None
) -> None:
    """What `full` was told. Raises InputError where a table cannot be read, OutputError where that
    cannot be written.
    """
    tables = [_table(path) for path in (run.faces, run.tag_ids) if path]
    names = [path.name for path in metadata]
    chosen = Choice(tables, _place(run.source or ""), selection, names, steps)
    with replacing(run.output / STATE / CHOICE) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(chosen)))


def choice(output: Path) -> Choice | None:
    """What the last run was told; None where that is not known. Raises InputError where the file is
    damaged.
    """
    return _read(output / STATE / CHOICE, Choice)


def _table(path: Path) -> File:
    try:
        found = digest(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return File(path.name, found.bytes, found.sha256)


def _place(source: str) -> str:
    """Without user, password and query, which may be secret, and without the port of a server on
    this machine, which is another every time.
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        return source
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    if host.startswith(_LOOPBACK):
        host = host.partition(":")[0]
    return f"{scheme}://{host}{slash}{path.partition('?')[0]}"


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is damaged: {error}") from error


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
