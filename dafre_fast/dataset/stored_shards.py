"""Find the shards in an object store, in a process of its own.

obstore runs threads, which do not survive a fork, and a DataLoader may fork its workers from the
process that asks which shards there are.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

import msgspec

from dafre_fast.core.errors import DafreError, InputError
from dafre_fast.dataset.object_store import ObjectStore

_SUMS = "SHA256SUMS"
_THREADS = 16


def find_stored(address: str) -> dict[str, bytes]:
    """Return the counts of all shards in a folder of a finished pack in a store, as JSON, by the
    names of the archives. Raises InputError if the store cannot be read.
    """
    command = [sys.executable, "-m", __name__, address]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  (ourselves)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InputError(said or f"{address}: cannot be read")
    return msgspec.json.decode(done.stdout, type=dict[str, bytes])


def _find(address: str) -> dict[str, bytes]:
    pack, _, folder = address.rpartition("/")
    try:
        sums = ObjectStore(pack).read(_SUMS).decode()
    except FileNotFoundError as error:
        why = f"no finished pack is there: {pack}/{_SUMS} is missing"
        raise InputError(f"{address}: {why}") from error
    paths = (PurePosixPath(line.partition("  ")[2]) for line in sums.splitlines())
    names = [path.name for path in paths if path.parts == (folder, f"{path.stem}.tar")]
    store = ObjectStore(address)

    def counts(name: str) -> bytes:
        return store.read(f"{PurePosixPath(name).stem}_stats.json")

    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip(names, threads.map(counts, names), strict=True))


def main() -> int:
    """Write what `find_stored` returns, or one line on what is wrong."""
    try:
        found = _find(sys.argv[1])
    except (DafreError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
