"""By which settings and versions the outcomes of a ledger were made.

The ledger has a hash of the settings with each outcome; what the hashes stand for is written beside
it when a run begins, once for each combination of settings and versions.
"""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from dafre_fast.model.errors import InputError
from dafre_fast.model.files import STATE, replacing
from dafre_fast.model.report import Making
from dafre_fast.model.settings import Recipe

NAME = "makings.json"
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
    path = output / STATE / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Making])
    except FileNotFoundError:
        return []
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
