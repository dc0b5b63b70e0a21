"""What a worker does to verify files: read, hash, look inside. Imported by the workers."""

import hashlib
import os
from stat import S_ISREG

from dafre_fast.core.errors import Refusal
from dafre_fast.core.findings import Finding, Flaw, Output


def check(folder: str, deep: bool, outputs: tuple[Output, ...]) -> list[Finding]:
    """What is off with files of a folder; `deep`: each is decoded as well."""
    found = (_check(folder, output, deep) for output in outputs)
    return [
        Finding(flaw, output.file, detail)
        for output, (flaw, detail) in zip(outputs, found, strict=True)
        if flaw
    ]


_Found = tuple[Flaw | None, str]


def _check(folder: str, output: Output, deep: bool) -> _Found:
    data = read_as_recorded(folder, output)
    return _look_inside(data, output, deep) if isinstance(data, bytes) else data


def read_as_recorded(folder: str, output: Output) -> bytes | tuple[Flaw, str]:
    """The bytes of a picture, if they are those on record; else what is off, and how."""
    path = f"{folder}/{output.shard or output.file}"
    try:
        status = os.stat(path)  # noqa: PTH116  (a Path per file costs)
        if not S_ISREG(status.st_mode):  # one could wait at it for ever
            return Flaw.UNREADABLE, "is no regular file"
        size = status.st_size
        if output.shard and output.bytes is not None:
            size = min(max(size - output.offset, 0), output.bytes)
        if size != output.bytes:
            return Flaw.WRONG_SIZE, f"{size} bytes, recorded {output.bytes}"
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(output.offset)
            data = file.read(size)
    except (FileNotFoundError, NotADirectoryError):
        return Flaw.MISSING, ""
    except OSError as error:
        return Flaw.UNREADABLE, str(error.strerror)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != output.sha256:
        return Flaw.WRONG_HASH, f"SHA-256 {sha256[:12]}…, recorded {output.sha256[:12]}…"
    return data


def _look_inside(data: bytes, output: Output, deep: bool) -> _Found:
    from dafre_fast.pixels import soundness  # the parent does without the decoders

    try:
        header = soundness.check_whole(data)
    except Refusal as refusal:
        return Flaw.BROKEN_JPEG, refusal.detail
    if header.size != (output.width, output.height):
        width, height = header.size
        recorded = f"recorded {output.width} x {output.height}"
        return Flaw.WRONG_DIMENSIONS, f"{width} x {height} pixels, {recorded}"
    try:
        if deep:
            soundness.check_pixels(data, header)
    except Refusal as refusal:
        return Flaw.UNDECODABLE, str(refusal)
    except Exception as error:  # noqa: BLE001  (a decoder's surprise is a finding)
        return Flaw.UNDECODABLE, f"{type(error).__name__}: {error}"
    return None, ""
