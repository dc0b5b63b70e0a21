"""Names of files and columns, and the metadata that the library `datasets` of Hugging Face reads.

The metadata is the YAML at the head of README.md: `configs`, and `datasets.Features` under
`dataset_info`. Text is written as JSON, which YAML includes. A list is called `sequence`, which old
and new versions of the library read.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import msgspec
import polars as pl

from dafre_fast.core.settings.images import Output

FOLDER = "data"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of the splits on the hub."""
IMAGE, LABEL = "image", "label"
"""The columns of the first picture and of the class."""
_KINDS = {pl.Int64: "int64", pl.Float32: "float32", pl.Float64: "float64", pl.String: "string"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def pictures(outputs: Sequence[Output]) -> dict[str, str]:
    """Return the column of each output by its name: `image` for the first, its name for others."""
    return {output.name: output.name if place else IMAGE for place, output in enumerate(outputs)}


def front_matter(
    title: str,
    images: int,
    splits: Iterable[str],
    schema: Mapping[str, pl.DataType],
    class_names: Sequence[str],
    images_in: Container[str],
) -> str:
    """Return the YAML for files with columns of these types; columns in `images_in` are images, and
    `LABEL` is a class with these names.
    """
    size = next((name for most, name in _SIZES if images < most), "1M<n<10M")
    lines = [
        "---",
        f"pretty_name: {_text(title)}",
        "license: unknown",
        "task_categories:\n- image-classification",
        f"size_categories:\n- {size}",
        "configs:\n- config_name: default\n  data_files:",
        *(f"  - split: {name}\n    path: {FOLDER}/{name}-*.parquet" for name in splits),
        "dataset_info:\n  features:",
        *(
            line
            for name, kind in schema.items()
            for line in _feature(name, kind, class_names, images_in)
        ),
        "---\n\n",
    ]
    return "\n".join(lines)


def _feature(
    name: str, kind: pl.DataType, class_names: Sequence[str], images_in: Container[str]
) -> Iterator[str]:
    yield f"  - name: {name}"
    if name in images_in:
        yield "    dtype: image"
    elif name == LABEL:
        yield "    dtype:\n      class_label:\n        names:"
        yield from (f"          '{place}': {_text(name)}" for place, name in enumerate(class_names))
    elif isinstance(kind, pl.List):
        yield "    sequence: string"
    else:
        yield f"    dtype: {_KINDS[type(kind)]}"


def _text(text: str) -> str:
    return msgspec.json.encode(text).decode()
