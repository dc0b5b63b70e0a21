"""Say what a run of `full` would do (`--dry-run`): read tables, look at what stands, make nothing.

With probes, a few originals are fetched into a temporary folder, made and thrown away.
"""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl

from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import ORIGINALS
from dafre_fast.core.settings.fetching import Fetching, Keeping
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Dividing
from dafre_fast.core.settings.tables import AnyTable, Selection, Splitting
from dafre_fast.core.summaries import Basis, Place, Probes, Rehearsal
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.engine.inputs import open_metadata, open_originals
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.parts import own_rows
from dafre_fast.engine.plan import ask_catalogue
from dafre_fast.engine.probing import PROBES, guess_seconds, probe
from dafre_fast.engine.remaking import refuse_remaking
from dafre_fast.engine.rows import NO_TABLE, Rows, read_rows
from dafre_fast.engine.simulate import Standing, simulate_making
from dafre_fast.full.run import refuse_read, spools_of
from dafre_fast.full.settings import FullRun
from dafre_fast.tables.bad_rows import summed_up
from dafre_fast.tables.metadata import Metadata

_USUAL_BYTES = {"jpg": 0.4, "webp": 0.3, "png": 1.5}
"""Bytes per pixel in each format, about; those with a quality at 90."""


def rehearse(
    run: FullRun,
    selection: Selection,
    splitting: Splitting,
    fetching: Fetching,
    recipe: Recipe,
    running: Dividing,
    keeping: Keeping,
    tell: Tell = silent,
    table: AnyTable = NO_TABLE,
) -> Rehearsal:
    """Return what `full` would do now with the same settings; nothing is written.

    Raises UsageError, InputError or SourceError as `full` does before it makes anything.
    """
    output, spools = run.output, spools_of(run, run.output, running)
    inputs = (run.faces, run.tag_ids, table, run.source)
    rows = read_rows(*inputs, selection, recipe.outputs, tell, splitting)
    catalogue = rows.catalogue
    folders = {one: output / one.tree for one in rows.outputs(recipe.outputs)}
    asked = own_rows(ask_catalogue(catalogue.kept, folders), running)
    refuse_read(run, output, keeping, () if spools else folders.values(), asked)
    refuse_remaking(output, asked, recipe, running)
    tell(Doing("reading metadata"))
    metadata = open_metadata(rows.source, fetching, asked, selection)
    open_in = partial(_open, rows, fetching, metadata)
    originals = open_in(output / ORIGINALS)
    tell(Doing("looking at what is there"))
    standing, found = simulate_making(asked, originals, recipe, running, output, spools)
    probes = None
    if run.probe and standing.left.height:
        tell(Doing(f"trying {min(PROBES, standing.left.height)} originals"))
        probes = probe(standing.left, open_in, recipe)
    size_of_outputs, basis = _size_of_outputs(standing, asked, recipe, probes)
    needed = size_of_outputs * standing.left.height
    if originals.folder and keeping.keep_originals:
        needed += _bytes_to_fetch(found.places, probes)
    return Rehearsal(
        images=asked.height,
        made=asked.height - standing.left.height - standing.refused,
        refused=standing.refused,
        originals=found,
        needed_bytes=round(needed),
        needed_by=basis,
        free_bytes=_free(output),
        funnel=catalogue.funnel,
        probes=probes,
        seconds=guess_seconds(probes, found, fetching, running) if probes else None,
        bad_rows=summed_up(pl.concat([catalogue.bad_rows, metadata.bad_rows])),
    )


def _open(rows: Rows, fetching: Fetching, metadata: Metadata, folder: Path) -> Originals:
    return rows.named(open_originals(rows.source, folder, fetching, metadata, silent))


def _size_of_outputs(
    standing: Standing, asked: pl.DataFrame, recipe: Recipe, probes: Probes | None
) -> tuple[float, Basis]:
    """Return the bytes of the outputs of one image, about, and what says so."""
    sizes = [pl.col(f"{prefix_of(one.name)}bytes").fill_null(0) for one in recipe.outputs]
    made = standing.made.filter(pl.col("reason").is_null()).join(asked.lazy(), on="key", how="semi")
    mean = made.select(pl.sum_horizontal(sizes).mean()).collect().item()
    if mean:
        return mean, Basis.MADE
    if probes and probes.output_bytes:
        return probes.output_bytes, Basis.PROBES
    pixels = len(recipe.outputs) * recipe.full.size**2
    return pixels * _USUAL_BYTES[recipe.encoding.encode_format], Basis.USUAL


def _bytes_to_fetch(places: Sequence[Place], probes: Probes | None) -> float:
    unknown = probes.original_bytes if probes else 0
    return sum(place.bytes + place.unknown * unknown for place in places)


def _free(folder: Path) -> int:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
