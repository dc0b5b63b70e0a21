"""`tar`: gzipped archives as DAF:re was first published, one per tree and one of the labels."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from dafre_fast.core.atomic import File, replacing
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import FULL, LABELS
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.outputs import choose_outputs
from dafre_fast.dataset.pictures import file_of
from dafre_fast.dataset.tar_files import Tar, gzipped
from dafre_fast.pack.part import REVISION, Format, Part, Reading, beside, digests
from dafre_fast.pack.rows import Packable, contents_of, made_of, recorded_columns
from dafre_fast.pack.settings import PackRun

_NAMES = {FULL: "dafre_full"}
"""Archive names as first published; other trees give their own name."""


def _parts(run: PackRun, packable: Packable) -> list[Part]:
    """Plan the archives. Raises InputError if a label file cannot be read."""
    rows = made_of(packable.asked).sort(pl.col("id") % 1000, "id")
    outputs = choose_outputs(packable.outputs, run.images)
    return [*(_tree(run, rows, output) for output in outputs), _labels(run, rows.clear())]


def _tree(run: PackRun, rows: pl.DataFrame, output: Output) -> Part:
    thin = rows.select("id", *recorded_columns([output]))
    name = _NAMES.get(output.tree, f"dafre_{output.tree}")
    contents = contents_of(thin, REVISION, run.format)
    return Part(name, thin, (output,), contents, partial(_write_tree, output))


def _labels(run: PackRun, no_rows: pl.DataFrame) -> Part:
    labels = run.output / LABELS
    try:
        paths = sorted(path for path in labels.iterdir() if not path.name.startswith("."))
        files = {f"{LABELS}/{path.name}": path.read_bytes() for path in paths if path.is_file()}
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    contents = contents_of(no_rows, REVISION, run.format, hashes)
    return Part("labels", no_rows, (), contents, partial(_write_labels, files))


def _write_tree(output: Output, path: Path, samples: Reading) -> dict[str, File]:
    members = ((file_of(output, sample.row["id"]), sample.files[0]) for sample in samples)
    return _write_archive(members, path)


def _write_labels(files: Mapping[str, bytes], path: Path, _: Reading) -> dict[str, File]:
    return _write_archive(files.items(), path)


def _write_archive(members: Iterable[tuple[str, bytes]], path: Path) -> dict[str, File]:
    with replacing(beside(path, ".tar.gz")) as part, gzipped(part) as file:
        tar = Tar(file)
        for name, data in members:
            tar.add(name, data)
        tar.close()
    return digests(path, ".tar.gz")


FORMAT = Format(_parts, describes_images=False, holds_labels=True)
