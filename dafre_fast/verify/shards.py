"""Verify the shards that a dataset lies in: archives, indexes, tables and counts."""

import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import OutputError
from dafre_fast.core.findings import Finding, Flaw
from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.dataset.places import delete
from dafre_fast.pack.receipts import all_recorded, forget, recorded

_PARTS = re.compile(rf"{SHARDS}/(?P<shard>[a-z]+/[0-9]+)[._][^/]+(/(?P<image>[0-9]+)\..*)?")


def check_shards(dataset: Path, used: Container[str]) -> Iterator[Finding]:
    """Find what is wrong with archives, their indexes, tables and counts. Archives in `used` (paths
    in the dataset) hold pictures of the dataset and are no orphans, even if they are not recorded.
    """
    folder, expected = dataset / SHARDS, set[str]()
    for name in all_recorded(folder):
        shard = recorded(folder, name)
        for file, expected_file in (shard.files if shard else {}).items():
            path = (folder / name).with_name(file)
            expected.add(where := str(path.relative_to(dataset)))
            try:
                found = digest(path)
            except OSError as error:
                missing = isinstance(error, FileNotFoundError)
                flaw = Flaw.MISSING if missing else Flaw.UNREADABLE
                yield Finding(flaw, where, str(error.strerror))
                continue
            if found.bytes != expected_file.bytes:
                detail = f"{found.bytes}, recorded {expected_file.bytes}"
                yield Finding(Flaw.WRONG_SIZE, where, detail)
            elif found != expected_file:
                detail = f"SHA-256 {found.sha256[:12]}…, recorded {expected_file.sha256[:12]}…"
                yield Finding(Flaw.WRONG_HASH, where, detail)
    for path in sorted(folder.glob("*/*")):
        where = str(path.relative_to(dataset))
        archive = f"{SHARDS}/{path.parent.name}/{re.split('[._]', path.name)[0]}.tar"
        if path.name.startswith(".") and path.name.endswith(".part"):
            yield Finding(Flaw.LEFTOVER, where)
        elif path.parent.name != STATE and where not in expected and archive not in used:
            yield Finding(Flaw.ORPHAN, where)


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
