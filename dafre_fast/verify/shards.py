"""Verify the shards that a dataset lies in: archives, indexes, tables and counts."""

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dafre_fast.core.atomic import File, digest
from dafre_fast.core.errors import OutputError
from dafre_fast.core.findings import Finding, Flaw
from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.dataset.places import delete
from dafre_fast.dataset.stored import read_stored
from dafre_fast.pack.receipts import all_recorded, forget, recorded
from dafre_fast.pack.target import SUMS

_THREADS = 8
_PARTS = re.compile(rf"{SHARDS}/(?P<shard>[a-z]+/[0-9]+)[._][^/]+(/(?P<image>[0-9]+)\..*)?")


def check_shards(dataset: Path, used: Container[str]) -> Iterator[Finding]:
    """Find what is wrong with archives, their indexes, tables and counts. Archives in `used` (paths
    in the dataset) hold pictures of the dataset and are no orphans, even if they are not recorded.

    Raises InputError if shards lie in an object store that cannot be read.
    """
    folder = dataset / SHARDS
    stored = read_stored(folder)
    files = {
        str(Path(name).with_name(file)): expected
        for name in all_recorded(folder)
        if (shard := recorded(folder, name))
        for file, expected in shard.files.items()
    }
    if stored:
        store = ObjectStore(stored.address)
        yield from _compare(files, store.digest, _THREADS)
        there = sorted(store.names())
        if SUMS not in there:
            detail = "the pack is not finished: run `full` or `pack` again"
            yield Finding(Flaw.MISSING, f"{SHARDS}/{SUMS}", detail)
    else:
        yield from _compare(files, lambda name: digest(folder / name), 1)
        there = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))
    for name in there:
        path = Path(name)
        archive = f"{SHARDS}/{path.parent}/{re.split('[._]', path.name)[0]}.tar"
        if path.name.startswith(".") and path.name.endswith(".part"):
            yield Finding(Flaw.LEFTOVER, f"{SHARDS}/{name}")
        elif _is_of_shards(name) and name not in files and archive not in used:
            yield Finding(Flaw.ORPHAN, f"{SHARDS}/{name}")


def _is_of_shards(name: str) -> bool:
    """Return True for the files of shards: all in folders but records of runs."""
    return "/" in name and not name.startswith(f"{STATE}/")


def _compare(
    files: Mapping[str, File], look: Callable[[str], File], threads: int
) -> Iterator[Finding]:
    """Compare files, by their paths in the folder of shards, with what `look` finds there."""
    with ThreadPoolExecutor(threads) as pool:
        findings = pool.map(lambda name: _flaw(look, name, files[name]), files)
        yield from (finding for finding in findings if finding)


def _flaw(look: Callable[[str], File], name: str, expected: File) -> Finding | None:
    where = f"{SHARDS}/{name}"
    try:
        found = look(name)
    except FileNotFoundError as error:
        return Finding(Flaw.MISSING, where, str(error.strerror or ""))
    except OSError as error:
        return Finding(Flaw.UNREADABLE, where, str(error.strerror))
    if found.bytes != expected.bytes:
        detail = f"{found.bytes}, recorded {expected.bytes}"
        return Finding(Flaw.WRONG_SIZE, where, detail)
    if found != expected:
        detail = f"SHA-256 {found.sha256[:12]}…, recorded {expected.sha256[:12]}…"
        return Finding(Flaw.WRONG_HASH, where, detail)
    return None


def remove_damaged(dataset: Path, findings: Sequence[Finding]) -> Iterator[str]:
    """Delete the records of damaged pictures and shards, so that the next run makes these pictures
    again and rewrites their shards. Yields the names of what was deleted. Raises OutputError.
    """
    images = dict[str, set[int]]()
    for finding in findings:
        found = _PARTS.fullmatch(finding.where)
        if found and finding.flaw.damage:
            deleted = images.setdefault(found["shard"], set())
            if found["image"]:
                deleted.add(int(found["image"]))
            yield finding.where
    for name, deleted in images.items():
        try:
            forget(dataset / SHARDS, name)
        except OSError as error:
            raise OutputError(f"{error.filename}: {error.strerror}") from error
        delete(dataset / SHARDS / f"{name}.tar", deleted)
