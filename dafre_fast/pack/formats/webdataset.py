"""`webdataset`: shards `SPLIT/00000.tar`, with an index, a table and counts beside each.

A sample is `{id}.jpg` (the first output), `{id}.{name}.jpg` (each further output), `{id}.cls` (the
class id, if there are classes) and `{id}.json` (the row of the manifest). All samples have the same
members, and their JSON the same keys with values of one type, never null (`_without_nulls`):
whoever reads a few samples knows the types of all.
"""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.atomic import File, replacing
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import choose_outputs, members_of
from dafre_fast.dataset.samples import Sample
from dafre_fast.dataset.tar_files import Place, Tar, index_of
from dafre_fast.pack.card import card, what_they_show
from dafre_fast.pack.formats.hub_metadata import features_of
from dafre_fast.pack.part import REVISION, Format, Part, Reading, beside, cut_into_shards, digests
from dafre_fast.pack.rows import Packable, contents_of, made_of, write_rows
from dafre_fast.pack.settings import PackRun


def _parts(run: PackRun, packable: Packable) -> list[Part]:
    """Plan the shards. They are cut from all requested images, so that an image that is made later
    changes no shard but its own.
    """
    outputs = choose_outputs(packable.outputs, run.images)
    return [
        Part(
            f"{shard.split}/{shard.number:05d}",
            _without_nulls(made_of(shard.rows)),
            outputs,
            contents_of(shard.rows, REVISION, run.format, run.images),
            partial(_write, shard.rows, outputs),
        )
        for shard in cut_into_shards(packable.asked, run.shard_size, packable.numbers)
    ]


def _without_nulls(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows in which an unknown text is empty, an unknown number -1, and a list without
    entries has one, the empty text: neither null nor an empty list tells a type. A column without a
    type stays null.
    """
    kinds = [
        pl.when(own.list.len() > 0).then(own).otherwise(pl.lit([""])).alias(name)
        if isinstance(kind, pl.List)
        else own.fill_null("" if kind == pl.String else -1)
        for name, kind in rows.schema.items()
        if kind not in (pl.Null, pl.Boolean)
        for own in [pl.col(name)]
    ]
    return rows.with_columns(kinds)


def _card(run: PackRun, packable: Packable) -> str:
    outputs = choose_outputs(packable.outputs, run.images)
    members, rows = members_of(outputs), _without_nulls(made_of(packable.asked).clear())
    schema: dict[str, pl.DataType] = dict.fromkeys(members.values(), pl.Binary())
    schema |= {"cls": pl.Int64()} if packable.class_names else {}
    schema |= {"json": pl.Struct(rows.schema)}
    schema |= dict.fromkeys(("__key__", "__url__"), pl.String())  # which the library adds
    features = features_of(
        schema, packable.class_names, images_in=members.values(), classes_in=["cls"]
    )
    files = {split: f"{split}/*.tar" for split in SPLITS}
    of_class, is_ = (" `cls` is the class, and", "") if packable.class_names else ("", "is ")
    contents = (
        f"{what_they_show(members, outputs)}{of_class} `json` {is_}the row of the"
        ' manifest, without null: an unknown text is `""`, an unknown number `-1`, and a list'
        ' without entries `[""]`.'
    )
    return card(run, packable, files, features, contents)


def _write(
    asked: pl.DataFrame, outputs: tuple[Output, ...], path: Path, samples: Reading
) -> dict[str, File]:
    index = beside(path, ".json")
    index.unlink(missing_ok=True)  # it belongs to the archive that is replaced
    with replacing(beside(path, ".tar")) as part:
        with part.open("wb") as file:
            tar = Tar(file)
            for sample in samples:
                _add_sample(tar, sample, outputs)
            tar.close()
        places, archive = index_of(part, tar.places)
    with replacing(index) as part:
        part.write_bytes(places)
    offsets = _offsets(tar.places, outputs)
    write_rows(asked, offsets, samples.damaged, beside(path, ".parquet"))
    with replacing(beside(path, "_stats.json")) as part:
        part.write_bytes(_counts(asked, outputs, samples) + b"\n")
    return {".tar": archive, **digests(path, ".json", ".parquet", "_stats.json")}


def _add_sample(tar: Tar, sample: Sample, outputs: tuple[Output, ...]) -> None:
    row, key = sample.row, sample.row["id"]
    members = members_of(outputs).items()
    for (name, member), data in zip(members, sample.files, strict=True):
        tar.add(f"{key}.{member}", data, row[f"{prefix_of(name)}sha256"])
    if "class_id" in row:
        tar.add(f"{key}.cls", b"%d" % row["class_id"])
    tar.add(f"{key}.json", msgspec.json.encode(row))


def _offsets(places: Mapping[str, Place], outputs: tuple[Output, ...]) -> dict[str, dict[int, int]]:
    """Return the byte at which each picture begins, by its column and the id of the image."""
    column_of = {member: f"{prefix_of(name)}offset" for name, member in members_of(outputs).items()}
    begins: dict[str, dict[int, int]] = {column: {} for column in column_of.values()}
    for name, place in places.items():
        key, _, member = name.partition(".")
        if member in column_of:
            begins[column_of[member]][int(key)] = place.offset
    return begins


def _counts(asked: pl.DataFrame, outputs: tuple[Output, ...], samples: Reading) -> bytes:
    """Return the counts of a shard as JSON, with the names that img2dataset uses."""
    damaged = samples.damaged
    statuses = Counter(asked["status"]) + Counter(one.flaw.value for one in damaged)
    statuses[SUCCESS] -= len(damaged)
    counts = {
        "count": asked.height,
        "successes": statuses[SUCCESS],
        "status_dict": dict(sorted(statuses.items())),
        "pictures": members_of(outputs),
    }
    return msgspec.json.encode(counts)


FORMAT = Format(_parts, card=_card)
