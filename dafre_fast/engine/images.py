"""One function per command: settings in, summary out, in the order in which the data flows."""

from pathlib import Path

import polars as pl

from dafre_fast.core.layout import (
    MANIFEST,
    ORIGINALS,
)
from dafre_fast.core.records import Box
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.manifest import write_manifest
from dafre_fast.engine.inputs import open_metadata, open_originals
from dafre_fast.engine.observers import watching
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.plan import ask_catalogue
from dafre_fast.engine.run import make_all
from dafre_fast.tables.image_paths import image_path


def make_table(
    table: pl.DataFrame,
    source: str,
    output: Path,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
) -> pl.DataFrame:
    """Images of any table of ids, and crops where it has boxes; returns and writes the manifest."""
    has_boxes = {*Box._fields} <= {*table.columns}
    boxes = [pl.lit(None, pl.Float32).alias(edge) for edge in Box._fields if not has_boxes]
    rows = table.with_columns(image_path().alias("path"), *boxes)
    folders = {one: output / one.tree for one in recipe.outputs if has_boxes or not one.needs_box}
    asked = ask_catalogue(rows, folders)
    metadata = open_metadata(source, fetching, asked, Selection())
    with watching("images") as watch:
        originals = open_originals(source, output / ORIGINALS, fetching, metadata, watch.tell)
        manifest, _ = make_all(asked, originals, recipe, running, output, watch)
    write_manifest(manifest, output / MANIFEST)
    return manifest


def make_with_manifest(
    label: str,
    asked: pl.DataFrame,
    originals: Originals | None,
    recipe: Recipe,
    running: Running,
    output: Path,
    manifest_path: Path | None,
) -> tuple[pl.DataFrame, Work]:
    with watching(label) as watch:
        manifest, work = make_all(asked, originals, recipe, running, output, watch)
    if manifest_path:
        write_manifest(manifest, manifest_path)
    return manifest, work
