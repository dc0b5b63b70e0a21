"""One function per command: settings in, summary out, in the order in which the data flows."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.layout import (
    BAD_ROWS,
    FACES,
    FULL,
    FUNNEL,
    LABELS,
    MANIFEST,
    ORIGINALS,
    SHARDS,
    SMALL,
    STATE,
)
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.records import Box
from dafre_fast.core.settings.groups import (
    CropRun,
    DownloadRun,
    Fetching,
    FullRun,
    ListsRun,
    PackRun,
    Plotting,
    Recipe,
    ResizeRun,
    Running,
    Selection,
    TagSteps,
    Watching,
)
from dafre_fast.core.summaries import Lists, Simulation, Step, Summary, Work
from dafre_fast.dataset.manifest import write_manifest
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.provenance import remember_choice
from dafre_fast.dataset.spools import Spools
from dafre_fast.engine.fetch import fetch_all
from dafre_fast.engine.input_files import originals_in
from dafre_fast.engine.observers import watching
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.plan import ask_catalogue, ask_files
from dafre_fast.engine.run import make_all
from dafre_fast.engine.simulate import simulate_all
from dafre_fast.pack.run import pack
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose, finds_only
from dafre_fast.sources.interface import Check
from dafre_fast.sources.tree import Tree
from dafre_fast.tables.bad_rows import with_bad_rows, write_bad_rows
from dafre_fast.tables.catalogue import read_catalogue
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.labels import write_labels
from dafre_fast.tables.metadata import NOTHING, Metadata, read_metadata
from dafre_fast.tags.steps import image_path
from dafre_fast.tags.within_full import tag_tables


def full(
    run: FullRun,
    selection: Selection,
    steps: TagSteps,
    plotting: Plotting,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
    watchers: Watching,
) -> Summary:
    """The whole run: catalogue, labels, tags, originals, images, manifest, and shards where images
    are to lie in those.
    """
    assert run.faces
    assert run.source
    output = run.output
    spools = _spools(run, running)
    catalogue = read_catalogue(run.faces, run.tag_ids, selection)
    asked = ask_catalogue(catalogue.kept, full=output / FULL, faces=output / FACES)
    metadata = _metadata(run.source, fetching, asked, selection)
    bad_rows = pl.concat([catalogue.bad_rows, metadata.bad_rows])
    write_labels(catalogue.kept, output / LABELS)
    write_funnel(catalogue.funnel, output / LABELS / FUNNEL)
    write_bad_rows(bad_rows, output / BAD_ROWS)
    tags = None
    if run.tags:
        tags = tag_tables(fetching.metadata, output, steps, plotting, resume=running.resume)
    remember_choice(run, selection, fetching.metadata, steps if tags else None)
    with watching("images", watchers) as watch:
        originals = _originals(run.source, output / ORIGINALS, fetching, metadata, watch.tell)
        manifest, work = make_all(asked, originals, recipe, running, output, watch, spools)
    write_manifest(manifest, output / MANIFEST)
    summary = _summary(manifest, work, [*catalogue.funnel, _made(manifest)])
    summary = replace(summary, tags=tags)
    if spools and summary.success:
        into_shards = PackRun(output=output, shard_size=run.shard_size, workers=running.workers)
        summary = replace(summary, packed=pack(into_shards, digests=False))
    return with_bad_rows(summary, bad_rows, output / BAD_ROWS)


def download(
    faces: Path,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
    running: Running,
    watchers: Watching,
) -> Summary:
    """Originals of the kept rows."""
    catalogue = read_catalogue(faces, None, selection)
    asked = catalogue.kept.select(key=pl.col("id").cast(pl.String))
    metadata = _metadata(run.source, fetching, asked, selection)
    bad_rows = pl.concat([catalogue.bad_rows, metadata.bad_rows])
    with watching("originals", watchers) as watch:
        originals = _originals(run.source, run.output, fetching, metadata, watch.tell)
        write_bad_rows(bad_rows, run.output / STATE / BAD_ROWS)
        manifest, work = fetch_all(asked, originals, running, run.output, watch)
    if run.manifest:
        write_manifest(manifest, run.manifest)
    return with_bad_rows(_summary(manifest, work), bad_rows, run.output / STATE / BAD_ROWS)


def fetch_listed(
    found: Lists,
    files: pl.DataFrame,
    run: ListsRun,
    metadata: Metadata,
    fetching: Fetching,
    running: Running,
    watchers: Watching,
) -> Lists:
    """Files of a list (`lists.file_lists.FileList.rows`), by their names; those of the trees that
    are asked for. Adds to `found` what came of it.
    """
    assert run.source is not None
    source = run.source if "{name}" in run.source else f"{run.source.rstrip('/')}/{{name}}"
    fetched = dict[str, Summary]()
    for tree in dict.fromkeys(run.sizes):
        folder, told = (run.small, NOTHING) if tree == SMALL else (run.originals, metadata)
        listed = files.filter(tree=tree).with_columns(key=pl.col("id").cast(pl.String))
        names = listed.lazy().select("key", "extension", "name")
        known = names.drop("name").join(told.known.drop("extension"), on="key", how="left")
        with watching(tree, watchers) as watch:
            originals = _originals(source, folder, fetching, told, watch.tell)
            originals = originals._replace(known=known, names=names.drop("extension"))
            manifest, work = fetch_all(listed.select("key"), originals, running, folder, watch)
        write_manifest(manifest, run.output / f"{tree}.parquet")
        fetched[tree] = _summary(manifest, work)
    return replace(found, fetched=fetched)


def simulate(
    faces: Path, run: DownloadRun, selection: Selection, fetching: Fetching, running: Running
) -> Simulation:
    """What `download` would do; nothing is written, and no original is asked for."""
    catalogue = read_catalogue(faces, None, selection)
    asked = catalogue.kept.select(key=pl.col("id").cast(pl.String))
    metadata = _metadata(run.source, fetching, asked, selection)
    originals = _originals(run.source, run.output, fetching, metadata, lambda _: None)
    return simulate_all(asked, originals, running, run.output)


def make_table(
    table: pl.DataFrame,
    source: str,
    output: Path,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
) -> pl.DataFrame:
    """Images of any table of ids, and crops where it has boxes; returns and writes the manifest."""
    faces = output / FACES if {*Box._fields} <= {*table.columns} else None
    boxes = [pl.lit(None, pl.Float32).alias(edge) for edge in Box._fields if faces is None]
    rows = table.with_columns(image_path().alias("path"), *boxes)
    asked = ask_catalogue(rows, full=output / FULL, faces=faces)
    metadata = _metadata(source, fetching, asked, Selection())
    with watching("images") as watch:
        originals = _originals(source, output / ORIGINALS, fetching, metadata, watch.tell)
        manifest, _ = make_all(asked, originals, recipe, running, output, watch)
    write_manifest(manifest, output / MANIFEST)
    return manifest


def resize(run: ResizeRun, recipe: Recipe, running: Running) -> Summary:
    """A full image for every file of a tree or list."""
    files, problems = originals_in(run.input)
    asked = ask_files(files, run.output)
    done = _make("images", asked, None, recipe, running, run.output, run.manifest)
    return replace(_summary(*done), bad_rows=problems)


def crop(
    faces: Path, run: CropRun, selection: Selection, recipe: Recipe, running: Running
) -> Summary:
    """A crop for every kept row whose original lies in the tree."""
    catalogue = read_catalogue(faces, None, selection)
    asked = ask_catalogue(catalogue.kept, faces=run.output)
    originals = Originals(Tree(run.input), folder=None)
    write_bad_rows(catalogue.bad_rows, run.output / STATE / BAD_ROWS)
    done = _make("faces", asked, originals, recipe, running, run.output, run.manifest)
    summary = _summary(*done, catalogue.funnel)
    return with_bad_rows(summary, catalogue.bad_rows, run.output / STATE / BAD_ROWS)


def _make(
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


def _spools(run: FullRun, running: Running) -> Spools | None:
    """Where images are to lie in shards. Raises UsageError where they lie otherwise until now."""
    output = run.output
    if run.pack and (output / FULL).exists():
        raise UsageError(f"{output / FULL}: images are files here; `pack` makes shards of them")
    if not run.pack and running.resume and lies_in_shards(output):
        raise UsageError(
            f"{output / SHARDS}: images lie in shards here; go on with --pack webdataset,"
            " or make files of all anew with --no-resume"
        )
    return Spools(output, run.shard_size) if run.pack else None


def _metadata(
    source: str, fetching: Fetching, asked: pl.DataFrame, selection: Selection
) -> Metadata:
    if "{md5" in source and not fetching.metadata:
        raise UsageError(f"--source {source!r} asks for the md5, which --metadata tells")
    if "{name" in source:
        raise UsageError(f"--source {source!r} asks for names, which only `lists` knows")
    return read_metadata(fetching.metadata, asked["key"], selection.max_bad_rows)


def _originals(
    source: str, folder: Path, fetching: Fetching, metadata: Metadata, tell: Tell
) -> Originals:
    check = Check(head=sniff, whole=check_end)
    chosen = choose(source, folder, fetching, check, tell)
    return Originals(chosen, None if finds_only(source) else folder, metadata.known)


def _made(manifest: pl.DataFrame) -> Step:
    made = manifest.filter(status=SUCCESS)
    return Step("made", made.height, made["class_id"].n_unique())


def _summary(manifest: pl.DataFrame, work: Work, funnel: Sequence[Step] = ()) -> Summary:
    counts = dict(manifest["status"].value_counts().iter_rows())
    success = counts.pop(SUCCESS, 0)
    return Summary(manifest.height, success, counts, work, funnel)
