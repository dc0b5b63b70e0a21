"""The verification of a dataset in shards, its pictures aside: the files that hold them."""

import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import OutputError
from dafre_fast.core.findings import Finding, Flaw
from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.dataset.places import strike
from dafre_fast.pack.receipts import all_recorded, forget, recorded

_PARTS = re.compile(rf"{SHARDS}/(?P<shard>[a-z]+/[0-9]+)[._][^/]+(/(?P<image>[0-9]+)\..*)?")


def check_shards(dataset: Path, used: Container[str]) -> Iterator[Finding]:
    """What is off with archives, their indexes, tables and counts. In archives that are `used`
    (paths in the dataset) pictures lie, be they on record or not.
    """
    folder, expected = dataset / SHARDS, set[str]()
    for name in all_recorded(folder):
        shard = recorded(folder, name)
        for file, told in (shard.files if shard else {}).items():
            path = (folder / name).with_name(file)
            expected.add(where := str(path.relative_to(dataset)))
            try:
                found = digest(path)
            except OSError as error:
                missing = isinstance(error, FileNotFoundError)
                flaw = Flaw.MISSING if missing else Flaw.UNREADABLE
                yield Finding(flaw, where, str(error.strerror))
                continue
            if found.bytes != told.bytes:
                yield Finding(Flaw.WRONG_SIZE, where, f"{found.bytes}, recorded {told.bytes}")
            elif found != told:
                detail = f"SHA-256 {found.sha256[:12]}…, recorded {told.sha256[:12]}…"
                yield Finding(Flaw.WRONG_HASH, where, detail)
    for path in sorted(folder.glob("*/*")):
        where = str(path.relative_to(dataset))
        archive = f"{SHARDS}/{path.parent.name}/{re.split('[._]', path.name)[0]}.tar"
        if path.name.startswith(".") and path.name.endswith(".part"):
            yield Finding(Flaw.LEFTOVER, where)
        elif path.parent.name != STATE and where not in expected and archive not in used:
            yield Finding(Flaw.ORPHAN, where)


def remove_damaged(dataset: Path, findings: Sequence[Finding]) -> Iterator[str]:
    """Pictures and shards that are damaged stand no longer, so that the next run makes them anew
    and writes what they are in. Yields what that concerns. Raises OutputError.
    """
    images = dict[str, set[int]]()
    for finding in findings:
        found = _PARTS.fullmatch(finding.where)
        if found and finding.flaw.damage:
            struck = images.setdefault(found["shard"], set())
            if found["image"]:
                struck.add(int(found["image"]))
            yield finding.where
    for name, struck in images.items():
        try:
            forget(dataset / SHARDS, name)
        except OSError as error:
            raise OutputError(f"{error.filename}: {error.strerror}") from error
        strike(dataset / SHARDS / f"{name}.tar", struck)
