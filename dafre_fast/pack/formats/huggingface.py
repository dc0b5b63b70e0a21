"""`hf`: a folder that the library `datasets` of Hugging Face loads as it is.

`data/SPLIT-00000-of-00001.parquet` with pictures as `image` (and the names of further outputs), the
class as `label`, and a README.md that describes the columns.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from dafre_fast.core.settings.images import HEAD_CROP, Output, Whole
from dafre_fast.dataset.outputs import choose_outputs
from dafre_fast.dataset.samples import Sample
from dafre_fast.pack.card import Split, card
from dafre_fast.pack.formats.hub_metadata import FOLDER, LABEL, SPLITS, front_matter, pictures
from dafre_fast.pack.formats.parquet import parts_of_tables, table_of
from dafre_fast.pack.part import Format, Part, ShardRows
from dafre_fast.pack.rows import Packable, made_of
from dafre_fast.pack.settings import PackRun


def _parts(run: PackRun, packable: Packable) -> list[Part]:
    return parts_of_tables(run, packable, _table, _name)


def _name(shard: ShardRows) -> str:
    return f"{FOLDER}/{SPLITS[shard.split]}-{shard.number:05d}-of-{shard.shards:05d}"


def _table(
    rows: pl.DataFrame, outputs: tuple[Output, ...], samples: Sequence[Sample]
) -> pl.DataFrame:
    shown = pictures(outputs)
    structs = [
        pl.struct(pl.col(name).alias("bytes"), pl.format("{}.jpg", "id").alias("path")).alias(as_)
        for name, as_ in shown.items()
    ]
    others = pl.all().exclude(*shown, "id", "class_id")
    label = pl.col("class_id").alias(LABEL)
    return table_of(rows, outputs, samples).select("id", *structs, label, others)


def _card(run: PackRun, packable: Packable) -> str:
    title, rows = run.output.resolve().name, made_of(packable.asked)
    splits = [
        Split(SPLITS[str(split)], in_split.height, in_split["class_id"].n_unique())
        for (split,), in_split in rows.group_by("split", maintain_order=True)
    ]
    outputs = choose_outputs(packable.outputs, run.images)
    columns, schema = pictures(outputs), _table(rows.clear(), outputs, ()).schema
    names = [split.name for split in splits]
    head = front_matter(title, rows.height, names, schema, packable.class_names, columns.values())
    classes = rows["class_id"].n_unique()
    return head + card(title, classes, splits, _what_columns_hold(columns, outputs))


def _what_columns_hold(columns: Mapping[str, str], outputs: Sequence[Output]) -> str:
    """Return a sentence on the columns of pictures: `image` is the whole picture, …"""
    parts = [f"`{columns[output.name]}` {_what_it_shows(output)}" for output in outputs]
    return ", ".join([parts[0].replace("` ", "` is ", 1), *parts[1:]]) + "."


def _what_it_shows(output: Output) -> str:
    if isinstance(output.region, Whole):
        return "the whole picture"
    if output.name == HEAD_CROP.name:
        return "the head"
    return f"the head with a margin of {output.region.margin:g}"


FORMAT = Format(_parts, card=_card)
