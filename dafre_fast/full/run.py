"""Run the whole journey: heads, catalogue, labels, tags, originals, images, manifest, shards."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl
from msgspec.structs import replace

from dafre_fast.core.atomic import digest
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
    STATE,
)
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.fetching import Fetching, Keeping
from dafre_fast.core.settings.images import HEAD_CROP, Recipe
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.core.settings.tables import AnyTable, Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import Step, Summary, TagsSummary, Work
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import manifest_of_ledger, rows_of, write_manifest
from dafre_fast.dataset.outputs import columns_of
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.provenance import record_choice
from dafre_fast.dataset.spools import Spools
from dafre_fast.engine import parts
from dafre_fast.engine.apart import refuse_removing, refuse_source
from dafre_fast.engine.boxes import record_boxes
from dafre_fast.engine.inputs import open_metadata, open_originals, summarize
from dafre_fast.engine.observers import watching
from dafre_fast.engine.parts import Finishing, own_rows, sharing
from dafre_fast.engine.plan import ask_catalogue, buckets_of
from dafre_fast.engine.remaking import refuse_remaking
from dafre_fast.engine.rows import NO_TABLE, Rows, read_rows
from dafre_fast.engine.run import make_all
from dafre_fast.full.finding import Finding, discard_unlabelled, find, with_tables
from dafre_fast.full.settings import FullRun
from dafre_fast.full.storing import begin, put_records
from dafre_fast.heads.run import Within
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.stats.settings import Plotting
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows
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
    table: AnyTable = NO_TABLE,
) -> Summary:
    """The whole run: heads (if `finding`), catalogue, labels, tags, originals, images, manifest,
    and shards where images are to lie in those. `identity` stands for the fingerprint of a source
    that has another address in each run.
    """
    output, keep, part = run.output, keeping.keep_originals, part_of(running)
    begin(run, resume=running.resume, tell=tell)
    spools, found, making = spools_of(run, running), None, running
    if finding:
        within = Within(output, keep, identity)
        selection = splitting.complete(selection)
        found = find(finding, run, selection, fetching, recipe.bounds, running, tell, within)
        run, making = with_tables(run), replace(running, resume=True)  # it has begun anew by now
    inputs = (run.faces, run.tag_ids, table, run.source)
    rows = read_rows(*inputs, selection, recipe.outputs, tell, splitting)
    catalogue = rows.catalogue
    folders = {one: output / one.tree for one in rows.outputs(recipe.outputs)}
    asked = ask_catalogue(catalogue.kept, folders)
    refuse_read(run, keeping, () if spools else folders.values(), asked)
    refuse_remaking(output, asked, recipe, making)
    tell(Doing("reading metadata"))
    metadata = open_metadata(rows.source, fetching, own_rows(asked, running), selection)
    with sharing(output, running) as share:
        record_boxes(output, asked, resume=running.resume)
        bad_rows = _write_tables(rows, metadata, output, splitting, tell)
        tags = None
        if part is None or part.number == 1:  # tags are the same for all parts
            if run.tags:
                records, resume = fetching.metadata, running.resume
                tags = tag_tables(records, output, steps, plotting, tell, resume=resume)
            chosen = (selection, fetching.metadata, steps if tags else None, splitting)
            record_choice(output, rows.tables, rows.source, *chosen)
        with watching("images", tell) as watch:
            folder = output / ORIGINALS
            originals = open_originals(rows.source, folder, fetching, metadata, watch.tell)
            originals = rows.named(originals)
            originals = originals._replace(identity=identity or originals.identity, keep=keep)
            if found:
                discard_unlabelled(originals, asked, output)
            manifest, work = make_all(asked, originals, recipe, making, output, watch, spools)
        funnel = [*found.funnel, *catalogue.funnel[1:]] if found else catalogue.funnel
        shards = run.shard_size if spools else None
        crops = len(folders) == len(recipe.outputs)
        facts = Facts(MANIFEST, funnel, *bad_rows, shards, report=run.report, crops=crops)
        if share:
            summary = replace(bad_rows.added_to(summarize(manifest, work)), tags=tags)
            settings = _settings(run, rows.tables, selection, splitting, recipe)
            asked_for = rows_of(asked.lazy(), recipe.outputs).collect()
            share.record("full", settings, asked_for, facts, summary)
            return summary
        ends = (tags, running.workers, tell, lambda: put_records(run))
        return replace(_finish(output, manifest, work, facts, *ends), heads=found)


def refuse_read(run: FullRun, keeping: Keeping, trees: Iterable[Path], asked: pl.DataFrame) -> None:
    """Refuse outputs in the place of originals, and to remove originals that were not fetched.
    Raises UsageError.
    """
    if run.source is None:
        return
    refuse_source(run.source, run.output, trees, buckets_of(asked))
    if not keeping.keep_originals:
        refuse_removing(run.source, run.output / ORIGINALS)


def _settings(
    run: FullRun, tables: Sequence[Path], selection: Selection, splitting: Splitting, recipe: Recipe
) -> Mapping[str, object]:
    """Return what has to be the same in all parts: tables by their contents, and settings."""
    return {
        **{path.name: digest(path).sha256[:16] for path in tables},
        "selection": selection,
        "splitting": replace(splitting, splits=None),
        "recipe": recipe,
        "shard_size": run.shard_size if run.pack else None,
    }


class Facts(parts.Facts, frozen=True):
    """Facts of `full` about all images alike. `shard_size` is None if images are files."""

    shard_size: int | None = None
    report: bool = False
    crops: bool = True
    """False if no image was asked for a head crop: the manifest has no columns of it."""


def finish(output: Path, done: Finishing, tell: Tell = silent) -> Summary:
    """Write manifest and shards of parts that are merged; return the summary of the whole."""
    facts = msgspec.convert(done.plan.facts, Facts)
    recipe = msgspec.convert(done.plan.settings["recipe"], Recipe)
    manifest = manifest_of_ledger(output / STATE / LEDGER, done.rows, recipe.outputs)
    tags = msgspec.convert(done.summaries[0].get("tags"), TagsSummary | None)
    return _finish(output, manifest, done.work, facts, tags, None, tell)


def _finish(
    output: Path,
    manifest: pl.DataFrame,
    work: Work,
    facts: Facts,
    tags: TagsSummary | None,
    workers: int | None,
    tell: Tell,
    put: Callable[[], None] | None = None,
) -> Summary:
    """Write the manifest, and shards if images lie in those; return the summary of the whole. `put`
    is called before shards are written.
    """
    tell(Doing("writing the manifest"))
    if not facts.crops:
        manifest = manifest.drop(columns_of([HEAD_CROP]))
    write_manifest(manifest, output / MANIFEST)
    summary = summarize(manifest, work, [*facts.funnel, _made(manifest)])
    summary = replace(summary, tags=tags)
    if facts.shard_size and summary.success:
        if put:
            put()
        into_shards = PackRun(output=output, shard_size=facts.shard_size, workers=workers)
        summary = replace(summary, packed=pack(into_shards, tell, digests=False))
    return BadRows(facts.bad_rows, facts.bad_rows_list).added_to(summary)


def _write_tables(
    rows: Rows, metadata: Metadata, output: Path, splitting: Splitting, tell: Tell
) -> BadRows:
    """Write labels, if there are classes, their funnel, and the list of bad rows."""
    catalogue = rows.catalogue
    if rows.have_classes:
        tell(Doing("writing labels"))
        record_protocol(output / LABELS, splitting, tell)
        write_labels(catalogue.kept, output / LABELS)
    write_funnel(catalogue.funnel, output / LABELS / FUNNEL)
    return write_bad_rows(pl.concat([catalogue.bad_rows, metadata.bad_rows]), output / BAD_ROWS)


def spools_of(run: FullRun, running: Running) -> Spools | None:
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
    return Spools(output, run.shard_size, part_of(running)) if run.pack else None


def _made(manifest: pl.DataFrame) -> Step:
    made = manifest.filter(status=SUCCESS)
    return Step("made", made.height, made["class_id"].drop_nulls().n_unique())
