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
from dafre_fast.core.layout import FACES, FULL, LABELS
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.pictures import PICTURES, Picture
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
    write_pictures,
    write_rows,
)
from dafre_fast.pack.settings import PackRun

_REVISION = 2
"""Raised by whoever changes the code such that packs change."""
_ARCHIVES = {FULL: "dafre_full", FACES: "dafre_faces"}
_MEMBERS = ("jpg", "face.jpg")
"""Of members of a WebDataset: of the first picture that is packed, and of the second."""


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
    `pictures` are what is read for it; `contents` is the hash of what decides its bytes. `write`
    writes all of it under that path and returns its files by their extensions, the main one first.
    """

    name: str
    rows: pl.DataFrame
    pictures: tuple[Picture, ...]
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
        parts += (_shard(run, split, number, shards, own) for number, own in slices)
        begin += of_split.height
    return parts


def _shard(run: PackRun, split: str, number: int, shards: int, rows: pl.DataFrame) -> Part:
    pictures = PICTURES[run.images]
    contents = contents_of(rows, _REVISION, run.format, run.images)
    name = f"{split}/{number:05d}"
    if run.format == "webdataset":
        write = partial(_write_webdataset, rows, pictures)
        return Part(name, made_of(rows), pictures, contents, write)
    if run.format == "hf":
        name = f"{huggingface.FOLDER}/{huggingface.SPLITS[split]}-{number:05d}-of-{shards:05d}"
    table = hub_table if run.format == "hf" else _table
    write = partial(_write_table, rows, pictures, table)
    return Part(name, rows, pictures, contents, write)


def _beside(path: Path, ending: str) -> Path:
    """`with_suffix` would take a name with a dot apart."""
    return path.with_name(f"{path.name}{ending}")


def _write_webdataset(
    asked: pl.DataFrame, pictures: tuple[Picture, ...], path: Path, samples: Reading
) -> dict[str, File]:
    """`00000.tar` with `{id}.jpg`, `{id}.cls` and `{id}.json` of each image, and `{id}.face.jpg`
    where both pictures are packed; beside it its index, the table of what was asked for, and its
    counts.
    """
    index = _beside(path, ".json")
    index.unlink(missing_ok=True)  # it is that of another archive
    with replacing(_beside(path, ".tar")) as part:
        with part.open("wb") as file:
            tar = Tar(file)
            for sample in samples:
                _add_sample(tar, sample, pictures)
            tar.close()
        places, archive = index_of(part, tar.places)
    with replacing(index) as part:
        part.write_bytes(places)
    damaged = samples.damaged
    write_rows(asked, _offsets(tar.places, pictures), damaged, _beside(path, ".parquet"))
    statuses = Counter(asked["status"]) + Counter(one.flaw.value for one in damaged)
    statuses[SUCCESS] -= len(damaged)
    stats = {
        "count": asked.height,
        "successes": statuses[SUCCESS],
        "status_dict": dict(sorted(statuses.items())),
        "pictures": _members(pictures),
    }
    with replacing(_beside(path, "_stats.json")) as part:
        part.write_bytes(msgspec.json.encode(stats) + b"\n")
    return {".tar": archive, **_digests(path, ".json", ".parquet", "_stats.json")}


def _digests(path: Path, *endings: str) -> dict[str, File]:
    try:
        return {ending: digest(_beside(path, ending)) for ending in endings}
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error


def _offsets(
    places: Mapping[str, Place], pictures: tuple[Picture, ...]
) -> dict[str, dict[int, int]]:
    """By the column that tells them, and the id of the image."""
    begins: dict[str, dict[int, int]] = {f"{one.prefix}offset": {} for one in pictures}
    column_of = {
        member: f"{one.prefix}offset" for one, member in zip(pictures, _MEMBERS, strict=False)
    }
    for name, place in places.items():
        key, _, member = name.partition(".")
        if member in column_of:
            begins[column_of[member]][int(key)] = place.offset
    return begins


def _members(pictures: tuple[Picture, ...]) -> dict[str, str]:
    """What follows the key in the name of the member of each picture."""
    return {one.name: name for one, name in zip(pictures, _MEMBERS, strict=False)}


def _add_sample(tar: Tar, sample: Sample, pictures: tuple[Picture, ...]) -> None:
    row, key = sample.row, sample.row["id"]
    members = _members(pictures).values()
    for member, picture, data in zip(members, pictures, sample.files, strict=True):
        tar.add(f"{key}.{member}", data, row[f"{picture.prefix}sha256"])
    tar.add(f"{key}.cls", b"%d" % row["class_id"])
    tar.add(f"{key}.json", msgspec.json.encode(row))


_Table = Callable[[pl.DataFrame, tuple[Picture, ...], Sequence[Sample]], pl.DataFrame]


def _table(
    rows: pl.DataFrame, pictures: tuple[Picture, ...], samples: Sequence[Sample]
) -> pl.DataFrame:
    """The rows of samples, and the bytes of their pictures in columns `full` and `face`."""
    return rows[[sample.place for sample in samples]].with_columns(
        pl.Series(picture.name, [sample.files[place] for sample in samples], pl.Binary)
        for place, picture in enumerate(pictures)
    )


def hub_table(
    rows: pl.DataFrame, pictures: tuple[Picture, ...], samples: Sequence[Sample]
) -> pl.DataFrame:
    """The same as the hub has it: pictures are `image` (and `face`), the class is `label`."""
    own = [picture.name for picture in pictures]
    structs = [
        pl.struct(pl.col(name).alias("bytes"), pl.format("{}.jpg", "id").alias("path")).alias(shown)
        for name, shown in zip(own, huggingface.PICTURES, strict=False)
    ]
    told = pl.all().exclude(*own, "id", "class_id")
    label = pl.col("class_id").alias(huggingface.LABEL)
    return _table(rows, pictures, samples).select("id", *structs, label, told)


def _write_table(
    rows: pl.DataFrame,
    pictures: tuple[Picture, ...],
    table: _Table,
    path: Path,
    samples: Reading,
) -> dict[str, File]:
    """A table of samples as Parquet."""
    passing = iter(samples)
    groups = iter(lambda: [*islice(passing, GROUP)], [])
    tables = (table(rows, pictures, group) for group in groups)
    schema = table(rows, pictures, ()).schema
    write_pictures(tables, schema, _beside(path, ".parquet"))
    return _digests(path, ".parquet")


def _archives(run: PackRun, packable: Packable) -> Iterator[Part]:
    """As the dataset was first published: its trees and its labels, members by path."""
    rows = made_of(packable.asked).sort(pl.col("id") % 1000, "id")
    for picture in PICTURES[run.images]:
        thin = rows.select("id", *(f"{picture.prefix}{name}" for name in ("bytes", "sha256")))
        contents = contents_of(thin, _REVISION, run.format)
        write = partial(_write_tree, picture)
        yield Part(_ARCHIVES[picture.tree], thin, (picture,), contents, write)
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


def _write_tree(picture: Picture, path: Path, samples: Reading) -> dict[str, File]:
    members = ((picture.file(sample.row["id"]), sample.files[0]) for sample in samples)
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
