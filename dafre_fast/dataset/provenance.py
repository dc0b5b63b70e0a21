"""Record what a dataset was made from, and with which settings and versions.

The ledger has a hash of the settings with each outcome. The settings themselves are written beside
it when a run begins, once for each combination of settings and versions; so are the rules by which
the last run chose rows and tags.
"""

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from dafre_fast.core.addresses import public
from dafre_fast.core.atomic import digest, replacing
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.tables import Protocol, Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.tables.catalogue import BY_SHARES
from dafre_fast.tables.splits import split_files


class Making(Struct, frozen=True):
    """Settings and versions with which images were made, and the hashes of the settings in the
    ledger, without and with the bounds.
    """

    pixels: str
    bounded: str
    settings: Recipe
    versions: Mapping[str, str]


class File(Struct, frozen=True):
    """A file of the dataset, by its path in it."""

    path: str
    bytes: int
    sha256: str


class SplitRule(Struct, frozen=True):
    """How the split was made: by shares of each class, by files of ids, or drawn with a seed."""

    protocol: Protocol
    files: Sequence[File] = ()
    seed: int | None = None
    val_images: int | None = None
    test_images: int | None = None


class Choice(Struct, frozen=True):
    """The inputs and rules of the last run of `full`: tables by name, the source of originals
    (without credentials), and the rules that chose rows and tags; None for tags if no metadata had
    any.
    """

    tables: Sequence[File]
    source: str
    selection: Selection
    metadata: Sequence[str] = ()
    tags: TagSteps | None = None
    split: SplitRule | None = None
    """The way the split was made; None in records older than this field."""


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
"""Packages whose code decides pixels or tables."""

_THIS_MACHINE = ("127.0.0.1", "localhost")
_LOOPBACK = tuple(f"{host}:" for host in _THIS_MACHINE)

T = TypeVar("T")


def record_making(output: Path, recipe: Recipe, *, resume: bool, state: Path | None = None) -> None:
    """Record settings and versions of this run besides those of earlier runs, or, without `resume`,
    in place of them. The state folder is that of the output, unless another is given. Raises
    OutputError if the record cannot be written.
    """
    add_makings(
        state or output / STATE, [Making(*recipe.hashes(), recipe, _versions())], resume=resume
    )


def add_makings(state: Path, others: Sequence[Making], *, resume: bool = True) -> None:
    """Record settings and versions in a state folder, besides those that it has, or, without
    `resume`, in place of them. Raises OutputError if the record cannot be written.
    """
    known = list[Making]()
    if resume:
        with suppress(InputError):  # the record is damaged: only what is added is known
            known = makings_in(state)
    # The last one is that of the last run: it decides the format of files (`dataset.outputs`).
    together = [*(making for making in known if making not in others), *others]
    if together != known:
        with replacing(state / NAME) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(together)))


def makings(output: Path) -> list[Making]:
    """Return the settings and versions of every run that contributed to a dataset, those of the
    last run at the end; an empty list if none is recorded. Raises InputError if the record is
    damaged.
    """
    return makings_in(output / STATE)


def makings_in(state: Path) -> list[Making]:
    """Return the settings and versions recorded in a state folder, as `makings` does."""
    return _read(state / NAME, list[Making]) or []


def record_choice(
    output: Path,
    tables: Sequence[Path],
    source: str,
    selection: Selection,
    metadata: Sequence[Path],
    steps: TagSteps | None,
    splitting: Splitting = BY_SHARES,
) -> None:
    """Record the inputs and rules that the dataset in `output` is made from.

    Raises InputError if a table cannot be read, OutputError if the record cannot be written.
    """
    names = [path.name for path in metadata]
    files, rule = [*map(_table, tables)], _split_rule(splitting)
    chosen = Choice(files, _place(source), selection, names, steps, rule)
    with replacing(output / STATE / CHOICE) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(chosen)))


def words_of(source: str) -> str:
    """Return words for a source, as `Choice` has it, for readers elsewhere: they say nothing of the
    folders of this machine.
    """
    if source.startswith("table:"):
        return "the addresses of its table"
    if source.startswith("hf:"):
        return f"the data set {source.removeprefix('hf:')} on the Hugging Face Hub"
    scheme, separator, rest = source.partition("://")
    if not separator or scheme == "file":
        return "originals on a disk"
    if rest.partition("/")[0] in _THIS_MACHINE:
        return "originals served by the machine that made it"
    return f"originals at {source}"


def is_of_danbooru(source: str) -> bool:
    """Return True if a source names Danbooru, by its host, folder or data set."""
    return any(name in source.lower() for name in ("danbooru", "donmai.us"))


def choice(output: Path) -> Choice | None:
    """Return the inputs and rules of the last run, None if they are not recorded. Raises InputError
    if the record is damaged.
    """
    return _read(output / STATE / CHOICE, Choice)


def _split_rule(splitting: Splitting) -> SplitRule:
    if splitting.splits:
        return SplitRule("files", [*map(_table, split_files(splitting.splits).values())])
    if splitting.split_seed is None:
        return SplitRule("shares")
    sizes = splitting.val_images, splitting.test_images
    return SplitRule("drawn", (), splitting.split_seed, *sizes)


def _table(path: Path) -> File:
    try:
        found = digest(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return File(path.name, found.bytes, found.sha256)


def _place(source: str) -> str:
    """Return a source as it may be stored, without its query, and without the port of a server on
    this machine, which changes with every run.
    """
    scheme, separator, rest = public(source).partition("://")
    if not separator:
        return source
    host, slash, path = rest.partition("/")
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
