"""`parquet`: tables `SPLIT/00000.parquet` with the bytes of each output in a column of its name."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from dafre_fast.core.atomic import File
from dafre_fast.core.settings.images import Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.outputs import choose_outputs
from dafre_fast.dataset.samples import Sample
from dafre_fast.pack.card import card, what_they_show, words_of_files
from dafre_fast.pack.formats.hub_metadata import features_of
from dafre_fast.pack.part import (
    REVISION,
    Format,
    Part,
    Reading,
    ShardRows,
    beside,
    cut_into_shards,
    digests,
)
from dafre_fast.pack.rows import GROUP, Packable, contents_of, made_of, write_pictures
from dafre_fast.pack.settings import PackRun

Table = Callable[[pl.DataFrame, tuple[Output, ...], Sequence[Sample]], pl.DataFrame]
"""Makes a table of rows, outputs and samples of these rows."""


def parts_of_tables(
    run: PackRun, packable: Packable, table: Table, name: Callable[[ShardRows], str]
) -> list[Part]:
    """Plan Parquet files of made images, with the columns of `table` and the path of `name`."""
    outputs = choose_outputs(packable.outputs, run.images)
    return [
        Part(
            name(shard),
            shard.rows,
            outputs,
            contents_of(shard.rows, REVISION, run.format, run.images),
            partial(_write, shard.rows, outputs, table),
        )
        for shard in cut_into_shards(made_of(packable.asked), run.shard_size)
    ]


def table_of(
    rows: pl.DataFrame, outputs: tuple[Output, ...], samples: Sequence[Sample]
) -> pl.DataFrame:
    """Return the rows of samples, with the bytes of each output in a column of its name."""
    return rows[[sample.place for sample in samples]].with_columns(
        pl.Series(output.name, [sample.files[place] for sample in samples], pl.Binary)
        for place, output in enumerate(outputs)
    )


def _parts(run: PackRun, packable: Packable) -> list[Part]:
    return parts_of_tables(
        run, packable, table_of, lambda shard: f"{shard.split}/{shard.number:05d}"
    )


def _write(
    rows: pl.DataFrame, outputs: tuple[Output, ...], table: Table, path: Path, samples: Reading
) -> dict[str, File]:
    passing = iter(samples)
    groups = iter(lambda: [*islice(passing, GROUP)], [])
    tables = (table(rows, outputs, group) for group in groups)
    schema = table(rows, outputs, ()).schema
    write_pictures(tables, schema, beside(path, ".parquet"))
    return digests(path, ".parquet")


def _card(run: PackRun, packable: Packable) -> str:
    outputs = choose_outputs(packable.outputs, run.images)
    names, rows = {one.name: one.name for one in outputs}, made_of(packable.asked)
    features = features_of(table_of(rows.clear(), outputs, ()).schema, images_in=names)
    files = {split: f"{split}/*.parquet" for split in SPLITS}
    of_class = " `class_id` is the class, `class_name` its name;" if packable.class_names else ""
    contents = (
        f"{what_they_show(names, outputs)}{of_class} `sha256`"
        f" and `face_sha256` are those of {words_of_files(outputs)}. Unknown values and tags are"
        " null."
    )
    return card(run, packable, files, features, contents)


FORMAT = Format(_parts, card=_card)
