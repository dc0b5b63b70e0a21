"""Keep a dataset in an object store: its records are fetched before a run and put after it.

Shards are put as they are written (`pack`). The ledger is put before them, so that a run with an
empty disk goes on from what is in the store, and the manifest last.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from dafre_fast.core.addresses import store_address
from dafre_fast.core.atomic import PIECE_BYTES
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Tell
from dafre_fast.core.layout import (
    BAD_ROWS,
    HEADS,
    LABELS,
    MANIFEST,
    REPORT,
    SHARDS,
    STATE,
    STATISTICS,
)
from dafre_fast.core.walk import Walk
from dafre_fast.dataset.ledger import LOCK, NAME
from dafre_fast.dataset.locks import alone
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.dataset.stored import mirror, read_stored, record_stored
from dafre_fast.full.settings import FullRun


def begin(run: FullRun, *, resume: bool, tell: Tell) -> None:
    """Check that the store can be written, and fetch the records of earlier runs on any
    machine.

    Raises UsageError if the store refuses, or images of earlier runs lie elsewhere, and InputError
    if it cannot be read.
    """
    shards = run.output / SHARDS
    stored = read_stored(shards)
    if run.into is None:
        if stored:
            place = stored.address.removesuffix(f"/{SHARDS}")
            raise UsageError(f"{run.output}: images lie in {place}; go on with --into {place}")
        return
    address = _address(run)
    if stored and stored.address != f"{address}/{SHARDS}":
        raise UsageError(f"--into {address}: images lie in {stored.address}; give another --output")
    if stored is None and any(shards.glob("*/*.tar")):
        raise UsageError(f"{shards}: shards are files here; `pack --into` puts them into a store")
    tell(Doing(f"reading {address}"))
    store = ObjectStore(address)
    store.check_writable("--into")
    with alone(run.output / STATE):
        if resume:
            _fetch_records(store, run.output)
        record_stored(shards, f"{address}/{SHARDS}")


def _fetch_records(store: ObjectStore, output: Path) -> None:
    """Fetch the records of runs. Where this machine has a ledger, too, one that goes on where the
    other ends replaces it; else the lines of this machine follow those of the store.
    """
    ours, theirs = output / STATE / NAME, output / STATE / f"{NAME}.stored"
    mirror(store, output, lambda name: name.startswith(f"{STATE}/") and not name.endswith(NAME))
    try:
        store.fetch(f"{STATE}/{NAME}", theirs)
    except FileNotFoundError:
        return
    if not ours.exists() or _begins_with(theirs, ours):
        theirs.replace(ours)
    elif not _begins_with(ours, theirs):
        with theirs.open("ab") as file, ours.open("rb") as more:
            shutil.copyfileobj(more, file)
        theirs.replace(ours)
    theirs.unlink(missing_ok=True)


def _begins_with(path: Path, other: Path) -> bool:
    with path.open("rb") as file, other.open("rb") as begin:
        while piece := begin.read(PIECE_BYTES):
            if file.read(len(piece)) != piece:
                return False
    return True


def put_records(run: FullRun) -> None:
    """Put ledger and settings, by which a run with an empty disk knows the images in the store."""
    if run.into:
        store = ObjectStore(_address(run))
        for name in _files(run.output, STATE):
            store.put(name, run.output / name)


def put_dataset(run: FullRun, tell: Tell) -> None:
    """Put tables of heads, labels, statistics, report and records, then the manifest; delete what
    is no longer among them. Raises OutputError.
    """
    if run.into is None:
        return
    store = ObjectStore(_address(run))
    tell(Doing(f"writing to {store.address}"))
    for folder in (HEADS, LABELS, STATISTICS, REPORT, STATE):
        names = [*_files(run.output, folder)]
        for name in names:
            store.put(name, run.output / name)
        if folder != STATE:  # records of parts lie there, too
            store.delete(store.names(folder).keys() - {*names})
    for name in (BAD_ROWS, MANIFEST):
        if (run.output / name).exists():
            store.put(name, run.output / name)
        else:
            store.delete([name])


def _address(run: FullRun) -> str:
    address = store_address(run.into or "")
    if address is None:
        raise UsageError(f"--into {run.into}: must be an object store, such as s3://BUCKET/PREFIX")
    if run.pack is None:
        raise UsageError("--into needs --pack webdataset: single images are no objects of a store")
    return address


def _files(output: Path, folder: str) -> Iterator[str]:
    """Yield the files of a folder of a dataset by their paths in it; of the records of runs only
    those at the top: the others belong to this machine.
    """
    if folder == STATE:
        names = sorted(path.name for path in (output / STATE).glob("[!.]*") if path.is_file())
        names = [name for name in names if name != LOCK]
    else:
        names = sorted(Walk(output / folder))
    yield from (f"{folder}/{name}" for name in names)
