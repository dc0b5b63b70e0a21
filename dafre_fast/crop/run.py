"""Crop the heads of a table out of a tree of originals."""

from pathlib import Path

from dafre_fast.core.layout import BAD_ROWS, STATE
from dafre_fast.core.settings.images import HEAD_CROP, Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Summary
from dafre_fast.crop.settings import CropRun
from dafre_fast.engine.images import make_with_manifest
from dafre_fast.engine.inputs import summarize
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.plan import ask_catalogue
from dafre_fast.sources.tree import Tree
from dafre_fast.tables.bad_rows import with_bad_rows, write_bad_rows
from dafre_fast.tables.catalogue import read_catalogue


def crop(
    faces: Path, run: CropRun, selection: Selection, recipe: Recipe, running: Running
) -> Summary:
    """A crop for every kept row whose original lies in the tree."""
    catalogue = read_catalogue(faces, None, selection)
    asked = ask_catalogue(catalogue.kept, {HEAD_CROP: run.output})
    originals = Originals(Tree(run.input), folder=None)
    write_bad_rows(catalogue.bad_rows, run.output / STATE / BAD_ROWS)
    done = make_with_manifest("faces", asked, originals, recipe, running, run.output, run.manifest)
    summary = summarize(*done, catalogue.funnel)
    return with_bad_rows(summary, catalogue.bad_rows, run.output / STATE / BAD_ROWS)
