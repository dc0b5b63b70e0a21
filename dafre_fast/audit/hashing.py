"""Hash full images in a worker: read, compare with the record, hash."""

from dafre_fast.core.errors import Refusal
from dafre_fast.core.findings import Finding, Flaw, Output
from dafre_fast.dataset.samples import read_as_recorded
from dafre_fast.engine.batches import Batch

Hashed = tuple[str, bytes | None]
"""A file and its hash; None if the picture has too little detail for one."""


def hash_files(folder: str, outputs: Batch) -> list[Hashed | Finding]:
    """Return the hash of each file of a folder, or what is wrong with it."""
    return [_hash(folder, output) for output in outputs]


def _hash(folder: str, output: Output) -> Hashed | Finding:
    from dafre_fast.pixels.geometry import Size  # the parent does without the decoders
    from dafre_fast.pixels.likeness import likeness

    data = read_as_recorded(folder, output)
    if not isinstance(data, bytes):
        return Finding(data[0], output.file, data[1])
    try:
        return output.file, likeness(data, Size(output.width or 0, output.height or 0))
    except Refusal as refusal:
        return Finding(Flaw.UNDECODABLE, output.file, refusal.detail)
