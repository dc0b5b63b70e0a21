"""Plan a run: which images and outputs are requested, and which of them are left to make. Pure:
tables in, tables out.

A table of requested images has a row per image and these columns: `key`, `original` (a path, null
if a source has to find it), for each requested output the file to write
(`dataset.outputs.asked_column`), `spool` (the file to which all outputs are appended instead, or
null), and the head box as `left`, `top`, `right`, `bottom`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import starmap
from os.path import splitext
from pathlib import Path

import polars as pl

from dafre_fast.core.formats import EXTENSIONS
from dafre_fast.core.records import Box, Wanted, WantedOutput
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import asked_column
from dafre_fast.dataset.places import recorded

_TEXT = pl.lit(None, dtype=pl.String)


def ask_catalogue(kept: pl.DataFrame, folders: Mapping[Output, Path]) -> pl.DataFrame:
    """Request outputs of the rows of a catalogue, each output in its folder, as
    `{folder}/{bucket}/{id}.jpg`, or with the extension of another format. Returns the rows with all
    their columns; `path` gets the extension of the first output.
    """
    paths = {
        asked_column(output.name): pl.lit(f"{folder}/") + _named(output.extension)
        for output, folder in folders.items()
    }
    named = [_named(output.extension) for output in [*folders][:1]]
    key = pl.col("id").cast(pl.String)
    return kept.with_columns(*named, key=key, original=_TEXT, **paths, spool=_TEXT)


def _named(extension: str) -> pl.Expr:
    """Return the paths of a catalogue with another extension."""
    return pl.col("path").str.replace(r"\.[a-z]+$", f".{extension}")


def lean(asked: pl.DataFrame, outputs: Sequence[Output]) -> pl.DataFrame:
    """Return the columns of a table of requested images that a run needs: others may have any
    names.
    """
    files = [asked_column(name) for name in _asked_outputs(asked, outputs)]
    of_catalogue = [name for name in ("id", "path", "split") if name in asked.columns]
    return asked.select("key", *of_catalogue, "original", "spool", *files, *Box._fields)


def buckets_of(asked: pl.DataFrame) -> list[str]:
    """Return the buckets of the images of a catalogue that are requested."""
    return asked["path"].str.head(4).unique().sort().to_list()


def ask_files(files: Iterable[tuple[str, str]], output: Output, folder: Path) -> pl.DataFrame:
    """Request one output of each file, given as (path in the tree, path to read). Column `path` of
    the table returned is the path in the tree; `output_names` gives the names of the files to
    write.
    """
    keys, originals = zip(*sorted(files), strict=True)
    paths = [f"{folder}/{name}" for name in output_names(keys, output.extension)]
    columns = {"key": keys, "path": keys, "original": originals, asked_column(output.name): paths}
    asked = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    nothing = {edge: pl.lit(None, dtype=pl.Float32) for edge in Box._fields}
    return asked.with_columns(spool=_TEXT, **nothing)


def remaining(
    asked: pl.DataFrame,
    standing: pl.LazyFrame,
    outputs: Sequence[Output],
    size_of: Callable[[str], int | None],
) -> pl.DataFrame:
    """Return the rows that are left to make: those without a settled outcome (`standing`), and
    those with an output file that is missing or not of the recorded size. `size_of` returns the
    size of a file in bytes, None if there is none.
    """
    names = _asked_outputs(asked, outputs)
    files = [asked_column(name) for name in names]
    sizes = {f"{name} bytes": f"{prefix_of(name)}bytes" for name in names}
    outcome = standing.select("key", success=pl.col("reason").is_null(), **sizes)
    rows = asked.lazy().join(outcome, on="key", how="left", maintain_order="left").collect()
    there = rows["success"].is_not_null()
    for file, size in zip(files, sizes, strict=True):
        columns = rows.select("success", file, size).iter_rows()
        stands = (_stands(done, path, written, size_of) for done, path, written in columns)
        there &= pl.Series(stands, dtype=pl.Boolean)
    return rows.filter(~there).drop("success", *sizes)


def remaining_of_spools(
    asked: pl.DataFrame,
    standing: pl.LazyFrame,
    places: pl.DataFrame,
    outputs: Sequence[Output],
) -> pl.DataFrame:
    """Return the rows that are left to make in a dataset that lies in spools and shards: those
    whose outputs lie at none of `places` (`dataset.places`) with the recorded hashes.
    """
    hashes = [f"{prefix_of(output.name)}sha256" for output in outputs]
    made = standing.filter(pl.col("reason").is_null()).select(
        "key", *hashes, id=pl.col("key").cast(pl.Int64)
    )
    there = recorded(places, made.collect()).lazy().select(pl.col("id").cast(pl.String))
    refused = standing.filter(pl.col("reason").is_not_null()).select("key")
    left = asked.lazy().join(refused, on="key", how="anti", maintain_order="left")
    return left.join(
        there, left_on="key", right_on="id", how="anti", maintain_order="left"
    ).collect()


def _asked_outputs(asked: pl.DataFrame, outputs: Sequence[Output]) -> list[str]:
    return [output.name for output in outputs if asked_column(output.name) in asked.columns]


def _stands(
    success: bool | None, path: str, written: int | None, size_of: Callable[[str], int | None]
) -> bool:
    """Return True if an output has its recorded size, or was refused."""
    if success is None:  # there is no outcome
        return False
    return (written is None and not success) or size_of(path) == written


def wanted(rows: pl.DataFrame, outputs: Sequence[Output]) -> Iterator[Wanted]:
    """Yield the rows as records, one by one."""
    names = _asked_outputs(rows, outputs)
    return starmap(partial(_wanted, names), _columns(rows, names).iter_rows())


def wanted_at(rows: pl.DataFrame, outputs: Sequence[Output]) -> Callable[[int], Wanted]:
    """Return a function that gives the record of any row by its number; records are not kept."""
    names = _asked_outputs(rows, outputs)
    columns = _columns(rows, names)  # once: per row it would cost thirty times as much as the rest
    return lambda row: _wanted(names, *columns.row(row))


def _columns(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    return rows.select("key", "original", "spool", *Box._fields, *map(asked_column, names))


def _wanted(
    names: Sequence[str],
    key: str,
    original: str | None,
    spool: str | None,
    left: float | None,
    top: float,
    right: float,
    bottom: float,
    *paths: str,
) -> Wanted:
    box = None if left is None else Box(left, top, right, bottom)
    outputs = tuple(map(WantedOutput, names, paths))
    return Wanted(key, original, outputs, box, spool)


def output_names(keys: Sequence[str], extension: str = "jpg") -> list[str]:
    """Return the name of the output of each original in a tree; `keys` are in ascending order.

    `0123/5.png` becomes `0123/5.jpg`. If `0123/5.jpg` is an original too, it becomes
    `0123/5.png.jpg`, so that no output overwrites another. What does not have the extension of an
    image, such as `0123/5.json`, comes last. Another extension stands in place of `jpg`.
    """
    ending = f".{extension}"
    taken = {key for key in keys if key.endswith(ending)}
    names, beside = [*keys], list[int]()
    for place, key in enumerate(keys):
        if not key.endswith(ending):
            stem, own = splitext(key)  # noqa: PTH122  (a Path per file costs)
            if _is_of_image(own):
                names[place] = _take_name(stem, key, ending, taken)
            else:
                beside.append(place)
    for place in beside:
        key = keys[place]
        names[place] = _take_name(splitext(key)[0], key, ending, taken)  # noqa: PTH122
    return names


def _take_name(stem: str, key: str, ending: str, taken: set[str]) -> str:
    name = f"{stem}{ending}"
    name = f"{key}{ending}" if name in taken else name
    while name in taken:
        name += ending
    taken.add(name)
    return name


def renamed(keys: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the originals, named as images, whose output has another name because an original of
    the same name has taken it; and these outputs (`output_names`).
    """
    return [
        (key, name)
        for key, name in zip(keys, names, strict=True)
        if name.startswith(f"{key}.") and _is_of_image(splitext(key)[1])  # noqa: PTH122
    ]


def _is_of_image(extension: str) -> bool:
    return extension[1:].lower() in EXTENSIONS
