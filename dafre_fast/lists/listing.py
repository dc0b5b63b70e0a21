"""Run `lists`. It imports no network code unless something is downloaded."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_ROWS
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Tolerance
from dafre_fast.core.summaries import Listed, Lists
from dafre_fast.engine import loops
from dafre_fast.lists.file_lists import (
    TREES,
    FileList,
    read_file_list,
    write_lists,
)
from dafre_fast.lists.settings import ListsRun
from dafre_fast.tables.bad_rows import write_bad_rows
from dafre_fast.tables.labels import Split, read_splits
from dafre_fast.tables.metadata import read_metadata

FILES = "files.txt"
"""File in the folder of the lists, with the list that rsync got from the mirror."""


def lists(
    run: ListsRun,
    tolerance: Tolerance,
    fetching: Fetching,
    running: Running,
    tell: Tell = silent,
) -> Lists:
    """Write lists of the files that splits need, and download these if a source is given.

    Raises UsageError for settings that contradict each other, InputError if a table or list cannot
    be read, OutputError if the folder cannot be written, and SourceError if the mirror refuses.
    """
    _check(run)
    tell(Doing("reading labels"))
    splits = read_splits(run.labels, tolerance.max_bad_rows)
    wanted = pl.concat(split.images["id"] for split in splits)
    tell(Doing("reading the list of files"))
    path = run.files or _ask_mirror(run, fetching)
    files = read_file_list(path, wanted, tolerance.max_bad_rows)
    found = _summary(files, [_list(split, files, run.output) for split in splits])
    keys = files.rows["id"].cast(pl.String)
    tell(Doing("reading metadata"))
    metadata = read_metadata(
        fetching.metadata if run.source else (), keys.unique(), tolerance.max_bad_rows
    )
    set_aside = (files.bad_rows, *(split.bad_rows for split in splits), metadata.bad_rows)
    found = write_bad_rows(pl.concat(set_aside), run.output / BAD_ROWS).added_to(found)
    if run.source is None:
        return found
    from dafre_fast.lists.run import fetch_listed

    return fetch_listed(found, files.rows, run, metadata, fetching, running, tell)


def _check(run: ListsRun) -> None:
    if run.files is None and run.source is None:
        raise UsageError("--files is missing; only --source rsync://host/module can do without it")
    if run.source is None:
        return
    if not run.source.startswith("rsync://") and "{name}" not in run.source:
        raise UsageError(f"--source {run.source!r} must begin with rsync:// or contain {{name}}")
    if len({*run.sizes}) > 1 and run.originals.absolute() == run.small.absolute():
        raise UsageError(f"--originals and --small are both {run.small}; they must be two folders")


def _ask_mirror(run: ListsRun, fetching: Fetching) -> Path:
    from dafre_fast.sources.rsync.listing import list_files

    assert run.source is not None
    path = run.output / FILES
    with replacing(path) as part:
        with part.open("wb") as file:
            loops.run(list_files(run.source, TREES, file, fetching))
        if not part.stat().st_size:
            raise InputError(f"{run.source}: no file is in {' or '.join(TREES)}")
    return path


def _list(split: Split, files: FileList, output: Path) -> Listed:
    listed = write_lists(split, files, output)
    images = split.images.height
    missing = {tree: images - there for tree, there in listed.items()}
    return Listed(split.name, images, listed, missing)


def _summary(files: FileList, splits: Sequence[Listed]) -> Lists:
    listed, set_aside = files.rows.height, files.bad_rows.height
    return Lists(files.lines, listed, files.unwanted, files.elsewhere, set_aside, splits)
