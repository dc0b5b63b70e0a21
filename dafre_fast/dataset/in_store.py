"""Keep a dataset in an object store: its records are fetched before a run and put after it.

Shards are put as they are written (`pack`). The ledger is put before them, so that a run with an
empty disk goes on from what is in the store, and the manifest last.

The records of parts lie in the store as on a disk (`dataset.parts`). A run of the whole and a merge
fetch them all, and delete those that they have taken over once the ledger of the whole is there.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dafre_fast.core.atomic import PIECE_BYTES
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
from dafre_fast.dataset.object_store import TRIAL, Kept, ObjectStore
from dafre_fast.dataset.parts import FOLDER as PARTS
from dafre_fast.dataset.stored import mirror, read_stored, record_stored


def address_of(output: Path) -> str | None:
    """Return the address of the store that a dataset lies in, None if its shards are files here.
    Raises InputError if the record is damaged.
    """
    stored = read_stored(output / SHARDS)
    return stored.address.removesuffix(f"/{SHARDS}") if stored else None


class InStore:
    """A dataset in a store, with its records in a folder of this machine while a run is at work.

    Methods raise InputError if the store cannot be read, and OutputError if it or the folder cannot
    be written.
    """

    def __init__(self, address: str, output: Path) -> None:
        self.store, self.output = ObjectStore(address), output
        self._taken = dict[str, Kept]()

    def fetch(self, tell: Tell, *, resume: bool = True, tables: bool = False) -> None:
        """Fetch the records of earlier runs and parts on any machine, if those are to be resumed,
        and note which shards are there; with `tables`, fetch what else parts have put. Raises
        UsageError if a run is at work in the folder.
        """
        tell(Doing(f"reading {self.store.address}"))
        with alone(self.output / STATE):
            self._taken = self.store.names(PARTS)
            if resume:
                mirror(self.store, self.output, _is_no_ledger, STATE)
                if tables:
                    self._fetch_tables()
                for name in (f"{STATE}/{NAME}", *self._taken):
                    if name.endswith(f"/{NAME}"):
                        fetch_ledger(self.store, name, self.output / name)
            record_stored(self.output / SHARDS, f"{self.store.address}/{SHARDS}")

    def _fetch_tables(self) -> None:
        for folder in (HEADS, LABELS, STATISTICS):
            mirror(self.store, self.output, lambda _: True, folder)
        with suppress(FileNotFoundError):
            self.store.fetch(BAD_ROWS, self.output / BAD_ROWS)

    def put_records(self) -> None:
        """Put ledger and settings, by which a run with an empty disk knows the images in the store.
        Delete the records of parts that were taken over, unless they have changed.
        """
        for name in files_of(self.output, STATE):
            self.store.put(name, self.output / name)
        gone = {name for name in self._taken if not (self.output / name).exists()}
        if gone:
            there = self.store.names(PARTS)
            self.store.delete(name for name in gone if there.get(name) == self._taken[name])

    def put_dataset(self, tell: Tell) -> None:
        """Put tables of heads, labels, statistics, report and records, then the manifest; delete
        what is no longer among them.
        """
        tell(Doing(f"writing to {self.store.address}"))
        for folder in (HEADS, LABELS, STATISTICS, REPORT):
            names = [*files_of(self.output, folder)]
            for name in names:
                self.store.put(name, self.output / name)
            self.store.delete(self.store.names(folder).keys() - {*names})
        self.put_records()
        for name in (BAD_ROWS, MANIFEST):
            if (self.output / name).exists():
                self.store.put(name, self.output / name)
            else:
                self.store.delete([name])


def _is_no_ledger(name: str) -> bool:
    return not name.endswith(f"/{NAME}") and not name.startswith(TRIAL)


def fetch_ledger(store: ObjectStore, name: str, ours: Path) -> bool:
    """Fetch a ledger. Where this machine has one, too, one that goes on where the other ends
    replaces it; else the lines of this machine follow those of the store. Returns False, and
    nothing happens, if the store has none.
    """
    theirs = ours.with_name(f"{NAME}.stored")
    try:
        store.fetch(name, theirs)
    except FileNotFoundError:
        return False
    if not ours.exists() or _begins_with(theirs, ours):
        theirs.replace(ours)
    elif not _begins_with(ours, theirs):
        with theirs.open("ab") as file, ours.open("rb") as more:
            shutil.copyfileobj(more, file)
        theirs.replace(ours)
    theirs.unlink(missing_ok=True)
    return True


def _begins_with(path: Path, other: Path) -> bool:
    with path.open("rb") as file, other.open("rb") as begin:
        while piece := begin.read(PIECE_BYTES):
            if file.read(len(piece)) != piece:
                return False
    return True


def files_of(output: Path, folder: str) -> Iterator[str]:
    """Yield the files of a folder of a dataset by their paths in it; of the records of runs only
    those at the top: the others belong to this machine, or to parts.
    """
    if folder == STATE:
        names = sorted(path.name for path in (output / STATE).glob("[!.]*") if path.is_file())
        names = [name for name in names if name != LOCK]
    else:
        names = sorted(Walk(output / folder))
    yield from (f"{folder}/{name}" for name in names)
