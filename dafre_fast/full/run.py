"""Run the whole journey: heads, catalogue, labels, tags, originals, images, manifest, shards."""

from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import (
    BAD_ROWS,
    FULL,
    FUNNEL,
    LABELS,
    MANIFEST,
    ORIGINALS,
    SHARDS,
)
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.fetching import Fetching, Keeping
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import Step, Summary
from dafre_fast.dataset.manifest import write_manifest
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.provenance import record_choice
from dafre_fast.dataset.spools import Spools
from dafre_fast.engine.apart import refuse_source
from dafre_fast.engine.inputs import open_metadata, open_originals, summarize, with_names
from dafre_fast.engine.observers import watching
from dafre_fast.engine.plan import ask_catalogue, buckets_of
from dafre_fast.engine.remaking import refuse_remaking
from dafre_fast.engine.run import make_all
from dafre_fast.full.finding import Finding, discard_unlabelled, find, with_tables
from dafre_fast.full.settings import FullRun
from dafre_fast.heads.run import Within
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.stats.settings import Plotting
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows
from dafre_fast.tables.catalogue import Catalogue, read_catalogue
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.labels import write_labels
from dafre_fast.tables.metadata import Metadata
from dafre_fast.tables.protocol import record_protocol
from dafre_fast.tags.within_full import tag_tables

KEEP = Keeping()


def full(
    run: FullRun,
    selection: Selection,
    splitting: Splitting,
    steps: TagSteps,
    plotting: Plotting,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
    identity: str | None = None,
    keeping: Keeping = KEEP,
    finding: Finding | None = None,
) -> Summary:
    """The whole run: heads (if `finding`), catalogue, labels, tags, originals, images, manifest,
    and shards where images are to lie in those. `identity` stands for the fingerprint of a source
    that has another address in each run.
    """
    output, keep = run.output, keeping.keep_originals
    selection = splitting.complete(selection)
    spools, found, making = _spools(run, running), None, running
    if finding:
        within = Within(output, keep, identity)
        found = find(finding, run, selection, fetching, recipe.bounds, running, tell, within)
        run, making = with_tables(run), replace(running, resume=True)  # it has begun anew by now
    assert run.faces
    assert run.source
    tell(Doing(f"reading {run.faces.name}"))
    catalogue = read_catalogue(run.faces, run.tag_ids, selection, splitting)
    folders = {one: output / one.tree for one in recipe.outputs}
    asked = ask_catalogue(catalogue.kept, folders)
    refuse_source(run.source, output, () if spools else folders.values(), buckets_of(asked))
    refuse_remaking(output, asked, recipe, making)
    tell(Doing("reading metadata"))
    metadata = open_metadata(run.source, fetching, asked, selection)
    bad_rows = _write_tables(catalogue, metadata, output, splitting, tell)
    tags = None
    if run.tags:
        tags = tag_tables(fetching.metadata, output, steps, plotting, tell, resume=running.resume)
    tables = [path for path in (run.faces, run.tag_ids) if path]
    made_with = steps if tags else None
    record_choice(output, tables, run.source, selection, fetching.metadata, made_with)
    with watching("images", tell) as watch:
        originals = open_originals(run.source, output / ORIGINALS, fetching, metadata, watch.tell)
        originals = with_names(originals, run.faces)
        originals = originals._replace(identity=identity or originals.identity, keep=keep)
        if found:
            discard_unlabelled(originals, asked, output)
        manifest, work = make_all(asked, originals, recipe, making, output, watch, spools)
    tell(Doing("writing the manifest"))
    write_manifest(manifest, output / MANIFEST)
    funnel = [*found.funnel, *catalogue.funnel[1:]] if found else catalogue.funnel
    summary = summarize(manifest, work, [*funnel, _made(manifest)])
    summary = replace(summary, tags=tags, heads=found)
    if spools and summary.success:
        into_shards = PackRun(output=output, shard_size=run.shard_size, workers=running.workers)
        summary = replace(summary, packed=pack(into_shards, tell, digests=False))
    return bad_rows.added_to(summary)


def _write_tables(
    catalogue: Catalogue, metadata: Metadata, output: Path, splitting: Splitting, tell: Tell
) -> BadRows:
    """Write labels, their funnel, and the list of bad rows."""
    tell(Doing("writing labels"))
    record_protocol(output / LABELS, splitting, tell)
    write_labels(catalogue.kept, output / LABELS)
    write_funnel(catalogue.funnel, output / LABELS / FUNNEL)
    return write_bad_rows(pl.concat([catalogue.bad_rows, metadata.bad_rows]), output / BAD_ROWS)


def _spools(run: FullRun, running: Running) -> Spools | None:
    """Return the spools of a run into shards, None for one into files.

    Raises UsageError if the images of earlier runs lie the other way.
    """
    output = run.output
    if run.pack and (output / FULL).exists():
        raise UsageError(f"{output / FULL}: images are files here; `pack` makes shards of them")
    if not run.pack and running.resume and lies_in_shards(output):
        raise UsageError(
            f"{output / SHARDS}: images lie in shards here; go on with --pack webdataset,"
            " or make files of all anew with --no-resume"
        )
    return Spools(output, run.shard_size) if run.pack else None


def _made(manifest: pl.DataFrame) -> Step:
    made = manifest.filter(status=SUCCESS)
    return Step("made", made.height, made["class_id"].n_unique())
