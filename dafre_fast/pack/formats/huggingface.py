"""`hf`: a folder that the library `datasets` of Hugging Face loads as it is.

`data/SPLIT-00000-of-00001.parquet` with pictures as `image` (and the names of further outputs), the
class as `label`, and a README.md that describes the columns.
"""

from collections.abc import Sequence

import polars as pl

from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.outputs import choose_outputs
from dafre_fast.dataset.samples import Sample
from dafre_fast.pack.card import card, what_they_show, words_of_files
from dafre_fast.pack.formats.hub_metadata import FOLDER, LABEL, SPLITS, features_of, pictures
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
        pl.struct(
            pl.col(output.name).alias("bytes"),
            pl.format(f"{{}}.{output.extension}", "id").alias("path"),
        ).alias(shown[output.name])
        for output in outputs
    ]
    others = pl.all().exclude(*shown, "id", "class_id")
    label = [pl.col("class_id").alias(LABEL)] if "class_id" in rows.columns else []
    return table_of(rows, outputs, samples).select("id", *structs, *label, others)


def _card(run: PackRun, packable: Packable) -> str:
    outputs = choose_outputs(packable.outputs, run.images)
    columns, rows = pictures(outputs), made_of(packable.asked)
    features = features_of(
        _table(rows.clear(), outputs, ()).schema,
        packable.class_names,
        images_in=columns.values(),
        classes_in=[LABEL],
    )
    files = {split: f"{FOLDER}/{name}-*.parquet" for split, name in SPLITS.items()}
    of_class = f" `{LABEL}` is the class, with its name;" if packable.class_names else ""
    contents = (
        f"{what_they_show(columns, outputs)}{of_class} `sha256` and"
        f" `face_sha256` are those of {words_of_files(outputs)}. Unknown values and tags are null."
    )
    return card(run, packable, files, features, contents)


FORMAT = Format(_parts, card=_card)
