"""Run `labels`. It imports nothing but tables, so that it starts without decoders and network."""

from pathlib import Path

from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, FUNNEL
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.summaries import Summary
from dafre_fast.tables.bad_rows import write_bad_rows
from dafre_fast.tables.catalogue import BY_SHARES, read_catalogue
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.labels import write_labels
from dafre_fast.tables.protocol import record_protocol


def labels(
    faces: Path,
    tag_ids: Path,
    output: Path,
    selection: Selection,
    splitting: Splitting = BY_SHARES,
    tell: Tell = silent,
) -> Summary:
    """Write train.csv, val.csv, test.csv, classid_classname.csv, the funnel and the bad rows.

    Raises InputError if a table cannot be read or no row is left, OutputError if the folder cannot
    be written.
    """
    tell(Doing(f"reading {faces.name}"))
    catalogue = read_catalogue(faces, tag_ids, selection, splitting)
    tell(Doing("writing labels"))
    record_protocol(output, splitting, tell)
    write_labels(catalogue.kept, output)
    write_funnel(catalogue.funnel, output / FUNNEL)
    bad_rows = write_bad_rows(catalogue.bad_rows, output / BAD_ROWS)
    images = catalogue.kept.height
    return bad_rows.added_to(Summary(images, images, {}, None, catalogue.funnel))
