"""Crop the heads of a table out of a tree of originals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, STATE
from dafre_fast.core.settings.detecting import Counting
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.images import Recipe, head_crop
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Step, Summary
from dafre_fast.crop.all_heads import OriginalsOfHeads, ask_heads
from dafre_fast.crop.settings import CropRun, HeadsTable
from dafre_fast.dataset.manifest import rows_of
from dafre_fast.engine.apart import refuse_manifest, refuse_same, refuse_shared_buckets
from dafre_fast.engine.boxes import record_boxes
from dafre_fast.engine.images import make_with_manifest
from dafre_fast.engine.inputs import CHECK, summarize, with_names
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.parts import Facts, sharing
from dafre_fast.engine.plan import ask_catalogue, buckets_of
from dafre_fast.sources.tree import Tree
from dafre_fast.tables.bad_rows import refuse_too_many, write_bad_rows
from dafre_fast.tables.catalogue import read_catalogue
from dafre_fast.tables.heads import read_heads, sure_heads
from dafre_fast.tables.marks import bad_rows_of
from dafre_fast.tables.taking import take_rows


def crop_table(
    table: HeadsTable,
    run: CropRun,
    selection: Selection,
    counting: Counting,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
) -> Summary:
    """Crop the heads of the table that is given.

    Raises UsageError if none or both are, or a setting belongs to the other, and as `crop` and
    `crop_all` do.
    """
    if (table.faces is None) == (table.all_heads is None):
        raise UsageError("--faces or --all-heads is needed, and not both")
    if table.faces:
        if counting != Counting():
            raise UsageError("--count-threshold is for --all-heads; --faces has --min-confidence")
        return crop(table.faces, run, selection, recipe, running, tell)
    assert table.all_heads
    if selection != replace(selection, min_confidence=_ALL.min_confidence, min_images=None):
        raise UsageError(
            "--min-confidence and --min-images are for --faces; --all-heads has --count-threshold"
        )
    return crop_all(table.all_heads, run, counting, selection, recipe, running, tell)


_ALL = Selection()


def crop(
    faces: Path,
    run: CropRun,
    selection: Selection,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
) -> Summary:
    """Make the head crop of every kept row of faces.tsv, of originals in a folder.

    Raises UsageError if an output would take the place of an original.
    """
    refuse_same(run.input, "--input", run.output)
    refuse_manifest(run.manifest, [faces])
    tell(Doing(f"reading {faces.name}"))
    catalogue = read_catalogue(faces, None, selection)
    asked = ask_catalogue(catalogue.kept, {head_crop(recipe.face, recipe.encoding): run.output})
    refuse_shared_buckets(run.input, "--input", [run.output], buckets_of(asked))
    originals = with_names(Originals(Tree(run.input, CHECK, tell), folder=None), faces)
    job = _Job("faces", asked, originals, catalogue.bad_rows, catalogue.funnel)
    return _carry_out(job, run, {"selection": selection}, recipe, running, tell)


class _Job(NamedTuple):
    """Crops to make: their label on the screen, the plan, originals, bad rows, and the funnel."""

    label: str
    asked: pl.DataFrame
    originals: Originals
    bad_rows: pl.DataFrame
    funnel: Sequence[Step]


def _carry_out(
    job: _Job,
    run: CropRun,
    rules: Mapping[str, Group],
    recipe: Recipe,
    running: Running,
    tell: Tell,
) -> Summary:
    """Make crops, all or those of a part. `rules` are the settings that chose them."""
    with sharing(run.output, running) as share:
        record_boxes(run.output, job.asked, resume=running.resume)
        bad_rows = write_bad_rows(job.bad_rows, run.output / STATE / BAD_ROWS)
        path = None if share else run.manifest
        done = make_with_manifest(
            job.label, job.asked, job.originals, recipe, running, run.output, path, tell
        )
        if not share:
            return bad_rows.added_to(summarize(*done, job.funnel))
        summary = bad_rows.added_to(summarize(*done))
        facts = Facts(share.place(run.manifest), job.funnel, *bad_rows)
        rows = rows_of(job.asked.lazy(), recipe.outputs).collect()
        share.record("crop", {**rules, "recipe": recipe}, rows, facts, summary)
        return summary


def crop_all(
    table: Path,
    run: CropRun,
    counting: Counting,
    selection: Selection,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
) -> Summary:
    """Make a crop of every good row of heads.parquet that is sure enough.

    Raises InputError if the table cannot be read, has too many bad rows, or none that is sure
    enough; UsageError as `crop` does.
    """
    refuse_same(run.input, "--input", run.output)
    refuse_manifest(run.manifest, [table])
    tell(Doing(f"reading {table.name}"))
    rows, threshold = read_heads(table), counting.count_threshold
    if rows.is_empty():
        raise InputError(f"{table}: has no row")
    bad = bad_rows_of(table, rows)
    refuse_too_many(table, bad, rows.height, selection.max_bad_rows)
    heads = sure_heads(rows, threshold)
    if heads.is_empty():
        raise InputError(
            f"{table}: of {rows.height:,} boxes none is good and has a score >= {threshold};"
            " lower --count-threshold"
        )
    asked = take_rows(ask_heads(heads, run.output), selection, "key")
    refuse_shared_buckets(run.input, "--input", [run.output], buckets_of(asked))
    originals = Originals(OriginalsOfHeads(Tree(run.input, CHECK, tell)), folder=None)
    funnel = [
        Step("boxes of heads.parquet", rows.height, rows["tag_id"].drop_nulls().n_unique()),
        Step(f"score >= {threshold}", heads.height, heads["tag_id"].drop_nulls().n_unique()),
    ]
    if selection.words:
        classes = asked["tag_id"].drop_nulls().n_unique()
        funnel.append(Step(selection.words, asked.height, classes))
    job = _Job("heads", asked, originals, bad, funnel)
    return _carry_out(
        job, run, {"counting": counting, "selection": selection}, recipe, running, tell
    )
