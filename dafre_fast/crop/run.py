"""Crop the heads of a table out of a tree of originals."""

from pathlib import Path

from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, STATE
from dafre_fast.core.settings.images import HEAD_CROP, Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Summary
from dafre_fast.crop.settings import CropRun
from dafre_fast.dataset.manifest import rows_of
from dafre_fast.engine.apart import refuse_manifest, refuse_same, refuse_shared_buckets
from dafre_fast.engine.images import make_with_manifest
from dafre_fast.engine.inputs import CHECK, summarize, with_names
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.parts import Facts, sharing
from dafre_fast.engine.plan import ask_catalogue, buckets_of
from dafre_fast.sources.tree import Tree
from dafre_fast.tables.bad_rows import write_bad_rows
from dafre_fast.tables.catalogue import read_catalogue


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
    asked = ask_catalogue(catalogue.kept, {HEAD_CROP: run.output})
    refuse_shared_buckets(run.input, "--input", [run.output], buckets_of(asked))
    originals = with_names(Originals(Tree(run.input, CHECK, tell), folder=None), faces)
    with sharing(run.output, running) as share:
        bad_rows = write_bad_rows(catalogue.bad_rows, run.output / STATE / BAD_ROWS)
        path = None if share else run.manifest
        done = make_with_manifest(
            "faces", asked, originals, recipe, running, run.output, path, tell
        )
        if not share:
            return bad_rows.added_to(summarize(*done, catalogue.funnel))
        summary = bad_rows.added_to(summarize(*done))
        facts = Facts(share.place(run.manifest), catalogue.funnel, *bad_rows)
        settings = {"selection": selection, "recipe": recipe}
        rows = rows_of(asked.lazy(), recipe.outputs).collect()
        share.record("crop", settings, rows, facts, summary)
        return summary
