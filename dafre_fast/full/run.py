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
from dafre_fast.core.summaries import HeadsSummary, Packed, Step, Summary, TagsSummary, Work
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import manifest_of_ledger, rows_of, write_manifest
from dafre_fast.dataset.outputs import columns_of
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.provenance import record_choice
from dafre_fast.dataset.shard_order import Numbers, of_part
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
from dafre_fast.full.storing import Place, placed
from dafre_fast.heads.run import Within, read_merged
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
) -> Summary | HeadsSummary:
    """The whole run: heads (if `finding`), catalogue, labels, tags, originals, images, manifest,
    and shards where images are to lie in those. `identity` stands for the fingerprint of a source
    that has another address in each run.

    A part finds its heads first, and returns their summary: tables follow from the heads of all.
    When all parts are merged, it goes on with the images.
    """
    if not table.table:
        selection = splitting.complete(selection)
    rules = (selection, splitting, steps, plotting, fetching, recipe, running)
    with placed(run, running, tell) as place:
        return _full(run, *rules, tell, identity, keeping, finding, table, place)


def _full(
    run: FullRun,
    selection: Selection,
    splitting: Splitting,
    steps: TagSteps,
    plotting: Plotting,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
    tell: Tell,
    identity: str | None,
    keeping: Keeping,
    finding: Finding | None,
    table: AnyTable,
    place: Place,
) -> Summary | HeadsSummary:
    output, part, making = place.folder, part_of(running), place.running
    spools, found = spools_of(run, output, making), None
    if finding:
        within = Within(output, keeping.keep_originals, identity)
        rules = (selection, fetching, recipe.bounds, running)
        found, whole = find(finding, run, *rules, tell, within)
        if not whole:
            return found
        run, making = with_tables(run), replace(making, resume=True)  # it has begun anew by now
    inputs = (run.faces, run.tag_ids, table, run.source)
    rows = read_rows(*inputs, selection, recipe.outputs, tell, splitting)
    folders = {one: output / one.tree for one in rows.outputs(recipe.outputs)}
    crops = len(folders) == len(recipe.outputs)
    asked = ask_catalogue(rows.catalogue.kept, folders)
    refuse_read(run, output, keeping, () if spools else folders.values(), asked)
    own, numbers = _own_shards(asked, run, place, tell)
    refuse_remaking(output, own, recipe, making)
    tell(Doing("reading metadata"))
    metadata = open_metadata(rows.source, fetching, own_rows(own, making), selection)
    with sharing(run.output, running) as share:
        record_boxes(output, own, resume=running.resume)
        bad_rows, tags = _write_tables(rows, asked, metadata, output, splitting, tell), None
        if part is None or part.number == 1 or place.part:  # tags are the same for all parts
            plotting = replace(plotting, title=plotting.title or run.output.absolute().name)
            tagging = (fetching.metadata, output, steps, plotting, tell)
            tags = tag_tables(*tagging, resume=running.resume) if run.tags else None
            chosen = (selection, fetching.metadata, steps if tags else None, splitting)
            record_choice(output, rows.tables, rows.source, *chosen)
        with watching("images", tell) as watch:
            sought = (rows.source, run.output / ORIGINALS, fetching, metadata)
            originals = rows.named(open_originals(*sought, watch.tell))
            originals = originals._replace(
                identity=identity or originals.identity, keep=keeping.keep_originals
            )
            if found:
                discard_unlabelled(originals, asked, output)
            manifest, work = make_all(
                own, originals, recipe, making, output, watch, spools, asked.height
            )
        funnel = [*found.funnel, *rows.catalogue.funnel[1:]] if found else rows.catalogue.funnel
        shards = run.shard_size if spools else None
        stored_as = run.output.resolve().name if place.part else None
        facts = Facts(
            MANIFEST, funnel, *bad_rows, shards, run.report, stored_as, bool(found), crops=crops
        )
        if share:
            packed = _put_shards(run, place, _without_crops(manifest, crops), numbers, tell)
            summary = replace(summarize(manifest, work), tags=tags, packed=packed)
            summary = bad_rows.added_to(summary)
            settings = _settings(run, rows.tables, selection, splitting, recipe)
            all_rows = rows_of(asked.lazy(), recipe.outputs).collect()
            share.record("full", settings, all_rows, facts, summary)
            if place.part:
                place.part.put(tell)
            return summary
        put = place.whole.put_records if place.whole else None
        ends = (tags, running.workers, tell, put)
        return replace(_finish(output, manifest, work, facts, *ends), heads=found)


def refuse_read(
    run: FullRun, output: Path, keeping: Keeping, trees: Iterable[Path], asked: pl.DataFrame
) -> None:
    """Refuse outputs in the place of originals, and to remove originals that were not fetched.
    Raises UsageError.
    """
    if run.source is None:
        return
    refuse_source(run.source, output, trees, buckets_of(asked))
    if not keeping.keep_originals:
        refuse_removing(run.source, run.output / ORIGINALS)


def _own_shards(
    asked: pl.DataFrame, run: FullRun, place: Place, tell: Tell
) -> tuple[pl.DataFrame, Numbers | None]:
    """Return the rows of the shards of a part in a store, whose records are fetched, and the
    numbers of these shards; for any other run all rows, and None.
    """
    if place.part is None:
        return asked, None
    own, numbers = of_part(asked, run.shard_size, place.part.part)
    place.part.fetch(own["key"], numbers, tell, resume=place.running.resume)
    return own, numbers


def _put_shards(
    run: FullRun, place: Place, manifest: pl.DataFrame, numbers: Numbers | None, tell: Tell
) -> Packed | None:
    """Put the shards of a part into its store, and before them its ledger."""
    if place.part is None:
        return None
    place.part.put_records()
    if manifest.is_empty():
        return None
    write_manifest(manifest, place.folder / MANIFEST)
    workers = place.running.workers
    shards = PackRun(output=place.folder, shard_size=run.shard_size, workers=workers)
    return pack(shards, tell, digests=False, numbers=numbers)


def _without_crops(manifest: pl.DataFrame, crops: bool) -> pl.DataFrame:
    """Return a manifest without the columns of head crops, unless there are `crops`."""
    return manifest if crops else manifest.drop(columns_of([HEAD_CROP]))


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
    """Facts of `full` about all images alike. `shard_size` is None if images are files; `in_store`
    is the name of the folder if the parts have put their shards into a store; `found`: a detector
    found the heads.
    """

    shard_size: int | None = None
    report: bool = False
    in_store: str | None = None
    found: bool = False
    crops: bool = True
    """False if no image was asked for a head crop: the manifest has no columns of it."""


def finish(output: Path, done: Finishing, tell: Tell = silent) -> Summary:
    """Write manifest and shards of parts that are merged; return the summary of the whole."""
    facts = msgspec.convert(done.plan.facts, Facts)
    recipe = msgspec.convert(done.plan.settings["recipe"], Recipe)
    if facts.in_store:  # each part has recorded its own
        record_boxes(output, done.rows, resume=False)
    manifest = manifest_of_ledger(output / STATE / LEDGER, done.rows, recipe.outputs)
    told = done.summaries[0].get("tags")
    tags = msgspec.convert(told, TagsSummary | None, str_keys=True)
    made_in = len(done.summaries) if facts.in_store else None
    summary = _finish(output, manifest, done.work, facts, tags, None, tell, made_in=made_in)
    found = read_merged(output) if facts.found else None
    return replace(summary, heads=found.summary if found else None)


def _finish(
    output: Path,
    manifest: pl.DataFrame,
    work: Work,
    facts: Facts,
    tags: TagsSummary | None,
    workers: int | None,
    tell: Tell,
    put: Callable[[], None] | None = None,
    made_in: int | None = None,
) -> Summary:
    """Write the manifest, and shards if images lie in those; return the summary of the whole. `put`
    is called before shards are written, unless so many parts (`made_in`) have written them.
    """
    tell(Doing("writing the manifest"))
    manifest = _without_crops(manifest, facts.crops)
    write_manifest(manifest, output / MANIFEST)
    summary = summarize(manifest, work, [*facts.funnel, _made(manifest)])
    summary = replace(summary, tags=tags)
    if facts.shard_size and summary.success:
        if put:
            put()
        title, size = facts.in_store, facts.shard_size
        into_shards = PackRun(output=output, shard_size=size, title=title, workers=workers)
        packed = pack(into_shards, tell, digests=False, made_in=made_in)
        summary = replace(summary, packed=packed)
    return BadRows(facts.bad_rows, facts.bad_rows_list).added_to(summary)


def _write_tables(
    rows: Rows,
    asked: pl.DataFrame,
    metadata: Metadata,
    output: Path,
    splitting: Splitting,
    tell: Tell,
) -> BadRows:
    """Write labels, if there are classes, their funnel, and the list of bad rows."""
    catalogue = rows.catalogue
    if rows.have_classes:
        tell(Doing("writing labels"))
        record_protocol(output / LABELS, splitting, tell)
        write_labels(asked, output / LABELS)
    write_funnel(catalogue.funnel, output / LABELS / FUNNEL)
    return write_bad_rows(pl.concat([catalogue.bad_rows, metadata.bad_rows]), output / BAD_ROWS)


def spools_of(run: FullRun, output: Path, running: Running) -> Spools | None:
    """Return the spools of a run into shards, None for one into files.

    Raises UsageError if the images of earlier runs lie the other way.
    """
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
