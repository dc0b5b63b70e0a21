"""The formats of packs: into which parts a dataset is cut, and how each part is written."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from dafre_fast.core.atomic import File, digest, replacing
from dafre_fast.core.errors import InputError, OutputError
from dafre_fast.core.findings import Flaw
from dafre_fast.core.layout import FULL, LABELS
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.outputs import choose_outputs, members_of, prefix_of
from dafre_fast.dataset.pictures import file_of
from dafre_fast.dataset.samples import Damaged, Sample
from dafre_fast.dataset.tar_files import (
    Place,
    Tar,
    gzipped,
    index_of,
)
from dafre_fast.pack.formats import huggingface
from dafre_fast.pack.rows import (
    GROUP,
    Packable,
    contents_of,
    made_of,
    recorded_columns,
    write_pictures,
    write_rows,
)
from dafre_fast.pack.settings import PackRun

_REVISION = 2
"""Raised by whoever changes the code such that packs change."""
_ARCHIVES = {FULL: "dafre_full"}
"""As first published; other trees are archives of their own name."""


class Reading:
    """The samples of a part, to be gone through once; `damaged` are those left out so far."""

    def __init__(
        self, samples: Iterable[Sample | Damaged], advance: Callable[[Flaw | None], None]
    ) -> None:
        self._samples, self._advance = samples, advance
        self.damaged: list[Damaged] = []

    def __iter__(self) -> Iterator[Sample]:
        for sample in self._samples:
            if isinstance(sample, Damaged):
                self.damaged.append(sample)
                self._advance(sample.flaw)
            else:
                yield sample
                self._advance(None)


class Part(NamedTuple):
    """A file of a pack and what stands beside it. `name` is its path without extension; `rows` and
    `outputs` are what is read for it; `contents` is the hash of what decides its bytes. `write`
    writes all of it under that path and returns its files by their extensions, the main one first.
    """

    name: str
    rows: pl.DataFrame
    outputs: tuple[Output, ...]
    contents: str
    write: Callable[[Path, Reading], dict[str, File]]


def parts_of(run: PackRun, packable: Packable) -> list[Part]:
    """All of a pack, in order. Raises InputError where labels cannot be read."""
    if run.format == "tar":
        return [*_archives(run, packable)]
    # Which shard of a WebDataset an image is in does not depend on what becomes of the others: one
    # that is made later changes no shard but its own. Tables are of full length.
    rows = packable.asked if run.format == "webdataset" else made_of(packable.asked)
    parts, begin = list[Part](), 0
    for split in SPLITS:
        of_split = rows.slice(begin, rows.filter(split=split).height)
        shards = -(-of_split.height // run.shard_size)
        slices = enumerate(of_split.iter_slices(run.shard_size))
        parts += (
            _shard(run, packable.outputs, split, number, shards, own) for number, own in slices
        )
        begin += of_split.height
    return parts


def _shard(
    run: PackRun,
    known: Sequence[Output],
    split: str,
    number: int,
    shards: int,
    rows: pl.DataFrame,
) -> Part:
    outputs = choose_outputs(known, run.images)
    contents = contents_of(rows, _REVISION, run.format, run.images)
    name = f"{split}/{number:05d}"
    if run.format == "webdataset":
        write = partial(_write_webdataset, rows, outputs)
        return Part(name, made_of(rows), outputs, contents, write)
    if run.format == "hf":
        name = f"{huggingface.FOLDER}/{huggingface.SPLITS[split]}-{number:05d}-of-{shards:05d}"
    table = hub_table if run.format == "hf" else _table
    write = partial(_write_table, rows, outputs, table)
    return Part(name, rows, outputs, contents, write)


def _beside(path: Path, ending: str) -> Path:
    """`with_suffix` would take a name with a dot apart."""
    return path.with_name(f"{path.name}{ending}")


def _write_webdataset(
    asked: pl.DataFrame, outputs: tuple[Output, ...], path: Path, samples: Reading
) -> dict[str, File]:
    """`00000.tar` with `{id}.jpg`, `{id}.cls` and `{id}.json` of each image, and `{id}.{name}.jpg`
    for every output but the first; beside it its index, the table of what was asked for, and its
    counts.
    """
    index = _beside(path, ".json")
    index.unlink(missing_ok=True)  # it is that of another archive
    with replacing(_beside(path, ".tar")) as part:
        with part.open("wb") as file:
            tar = Tar(file)
            for sample in samples:
                _add_sample(tar, sample, outputs)
            tar.close()
        places, archive = index_of(part, tar.places)
    with replacing(index) as part:
        part.write_bytes(places)
    damaged = samples.damaged
    write_rows(asked, _offsets(tar.places, outputs), damaged, _beside(path, ".parquet"))
    statuses = Counter(asked["status"]) + Counter(one.flaw.value for one in damaged)
    statuses[SUCCESS] -= len(damaged)
    stats = {
        "count": asked.height,
        "successes": statuses[SUCCESS],
        "status_dict": dict(sorted(statuses.items())),
        "pictures": members_of(outputs),
    }
    with replacing(_beside(path, "_stats.json")) as part:
        part.write_bytes(msgspec.json.encode(stats) + b"\n")
    return {".tar": archive, **_digests(path, ".json", ".parquet", "_stats.json")}


def _digests(path: Path, *endings: str) -> dict[str, File]:
    try:
        return {ending: digest(_beside(path, ending)) for ending in endings}
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def _offsets(places: Mapping[str, Place], outputs: tuple[Output, ...]) -> dict[str, dict[int, int]]:
    """By the column that tells them, and the id of the image."""
    column_of = {member: f"{prefix_of(name)}offset" for name, member in members_of(outputs).items()}
    begins: dict[str, dict[int, int]] = {column: {} for column in column_of.values()}
    for name, place in places.items():
        key, _, member = name.partition(".")
        if member in column_of:
            begins[column_of[member]][int(key)] = place.offset
    return begins


def _add_sample(tar: Tar, sample: Sample, outputs: tuple[Output, ...]) -> None:
    row, key = sample.row, sample.row["id"]
    members = members_of(outputs).items()
    for (name, member), data in zip(members, sample.files, strict=True):
        tar.add(f"{key}.{member}", data, row[f"{prefix_of(name)}sha256"])
    tar.add(f"{key}.cls", b"%d" % row["class_id"])
    tar.add(f"{key}.json", msgspec.json.encode(row))


_Table = Callable[[pl.DataFrame, tuple[Output, ...], Sequence[Sample]], pl.DataFrame]


def _table(
    rows: pl.DataFrame, outputs: tuple[Output, ...], samples: Sequence[Sample]
) -> pl.DataFrame:
    """The rows of samples, and the bytes of each output in a column of its name."""
    return rows[[sample.place for sample in samples]].with_columns(
        pl.Series(output.name, [sample.files[place] for sample in samples], pl.Binary)
        for place, output in enumerate(outputs)
    )


def hub_table(
    rows: pl.DataFrame, outputs: tuple[Output, ...], samples: Sequence[Sample]
) -> pl.DataFrame:
    """The same as the hub has it: pictures as `huggingface.pictures` names them, and the class is
    `label`.
    """
    shown = huggingface.pictures(outputs)
    structs = [
        pl.struct(pl.col(name).alias("bytes"), pl.format("{}.jpg", "id").alias("path")).alias(as_)
        for name, as_ in shown.items()
    ]
    told = pl.all().exclude(*shown, "id", "class_id")
    label = pl.col("class_id").alias(huggingface.LABEL)
    return _table(rows, outputs, samples).select("id", *structs, label, told)


def _write_table(
    rows: pl.DataFrame,
    outputs: tuple[Output, ...],
    table: _Table,
    path: Path,
    samples: Reading,
) -> dict[str, File]:
    """A table of samples as Parquet."""
    passing = iter(samples)
    groups = iter(lambda: [*islice(passing, GROUP)], [])
    tables = (table(rows, outputs, group) for group in groups)
    schema = table(rows, outputs, ()).schema
    write_pictures(tables, schema, _beside(path, ".parquet"))
    return _digests(path, ".parquet")


def _archives(run: PackRun, packable: Packable) -> Iterator[Part]:
    """As the dataset was first published: its trees and its labels, members by path."""
    rows = made_of(packable.asked).sort(pl.col("id") % 1000, "id")
    for output in choose_outputs(packable.outputs, run.images):
        thin = rows.select("id", *recorded_columns([output]))
        contents = contents_of(thin, _REVISION, run.format)
        name = _ARCHIVES.get(output.tree, f"dafre_{output.tree}")
        yield Part(name, thin, (output,), contents, partial(_write_tree, output))
    labels = run.output / LABELS
    try:
        paths = sorted(path for path in labels.iterdir() if not path.name.startswith("."))
        files = {f"{LABELS}/{path.name}": path.read_bytes() for path in paths if path.is_file()}
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    none = rows.clear()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    contents = contents_of(none, _REVISION, run.format, hashes)
    yield Part("labels", none, (), contents, partial(_write_labels, files))


def _write_tree(output: Output, path: Path, samples: Reading) -> dict[str, File]:
    members = ((file_of(output, sample.row["id"]), sample.files[0]) for sample in samples)
    return _write_archive(members, path)


def _write_labels(files: Mapping[str, bytes], path: Path, _: Reading) -> dict[str, File]:
    return _write_archive(files.items(), path)


def _write_archive(members: Iterable[tuple[str, bytes]], path: Path) -> dict[str, File]:
    with replacing(_beside(path, ".tar.gz")) as part, gzipped(part) as file:
        tar = Tar(file)
        for name, data in members:
            tar.add(name, data)
        tar.close()
    return _digests(path, ".tar.gz")
