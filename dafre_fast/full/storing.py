"""Check where the images of a dataset lie, and open the store that they are to lie in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.layout import SHARDS
from dafre_fast.core.settings.running import Dividing, Running, part_of
from dafre_fast.dataset.in_store import InStore, address_of
from dafre_fast.dataset.part_in_store import PartInStore
from dafre_fast.full.settings import FullRun


class Place(NamedTuple):
    """The folder that a run makes its images in, the settings of a run of that folder, and the
    store that they go into, if any: as a whole dataset or as a part.
    """

    folder: Path
    running: Running
    whole: InStore | None = None
    part: PartInStore | None = None


@contextmanager
def placed(run: FullRun, running: Running, tell: Tell) -> Iterator[Place]:
    """Yield the place of a run, or of a part, where it is the only one on this machine. Raises as
    `begin` does, and UsageError for a part beside parts of another number.
    """
    if isinstance(running, Dividing) and running.is_engine:  # `begin` was the driver's
        yield Place(run.output, running)
        return
    store = begin(run, running, tell)
    if isinstance(store, PartInStore):
        with store.begun(resume=running.resume):
            yield Place(store.folder, replace(running, part=None), part=store)
    else:
        yield Place(run.output, running, whole=store)


def begin(run: FullRun, running: Running, tell: Tell) -> InStore | PartInStore | None:
    """Return the store of a run, or of a part, None if images stay on this machine. The records of
    earlier runs are fetched; those of a part are not yet (`PartInStore.fetch`).

    Raises UsageError if the store cannot be written, or images of earlier runs lie elsewhere, and
    InputError if it cannot be read.
    """
    stored = address_of(run.output)
    if run.into is None:
        if stored:
            raise UsageError(f"{run.output}: images lie in {stored}; go on with --into {stored}")
        return None
    address = _address(run)
    if stored and stored != address:
        raise UsageError(f"--into {address}: images lie in {stored}; give another --output")
    shards = run.output / SHARDS
    if stored is None and any(shards.glob("*/*.tar")):
        raise UsageError(f"{shards}: shards are files here; `pack --into` puts them into a store")
    part = part_of(running)
    ours = PartInStore(address, run.output, part) if part else InStore(address, run.output)
    ours.store.check_writable("--into")
    if isinstance(ours, InStore):
        ours.fetch(tell, resume=running.resume)
    return ours


def put_dataset(output: Path, tell: Tell) -> None:
    """Put a finished dataset into the store that its shards lie in. Raises OutputError."""
    if address := address_of(output):
        InStore(address, output).put_dataset(tell)


def _address(run: FullRun) -> str:
    address = store_address(run.into or "")
    if address is None:
        raise UsageError(f"--into {run.into}: must be an object store, such as s3://BUCKET/PREFIX")
    if run.pack is None:
        raise UsageError("--into needs --pack webdataset: single images are no objects of a store")
    return address
