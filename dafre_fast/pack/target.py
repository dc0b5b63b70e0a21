"""The place of a pack: a folder, or an object store by way of a folder on this machine."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from dafre_fast.core.addresses import store_address
from dafre_fast.core.atomic import File, check_writable, digest
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.locks import alone
from dafre_fast.dataset.object_store import Kept, ObjectStore
from dafre_fast.dataset.shard_order import Numbers, files_of_shard, names_of
from dafre_fast.dataset.stored import look_at, mirror, read_stored, record_stored
from dafre_fast.pack.receipts import forget, record_path
from dafre_fast.pack.records import Shard

SUMS, DAMAGED, CARD, CARD_RECORD = "SHA256SUMS", "damaged.csv", "README.md", f"{STATE}/card.sha256"


class Target(NamedTuple):
    """The folder in which parts are written, and the address of the store that they are put into,
    if any. `there` are the objects that the store had at first.
    """

    folder: Path
    address: str | None = None
    there: dict[str, Kept] = {}  # noqa: RUF012  (never changed)

    def __str__(self) -> str:
        return self.address or str(self.folder)

    def has(self, shard: Shard, name: str, file: File, *, digests: bool) -> bool:
        """Return True if a file of a recorded part is there with the recorded bytes; without
        `digests`, with the recorded size. `name` is its path in the pack. Raises OSError.
        """
        if self.address:
            kept = self.there.get(name)
            etag = shard.etags.get(Path(name).name)
            return kept is not None and kept == Kept(file.bytes, etag or "")
        path = self.folder / name
        return path.stat().st_size == file.bytes and (not digests or digest(path) == file)

    def reopen(self) -> None:
        """Take away the mark of a finished pack, before parts of it are changed."""
        if self.address:
            ObjectStore(self.address).delete([SUMS])

    def finish(self, doomed: Iterable[str], forgotten: Sequence[str]) -> None:
        """Put the card and the lists of a pack whose parts are in the store, and delete what no
        longer belongs to it: the objects `doomed`, and the records of the parts `forgotten`.
        """
        if not self.address:
            return
        store = ObjectStore(self.address)
        gone = [name for name in (DAMAGED, CARD) if not (self.folder / name).exists()]
        records = [str(record_path(Path(), name)) for name in forgotten]
        store.delete({*doomed, *records, *gone} & self.there.keys())
        for name in forgotten:
            forget(self.folder, name)
        for name in (CARD, CARD_RECORD, DAMAGED, SUMS):  # the last one says that all is there
            if (self.folder / name).exists():
                store.put(name, self.folder / name)
        if read_stored(self.folder):
            record_stored(self.folder, self.address)


def put_part(address: str, folder: Path, name: str, shard: Shard) -> Shard:
    """Put the files of a part into a store, then its record, which is returned with the ETags; the
    main file is deleted from the folder. Raises OutputError.
    """
    store = ObjectStore(address)
    main, *others = [str(Path(name).with_name(file)) for file in shard.files]
    own = str(record_path(Path(), name))
    store.delete([own, *others])  # what describes an older archive of this name goes first
    etags = {Path(file).name: store.put(file, folder / file).etag for file in (main, *others)}
    (folder / main).unlink()
    shard = replace(shard, etags=etags)
    store.put(own, msgspec.json.encode(shard))
    return shard


def refuse_unwritable(into: Path | None, folder: Path) -> None:
    """Raise UsageError if the store of a pack refuses to be written, OutputError if its folder
    does.
    """
    stored = None if into else read_stored(folder)
    address = store_address(into) if into else stored and stored.address
    if address:
        ObjectStore(address).check_writable("--into")
    else:
        check_writable(folder, "--into")


@contextmanager
def opened(
    into: Path | None, folder: Path, dataset: Path, numbers: Numbers | None = None
) -> Iterator[Target]:
    """Yield the place of a pack, where nobody else is at work: `into`, or else `folder`; with
    `numbers`, that of these shards alone.

    Raises UsageError if another process is at work there, OutputError if it cannot be written.
    """
    address = store_address(into) if into else None
    if address is None:
        with _in_folder(into or folder, numbers) as target:
            yield target
        return
    staging = _staging(address, dataset)
    with alone(staging / STATE):
        try:
            yield _with_records(staging, address)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _in_folder(folder: Path, numbers: Numbers | None) -> Iterator[Target]:
    with alone(folder / STATE):
        stored = read_stored(folder)
        if stored is None:
            yield Target(folder)
        elif numbers is None:
            yield _with_records(folder, stored.address)
        else:  # the records are those of these shards
            store = ObjectStore(stored.address)
            names = [file for name in names_of(numbers) for file in files_of_shard(name)]
            yield Target(folder, stored.address, look_at(store, names))


def _with_records(folder: Path, address: str) -> Target:
    """Fetch the records and the card of a pack into the folder."""
    store = ObjectStore(address)
    mirror(store, folder, lambda name: name == CARD or name.startswith(f"{STATE}/"))
    return Target(folder, address, store.names())


def _staging(address: str, dataset: Path) -> Path:
    """Return a folder for the parts of a pack on their way to a store: in the dataset, where there
    is room for it, or, if that is read-only, for temporary files.
    """
    name = f"into-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    state = dataset / STATE
    there = state if state.exists() else dataset
    if os.access(there, os.W_OK | os.X_OK):
        return state / name
    return Path(tempfile.gettempdir()) / f"dafre_fast-{name}"
