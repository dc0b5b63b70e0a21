"""Read the rows of a run: those of faces.tsv, or of a table of addresses (`--table`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Notice, Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Output
from dafre_fast.core.settings.tables import AnyTable, Selection, Splitting
from dafre_fast.dataset.manifest import reserved_names
from dafre_fast.engine.inputs import with_names
from dafre_fast.engine.originals import Originals
from dafre_fast.sources.choose import TABLE
from dafre_fast.tables.bad_rows import table_name
from dafre_fast.tables.catalogue import BY_SHARES, Catalogue, read_catalogue
from dafre_fast.tables.listed import Listed, read_listed
from dafre_fast.tables.unreadable import reading


class Rows(NamedTuple):
    """The rows of a run: its catalogue, the tables that it is from, and the source of originals."""

    catalogue: Catalogue
    tables: Sequence[Path]
    source: str
    listed: Listed | None = None
    """Columns and facts that only a table of addresses has."""

    @property
    def have_classes(self) -> bool:
        """False for a table of addresses without classes: it has no labels."""
        return self.listed is None or self.listed.has_classes

    def outputs(self, outputs: Sequence[Output]) -> list[Output]:
        """Return those of these outputs that can be made: without boxes, none that shows a head."""
        boxes = self.listed is None or self.listed.has_boxes
        return [output for output in outputs if boxes or not output.needs_box]

    def named(self, originals: Originals) -> Originals:
        """Add the names or addresses that tables have for originals."""
        if self.listed is None:
            return with_names(originals, self.tables[0])
        rows = self.listed.originals
        fetched = rows["name"].str.contains("://", literal=True).any()
        return originals._replace(
            known=rows.lazy().select("key", "extension", "md5", known_bytes=pl.lit(None, pl.Int64)),
            names=rows.lazy().select("key", "name"),
            folder=originals.folder if fetched else None,
        )


def read_faces_rows(
    faces: Path,
    tag_ids: Path | None,
    source: str,
    selection: Selection,
    splitting: Splitting = BY_SHARES,
) -> Rows:
    """Read faces.tsv and tagIds.tsv. Raises as `read_catalogue` does."""
    catalogue = read_catalogue(faces, tag_ids, selection, splitting)
    return Rows(catalogue, [path for path in (faces, tag_ids) if path], source)


def read_listed_rows(
    table: AnyTable,
    base: str | None,
    selection: Selection,
    outputs: Sequence[Output],
    tell: Tell,
    splitting: Splitting = BY_SHARES,
) -> Rows:
    """Read a table of addresses on this machine; relative ones are joined to `base`. Raises as
    `read_listed` does.
    """
    path = Path(table.table or "").expanduser()
    with reading(path):
        sha256 = digest(path).sha256
    selection = replace(selection, min_images=selection.min_images or 1)
    taken = reserved_names(outputs)
    if base and "://" not in base:
        base = str(Path(base).expanduser())
    listed = read_listed(path, table, selection, splitting, taken, base)
    if listed.left_out:
        names = ", ".join(listed.left_out)
        tell(Notice(f"{table_name(path)}: left out {names}: a manifest holds no bytes"))
    source = " ".join(filter(None, (f"{TABLE}{sha256[:16]}", base)))
    return Rows(listed.catalogue, [path], source, listed)


_ALL, NO_TABLE = Selection(), AnyTable()


def read_rows(
    faces: Path | None,
    tag_ids: Path | None,
    table: AnyTable,
    source: str | None,
    selection: Selection,
    outputs: Sequence[Output],
    tell: Tell,
    splitting: Splitting = BY_SHARES,
) -> Rows:
    """Read a table of addresses, if there is one, else faces.tsv and tagIds.tsv. Raises as
    `read_listed_rows` and `read_faces_rows` do.
    """
    if table.table:
        tell(Doing(f"reading {Path(table.table).name}"))
        return read_listed_rows(table, source, selection, outputs, tell, splitting)
    assert faces
    assert source
    tell(Doing(f"reading {faces.name}"))
    return read_faces_rows(faces, tag_ids, source, splitting.complete(selection), splitting)


def refuse_beside_table(
    table: AnyTable,
    faces: Path | None,
    selection: Selection,
    fetching: Fetching,
    splitting: Splitting = BY_SHARES,
) -> None:
    """Refuse settings that do not go with a table of addresses, and those of such a table without
    one. Raises UsageError.
    """
    if table.table is None:
        if table != NO_TABLE:
            raise UsageError("--url-column and other columns belong to --table, which is not given")
        return
    if faces:
        raise UsageError("--table stands in place of --faces: give one of both")
    if fetching.metadata:
        raise UsageError("--metadata goes with --faces; a --table has --md5-column")
    if selection.min_confidence != _ALL.min_confidence:
        raise UsageError("--min-confidence is for --faces; a --table has no confidence")
    if splitting.splits:
        raise UsageError("--splits goes with --faces; a --table has --split-column")
