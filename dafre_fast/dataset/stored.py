"""Datasets whose shards lie in an object store: records and tables on this machine, archives there.

The folder of shards then has a record of the store's address and of the archives in it. Whoever
reads a picture that is not on this machine reads those bytes out of the store.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from dafre_fast.core.addresses import store_address
from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import LABELS, MANIFEST, SHARDS, STATE
from dafre_fast.dataset.object_store import Kept, ObjectStore, etag_of, open_store

_NAME = "stored"
"""JSON. The records of parts, beside it, have the ending."""
_CONNECTIONS = 16


class Stored(Struct, frozen=True):
    """The address below which shards lie, and the sizes of archives in bytes by their names there,
    such as `train/00000.tar`.
    """

    address: str
    archives: Mapping[str, int]


def read_stored(shards: Path) -> Stored | None:
    """Return the record of a folder of shards, None if they lie in the folder itself. Raises
    InputError if it is damaged.
    """
    path = shards / STATE / _NAME
    try:
        return _decoded(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is damaged: {error}") from error


@lru_cache(maxsize=8)
def _decoded(path: Path, _changed: int) -> Stored:
    """Decode a record once and not for every picture."""
    return msgspec.json.decode(path.read_bytes(), type=Stored)


def record_stored(shards: Path, address: str) -> None:
    """Record which archives lie below an address, and fetch the tables and records of all shards
    there. Raises InputError if the store cannot be read, OutputError if the folder cannot be
    written.
    """
    store = ObjectStore(address)
    names = store.names()
    archives = {name: kept.bytes for name, kept in names.items() if name.endswith(".tar")}
    mirror(store, shards, lambda name: not name.endswith(".tar"))
    record_archives(shards, address, archives)


def record_archives(shards: Path, address: str, archives: Mapping[str, int]) -> None:
    """Record that these archives, with their sizes in bytes, lie below an address. Raises
    OutputError.
    """
    with replacing(shards / STATE / _NAME) as part:
        part.write_bytes(msgspec.json.encode(Stored(address, archives)))


@contextmanager
def at_hand(dataset: Path) -> Iterator[Path]:
    """Yield a folder with the records and tables of a dataset: its own, or, for the address of a
    store, a temporary one. Raises InputError if the store cannot be read.
    """
    address = store_address(dataset)
    if address is None:
        yield dataset
        return
    with TemporaryDirectory(prefix="dafre_fast-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        mirror(ObjectStore(address), folder, _is_record)
        if (folder / SHARDS).exists():
            record_stored(folder / SHARDS, f"{address}/{SHARDS}")
        yield folder


def _is_record(name: str) -> bool:
    """Return True for what is needed to know a dataset, and is no archive."""
    first = name.partition("/")[0]
    return first in {MANIFEST, LABELS, STATE} or (
        name.startswith(f"{SHARDS}/") and not name.endswith(".tar")
    )


def look_at(store: ObjectStore, names: Sequence[str]) -> dict[str, Kept]:
    """Return those of some objects that are there."""

    def look(name: str) -> Kept | None:
        with suppress(FileNotFoundError):
            return store.look(name)
        return None

    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        found = zip(names, threads.map(look, names), strict=True)
        return {name: kept for name, kept in found if kept}


def mirror(
    store: ObjectStore, folder: Path, wanted: Callable[[str], bool], below: str = ""
) -> list[str]:
    """Fetch the wanted objects of a store, or of a folder in it, that are not the same in a folder
    of this machine; return their names. One that is deleted meanwhile is left out.
    """
    kept = store.names(below)
    names = [name for name in kept if wanted(name)]

    def fetch(name: str) -> None:
        with suppress(OSError):
            if etag_of(folder / name) == kept[name].etag:
                return
        with suppress(FileNotFoundError):
            store.fetch(name, folder / name)

    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        for _ in threads.map(fetch, names):
            pass
    return names


def read_at(dataset: Path, file: str, offset: int, size: int | None) -> bytes:
    """Return bytes of a file of a dataset, or of an archive of it that lies in a store; `size`
    None: all from `offset` on. Raises OSError, and InputError if the store cannot be read.
    """
    try:
        with (dataset / file).open("rb") as opened:
            opened.seek(offset)
            return opened.read(-1 if size is None else size)
    except FileNotFoundError:
        stored = read_stored(dataset / SHARDS)
        if size is None or stored is None or size_in_store(dataset, file) is None:
            raise
        name = file.removeprefix(f"{SHARDS}/")
        return open_store(stored.address).read_spans(name, [(offset, size)])[0]


def archives_of(dataset: Path) -> dict[str, int]:
    """Return the sizes in bytes of archives that lie in a store, by their paths in the dataset."""
    stored = read_stored(dataset / SHARDS)
    return {f"{SHARDS}/{name}": size for name, size in stored.archives.items()} if stored else {}


def size_in_store(dataset: Path, file: str) -> int | None:
    """Return the size in bytes of an archive that lies in a store, None for any other file."""
    stored = read_stored(dataset / SHARDS)
    return stored.archives.get(file.removeprefix(f"{SHARDS}/")) if stored else None
