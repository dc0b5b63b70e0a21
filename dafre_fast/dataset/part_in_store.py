"""A part of a dataset that lies in an object store, made on a machine that shares no disk.

It is a small dataset in a folder of its own, that of the part (`dataset.parts`): tables of all
images, and ledger, spools and shards of its own. Parts are cut at the borders of shards
(`dataset.shard_order.of_part`), so that a shard is put once, where it stays. Its records go into
the store under the names that they have in a folder with parts, from which they are merged.

A store has no locks. Two machines that make the same part write the same bytes; a merge compares
each shard with the ledger, and names the part of one that is not as recorded.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import polars as pl
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Tell
from dafre_fast.core.layout import BAD_ROWS, BOXES, LABELS, SHARDS, STATE, STATISTICS
from dafre_fast.core.parts import Part
from dafre_fast.dataset.in_store import fetch_ledger, files_of
from dafre_fast.dataset.ledger import NAME, last_lines
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.dataset.parts import (
    DONE,
    FOLDER,
    done,
    holding,
    part_named,
    rows_of,
    state_folder,
)
from dafre_fast.dataset.provenance import CHOICE
from dafre_fast.dataset.provenance import NAME as MAKINGS
from dafre_fast.dataset.shard_order import Numbers, names_of
from dafre_fast.dataset.stored import read_stored, record_archives
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_THREADS = 16


class PartInStore:
    """A part on its way between its folder and a store; `output` is that of all parts.

    Methods raise InputError if the store cannot be read, OutputError if it or the folder cannot be
    written.
    """

    def __init__(self, address: str, output: Path, part: Part) -> None:
        self.store, self.output, self.part = ObjectStore(address), output, part
        self.folder = state_folder(output, part)
        """The folder of the small dataset."""
        self._place = f"{FOLDER}/{part.folder}"

    @contextmanager
    def begun(self, *, resume: bool) -> Iterator[None]:
        """Be the only one at this part on this machine, and take back that it is finished.

        Raises UsageError if it is at work here, or parts of another number are not merged.
        """
        with holding(self.output, self.part):
            self._refuse_others()
            if read_stored(self.output / SHARDS) is None:
                record_archives(self.output / SHARDS, f"{self.store.address}/{SHARDS}", {})
            self.store.delete([f"{self._place}/{DONE}"])
            (self.folder / DONE).unlink(missing_ok=True)
            if not resume:
                self._put(NAME, b"")
                shutil.rmtree(self.folder / STATE, ignore_errors=True)
            yield

    def _refuse_others(self) -> None:
        """Refuse a part beside parts of another number, unless those are merged; forget these."""
        found = filter(None, map(part_named, self.store.folders(FOLDER)))
        for other in sorted(part for part in found if part.of != self.part.of):
            names = self.store.names(f"{FOLDER}/{other.folder}")
            if any(name.endswith(f"/{NAME}") for name in names):
                raise UsageError(
                    f"--part {self.part}: {self.store.address} has part {other}, which is not"
                    f" merged; go on with parts of {other.of}, or run the command once without"
                    " --part, which takes them over"
                )
            self.store.delete(names)

    def fetch(self, keys: Iterable[str], numbers: Numbers, tell: Tell, *, resume: bool) -> None:
        """Fetch what this part has done, or else what a run of the whole has done of it, if that is
        to be resumed. `keys` are those of its images, `numbers` those of its shards.
        """
        tell(Doing(f"reading {self.store.address}"))
        if resume:
            state, own = self.folder / STATE, self._place
            self._fetch_first(state / MAKINGS, f"{own}/{MAKINGS}", f"{STATE}/{MAKINGS}")
            if fetch_ledger(self.store, f"{own}/{NAME}", state / NAME):
                self._fetch_first(state / BOXES, f"{own}/{BOXES}")
            else:  # it is merged, or was never begun
                self._begin_with_whole(state, [*keys])
        self._fetch_shards(numbers)
        self.put_records()

    def _fetch_first(self, path: Path, *names: str) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                self.store.fetch(name, path)
                return

    def _begin_with_whole(self, state: Path, keys: Sequence[str]) -> None:
        """Take over the outcomes and the boxes that a run of the whole has of these images."""
        for name in (NAME, BOXES):
            (state / name).unlink(missing_ok=True)
        ledger, boxes = (self.folder / f"whole-{name}" for name in (NAME, BOXES))
        with suppress(FileNotFoundError):
            self.store.fetch(f"{STATE}/{NAME}", ledger)
            with replacing(state / NAME) as part, part.open("wb") as file:
                file.writelines(last_lines(ledger, keys))
            ledger.unlink()
            self.store.fetch(f"{STATE}/{BOXES}", boxes)
            with reading(boxes):
                known = pl.read_parquet(boxes, glob=False)
            write_parquet(known.filter(pl.col("key").is_in(keys)), state / BOXES)
            boxes.unlink()

    def _fetch_shards(self, numbers: Numbers) -> None:
        """Fetch the tables of the shards of this part that are there as they were recorded."""
        shards, address = self.folder / SHARDS, f"{self.store.address}/{SHARDS}"
        shutil.rmtree(shards, ignore_errors=True)
        store, archives = ObjectStore(address), dict[str, int]()
        names = names_of(numbers)

        def fetch(name: str) -> None:
            record, archive = f"{STATE}/{name}.json", f"{name}.tar"
            with suppress(FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
                store.fetch(record, shards / record)
                kept = store.look(archive)
                etags = msgspec.json.decode((shards / record).read_bytes(), type=_Record).etags
                if etags.get(Path(archive).name) == kept.etag:
                    store.fetch(f"{name}.parquet", shards / f"{name}.parquet")
                    archives[archive] = kept.bytes

        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(fetch, names):
                pass
        record_archives(shards, address, archives)

    def put_records(self) -> None:
        """Put ledger and settings of the part."""
        for name in (MAKINGS, BOXES, NAME):
            path = self.folder / STATE / name
            if path.exists() or name == NAME:  # which says that the part has begun
                self._put(name, path if path.exists() else b"")

    def put(self, tell: Tell) -> None:
        """Put the tables of the whole, the records of the part, and last that it is finished."""
        tell(Doing(f"writing to {self.store.address}"))
        tables = [*files_of(self.folder, LABELS), *files_of(self.folder, STATISTICS)]
        for name in (*tables, f"{STATE}/{CHOICE}", BAD_ROWS):
            if (self.folder / name).exists():
                self.store.put(name, self.folder / name)
        if record := done(self.output, self.part):
            rows = f"{FOLDER}/{rows_of(record.plan)}"
            self.store.put(rows, self.output / rows)
        self.put_records()
        self._put(DONE, self.folder / DONE)

    def _put(self, name: str, data: Path | bytes) -> None:
        self.store.put(f"{self._place}/{name}", data)


class _Record(Struct):
    """The objects that the record of a shard (`pack.records.Shard`) names."""

    etags: Mapping[str, str] = {}
