"""Verify files in a worker: read, hash, parse. Imported by the workers."""

from dafre_fast.core.errors import Refusal
from dafre_fast.core.findings import Finding, Flaw, Output
from dafre_fast.dataset.samples import read_as_recorded


def check(folder: str, deep: bool, outputs: tuple[Output, ...]) -> list[Finding]:
    """Compare files of a folder with what is recorded, and return what is wrong with them. `deep`:
    decode each of them, too.
    """
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
    except Exception as error:  # noqa: BLE001  (whatever a decoder raises is a finding)
        return Flaw.UNDECODABLE, f"{type(error).__name__}: {error}"
    return None, ""
