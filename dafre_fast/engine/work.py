"""Make one image in a worker: read, make, write, record. Imported by the workers."""

import errno
import fcntl
import hashlib
import os
import stat
from contextlib import suppress
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import OutputError, Refusal
from dafre_fast.core.paths import from_text
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Image, Made, MadeOutput, Wanted, WantedOutput
from dafre_fast.core.refusing import refusing
from dafre_fast.core.settings.images import Hashes, Recipe
from dafre_fast.dataset.recorder import Recorder

if TYPE_CHECKING:
    from dafre_fast.pixels.making import Rendered

_OF_ITS_NAME = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}
"""Errors caused by the name of one output: it is too long, or something else is in its place."""
_KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def make_and_record(
    recorder: Recorder, recipe: Recipe, hashes: Hashes, wanted: Wanted
) -> Reason | None:
    """Make the outputs of an image and record the outcome. Returns the reason if it was refused."""
    made = make(recipe, hashes, wanted)
    recorder.append(made)
    discard(wanted, made.reason)
    return made.reason


def discard(wanted: Wanted, reason: Reason | None) -> None:
    """Remove an original whose outcome is recorded, if it may be removed. After a passing failure
    it stays, for the next run tries again.
    """
    if wanted.removable and wanted.original and not (reason and reason.transient):
        with suppress(OSError):
            os.unlink(from_text(wanted.original))  # noqa: PTH108  (a Path per file costs)


def make(recipe: Recipe, hashes: Hashes, wanted: Wanted) -> Made:
    """Make the outputs of an image and write them. A refusal is an outcome like any other.

    Raises OutputError if an output cannot be written for a reason that concerns every image, such
    as a full disk, and MemoryError.
    """
    size: int | None = None
    try:
        data = read_original(wanted.original or "", recipe.bounds.max_bytes)
        size = len(data)
        rendered = _make(data, recipe, wanted)
        written = _write_all(rendered, wanted)
    except Refusal as refusal:
        return Made(
            key=wanted.key,
            recipe=hashes.of(refusal.reason),
            reason=refusal.reason,
            detail=refusal.detail,
            original=wanted.original,
            original_bytes=size,
        )
    reason = rendered.refused.reason if rendered.refused else None
    return Made(
        key=wanted.key,
        recipe=hashes.of(reason, rendered.notes),
        reason=reason,
        detail=rendered.refused.detail if rendered.refused else rendered.detail,
        notes=rendered.notes,
        original=wanted.original,
        format=rendered.header.format.value,
        original_width=rendered.header.size.width,
        original_height=rendered.header.size.height,
        original_bytes=size,
        outputs=written.outputs,
        spool=written.spool,
        offset=written.offset,
    )


def read_original(original: str, max_bytes: int) -> bytes:
    """Return the bytes of an original. Raises Refusal if it cannot be read, or has more bytes."""
    path = from_text(original)
    try:
        if kind := _no_file(path):
            raise Refusal(Reason.UNREADABLE_ORIGINAL, f"{original}: is {kind}, not a file")
        with open(path, "rb") as file:  # noqa: PTH123  (a Path per file costs)
            size = os.fstat(file.fileno()).st_size
            # `read(max_bytes)` would allocate that much before it reads a byte.
            data = file.read() if size <= max_bytes else b""
    except FileNotFoundError as error:
        raise Refusal(Reason.MISSING_ORIGINAL, original) from error
    except OSError as error:
        raise Refusal(Reason.UNREADABLE_ORIGINAL, f"{original}: {error.strerror}") from error
    if max(size, len(data)) > max_bytes:
        raise Refusal(Reason.TOO_MANY_BYTES, f"more than {max_bytes:,}")
    return data


def _no_file(path: str) -> str | None:
    """Return what a path is, if not a file: to open a pipe or a device may take for ever. Raises
    OSError, also for a folder that cannot be listed.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116  (a Path per file costs)
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        os.scandir(path).close()
        return "a folder"
    return next((kind for test, kind in _KINDS if test(mode)), "a device")


def _make(data: bytes, recipe: Recipe, wanted: Wanted) -> "Rendered":
    from dafre_fast.pixels.making import make_images  # the parent does without the decoders

    with refusing():
        names = [output.name for output in wanted.outputs]
        return make_images(data, recipe, names, box=wanted.box)


class _Written(NamedTuple):
    """Outputs that were written, and at which byte of a spool they begin, if they lie in one."""

    outputs: tuple[MadeOutput, ...] = ()
    spool: str | None = None
    offset: int | None = None


def _write_all(rendered: "Rendered", wanted: Wanted) -> _Written:
    """Write the outputs that were made. Raises as `_write` and `_put` do."""
    made = [output for output in wanted.outputs if output.name in rendered.pictures]
    if wanted.spool is None:
        for output in made:
            _spare(wanted.original or "", output.path)
        return _Written(tuple(_write(rendered[output.name], output) for output in made))
    if rendered.refused:  # a sample of a shard has all outputs, or there is none
        return _Written()
    images = {output.name: rendered[output.name] for output in made}
    offset = _put(b"".join(image.data for image in images.values()), wanted.spool)
    spool = os.path.basename(wanted.spool)  # noqa: PTH119
    return _Written(tuple(starmap(_record, images.items())), spool, offset)


def _spare(original: str, output: str) -> None:
    """Raise Refusal (NO_PLACE) if an output would replace its own original, by whatever link."""
    path = from_text(original)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.lstat(output), os.stat(path)):  # noqa: PTH116
            folder, name = os.path.split(output)
            # of a hard link, only this name is replaced
            if os.path.realpath(path) == os.path.join(os.path.realpath(folder), name):  # noqa: PTH118
                raise Refusal(Reason.NO_PLACE, f"{output}: would replace its original")


def _put(data: bytes, spool: str) -> int:
    """Append data to a spool; return the byte at which it begins. Raises OutputError."""
    try:
        file = os.open(spool, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # released by `close`, and by the end of the process
            offset = os.fstat(file).st_size
            if os.write(file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
    except OSError as error:
        raise OutputError(f"{spool}: {error.strerror}") from error
    return offset


def _write(image: Image, wanted: WantedOutput) -> MadeOutput:
    """Write one output to its file, whole or not at all.

    Raises Refusal (NO_PLACE) if the name of the file is the cause, else OutputError.
    """
    try:
        with replacing(Path(wanted.path)) as part:
            part.write_bytes(image.data)
    except OutputError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _OF_ITS_NAME:
            raise Refusal(Reason.NO_PLACE, str(error)) from error
        raise
    return _record(wanted.name, image)


def _record(name: str, image: Image) -> MadeOutput:
    sha256 = hashlib.sha256(image.data).hexdigest()
    return MadeOutput(name, image.width, image.height, len(image.data), sha256)
