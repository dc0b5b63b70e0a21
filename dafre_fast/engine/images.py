"""Make the images of a table, and write their manifest."""

from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.events import Tell, silent
from dafre_fast.core.layout import MANIFEST, ORIGINALS, STATE
from dafre_fast.core.records import Box
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Summary, Work
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import manifest_of_ledger, write_manifest
from dafre_fast.engine.apart import refuse_source
from dafre_fast.engine.inputs import open_metadata, open_originals, summarize
from dafre_fast.engine.observers import watching
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.parts import Facts, Finishing
from dafre_fast.engine.plan import ask_catalogue, buckets_of
from dafre_fast.engine.run import make_all
from dafre_fast.tables.bad_rows import BadRows
from dafre_fast.tables.image_paths import image_paths


def make_table(
    table: pl.DataFrame,
    source: str,
    output: Path,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
    tell: Tell,
    *,
    keep_originals: bool = True,
) -> pl.DataFrame:
    """Make the images of a table of ids, and head crops if it has boxes; write the manifest.

    `table` has `id` int64, and perhaps left, top, right, bottom float32 (shares of the upright
    image); `source` is read as `--source`. Returns the manifest, one row per row of the table.
    Raises UsageError, InputError, OutputError, SourceError or WorkerError.
    """
    has_boxes = {*Box._fields} <= {*table.columns}
    boxes = [pl.lit(None, pl.Float32).alias(edge) for edge in Box._fields if not has_boxes]
    rows = table.with_columns(image_paths().alias("path"), *boxes)
    folders = {one: output / one.tree for one in recipe.outputs if has_boxes or not one.needs_box}
    asked = ask_catalogue(rows, folders)
    refuse_source(source, output, folders.values(), buckets_of(asked))
    metadata = open_metadata(source, fetching, asked, Selection())
    with watching("images", tell) as watch:
        originals = open_originals(source, output / ORIGINALS, fetching, metadata, watch.tell)
        originals = originals._replace(keep=keep_originals)
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
    tell: Tell,
) -> tuple[pl.DataFrame, Work]:
    """Make all images of a plan (`engine.plan`), and write the manifest to `manifest_path` if it is
    not None. Returns the manifest and the work done; `label` names the images on the screen.
    """
    with watching(label, tell) as watch:
        manifest, work = make_all(asked, originals, recipe, running, output, watch)
    if manifest_path:
        write_manifest(manifest, manifest_path)
    return manifest, work


def finish(output: Path, done: Finishing, _tell: Tell = silent) -> Summary:
    """Write the manifest of images whose parts are merged; return the summary of the whole."""
    facts = msgspec.convert(done.plan.facts, Facts)
    recipe = msgspec.convert(done.plan.settings["recipe"], Recipe)
    manifest = manifest_of_ledger(output / STATE / LEDGER, done.rows, recipe.outputs)
    if facts.manifest:
        write_manifest(manifest, output / facts.manifest)
    summary = summarize(manifest, done.work, facts.funnel)
    return BadRows(facts.bad_rows, facts.bad_rows_list).added_to(summary)
