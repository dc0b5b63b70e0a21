"""Write files so that they appear whole or not at all; compute the digest of a file."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from dafre_fast.core.errors import OutputError

_LONGEST_NAME = 255
"""Bytes that the name of a file may have on all common file systems."""

PIECE_BYTES = 1 << 20


def temporary(path: Path) -> Path:
    """Return the path under which a file is written until it is whole: hidden, in the same folder.
    It is always the same, so that the next attempt replaces what a killed one left.
    """
    return path.with_name(temporary_name(path.name))


def temporary_name(name: str) -> str:
    """Return the name that `temporary` gives a file of a name."""
    part = f".{name}.part"
    if len(os.fsencode(part)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()
        part = f".{digest}{Path(name).suffix}.part"
    return part


def check_writable(folder: Path, flag: str) -> None:
    """Raise OutputError, which names the flag for another folder, if no file can be created in
    `folder`, or in the first folder above it that is there. Nothing is created.
    """
    place = folder.absolute()
    while not os.path.exists(place):  # noqa: PTH110  (Path.exists raises where it may not look)
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        why = "is read-only, or is not yours to write in"
        raise OutputError(f"{folder}: {why}; name another folder with {flag}")


_writer = ""


@contextmanager
def writing_as(name: str) -> Iterator[None]:
    """Have this process use temporary names of its own in `replacing` and `scratch` meanwhile, with
    `name` in them: others may write the same files at the same time.
    """
    global _writer  # noqa: PLW0603  (whoever writes a table knows nothing of parts)
    before, _writer = _writer, name
    try:
        yield
    finally:
        _writer = before


def own_temporary(path: Path) -> Path:
    """Return a path like that of `temporary`, which only this writer uses (`writing_as`)."""
    return temporary(path.with_name(f"{path.name}.{_writer}") if _writer else path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; at the end that file replaces `path`. On an error nothing changes.

    Raises OutputError if the system refuses.
    """
    part = own_temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"{path}: {error.strerror or error}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def scratch(output: Path, name: str) -> Iterator[Path]:
    """Yield a hidden, empty folder in `output` for temporary files. The next run removes what a
    killed one left there.

    Raises OutputError if the folder cannot be made, or a file cannot be written in it.
    """
    folder = own_temporary(output / name)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class File(Struct, frozen=True):
    """Size and SHA-256 (hexadecimal) of a file."""

    bytes: int
    sha256: str


def digest(path: Path) -> File:
    """Return the size and hash of a file, which is read in pieces. Raises OSError."""
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            hashed.update(piece)
            size += len(piece)
    return File(size, hashed.hexdigest())
