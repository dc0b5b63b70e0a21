"""The outputs of a dataset, and how its tables and shards name them.

In tables (ledger, manifest, tables of shards) an output is four columns, `width`, `height`, `bytes`
and `sha256`, with a prefix: none for the full image, `face_` for the head crop, and the name with
`_` for any other. Everywhere else an output is a record (`core.settings.images.Output`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.layout import MANIFEST
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Encoding, Output
from dafre_fast.dataset import output_columns
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.provenance import makings

FIELDS: Mapping[str, pl.DataType] = {
    name: pl.String() if name == "sha256" else pl.Int64() for name in output_columns.FIELDS
}
"""The columns of an output, without their prefix, and their types."""
ALL = "both"
"""The word for all outputs in commands; there were two when it was chosen."""


def columns_of(outputs: Sequence[Output]) -> dict[str, pl.DataType]:
    """Return the columns of these outputs, one output after the other, with their types."""
    return {
        f"{prefix_of(output.name)}{field}": kind
        for output in outputs
        for field, kind in FIELDS.items()
    }


def asked_column(name: str) -> str:
    """Return the column of the file to write, in a table of what is asked for (`engine.plan`)."""
    return f"{name} file"


def members_of(outputs: Sequence[Output]) -> dict[str, str]:
    """Return the ending of the members of each output, by its name, in a shard that holds these
    outputs: `jpg` for the first, `{name}.jpg` for the others, or with the extension of another
    format. The id precedes it.
    """
    return {
        output.name: f"{output.name}.{output.extension}" if place else output.extension
        for place, output in enumerate(outputs)
    }


def word_of(output: Output) -> str:
    """Return the word of commands for an output: `full`, `faces`, else its name."""
    return "faces" if output.name == HEAD_CROP.name else output.name


def choose_outputs(outputs: Sequence[Output], images: str) -> tuple[Output, ...]:
    """Return the outputs that a command is asked for: `full`, `faces`, another by its name, or
    `both`, which is all of them. Raises UsageError for another word.
    """
    words: dict[str, tuple[Output, ...]] = {word_of(output): (output,) for output in outputs}
    words[ALL] = tuple(outputs)
    if images not in words:
        raise UsageError(f"images {images!r}: {', '.join(words)} are known")
    return words[images]


def read_outputs(dataset: Path, manifest: Path | None = None) -> tuple[Output, ...]:
    """Return the outputs of a dataset on disk, the full image and the head crop, if any, first.

    Outputs are known from the settings that runs recorded beside the ledger. Others than the full
    image count only if the manifest, where there is one, has their columns. Without recorded
    settings, an output with columns in the manifest is assumed to lie in a folder of its name, and
    to have the format of the paths in the manifest.
    """
    path, known = manifest or dataset / MANIFEST, dict[str, Output]()
    with suppress(InputError):  # the record is damaged: the columns of the manifest are left
        for making in makings(dataset):
            known |= {output.name: output for output in making.settings.outputs}
    encoding = Encoding() if known else _encoding_of_manifest(path)
    both = (replace(output, encoding=encoding) for output in (FULL_IMAGE, HEAD_CROP))
    known = {output.name: output for output in both} | known
    columns = _columns_of_manifest(path)
    if columns is None:
        return tuple(known.values())
    others = [name for name in _names(columns) if name not in (FULL_IMAGE.name, HEAD_CROP.name)]
    has_heads = columns.keys() & columns_of([HEAD_CROP]).keys()
    return (
        known[FULL_IMAGE.name],
        *([known[HEAD_CROP.name]] if has_heads else []),
        *(known.get(name) or Output(name, name, encoding=encoding) for name in others),
    )


def _encoding_of_manifest(manifest: Path) -> Encoding:
    """Return the format that the first path in a manifest of ids has, the default if it is none. In
    one without ids, paths are those of originals.
    """
    with suppress(OSError, pl.exceptions.PolarsError, msgspec.ValidationError):
        first = pl.scan_parquet(manifest, glob=False).select("id", "path").head(1).collect()
        extension = "".join(first["path"].cast(pl.String)).rpartition(".")[2]
        return msgspec.convert({"encode_format": extension}, Encoding)
    return Encoding()


def _columns_of_manifest(manifest: Path) -> Mapping[str, pl.DataType] | None:
    """Return the columns of a manifest, None if it cannot be read."""
    try:
        return pl.read_parquet_schema(manifest)
    except (OSError, pl.exceptions.PolarsError):
        return None


def _names(columns: Mapping[str, pl.DataType]) -> Iterator[str]:
    """Yield the names of outputs with all their columns among these."""
    for column in columns:
        name = column.removesuffix("_sha256")
        with suppress(ValueError):  # no output can have such a name
            if name != column and columns.keys() >= columns_of([Output(name, name)]).keys():
                yield name
