"""Have the table of a run on this machine: one at an address is fetched once."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from dafre_fast.core.events import Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.tables import AnyTable
from dafre_fast.engine import loops
from dafre_fast.sources.choose import TABLE
from dafre_fast.sources.one_file import fetch_file

__all__ = ["TABLE", "table_at_hand", "table_for_reading"]
_UNUSUAL, _MOST_LETTERS = re.compile(r"[^\w.-]", re.ASCII), 80
_FOLDER = f"{STATE}/tables"


def table_at_hand(
    table: AnyTable, output: Path, fetching: Fetching, tell: Tell, *, resume: bool
) -> AnyTable:
    """Return the settings of a table with its path on this machine. One at an address is kept in
    the records of `output`, and fetched again if the run begins anew.

    Raises UsageError for an address of no known kind, SourceError if it cannot be fetched.
    """
    folder = output / _FOLDER
    if not resume and folder.exists():
        for path in folder.iterdir():
            path.unlink()
    return _in(table, folder, fetching, tell)


@contextmanager
def table_for_reading(
    table: AnyTable, fetching: Fetching, tell: Tell = silent
) -> Iterator[AnyTable]:
    """Yield the settings of a table with its path on this machine, which may be gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield _in(table, Path(folder), fetching, tell)


def _in(table: AnyTable, folder: Path, fetching: Fetching, tell: Tell) -> AnyTable:
    if table.table is None:
        return table
    path = loops.run(fetch_file(table.table, folder, fetching, tell))
    if path.parent == folder:  # under a hash: messages are to name it as it is named there
        name = PurePosixPath(table.table.partition("?")[0]).name
        link = path.with_name(f"{path.name}-{_UNUSUAL.sub('_', name)[-_MOST_LETTERS:]}")
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        path = link
    return replace(table, table=str(path))
