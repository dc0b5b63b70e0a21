"""Names of files and columns, and the metadata that the library `datasets` of Hugging Face reads.

The metadata is the YAML at the head of README.md: `configs`, and `datasets.Features` under
`dataset_info`. Text is written as JSON, which YAML includes. A list is called `sequence`, which old
and new versions of the library read.
"""

from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec
import polars as pl

from dafre_fast.core.settings.images import Output

FOLDER = "data"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of the splits on the hub."""
IMAGE, LABEL = "image", "label"
"""The columns of the first picture and of the class."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def pictures(outputs: Sequence[Output]) -> dict[str, str]:
    """Return the column of each output by its name: `image` for the first, its name for others."""
    return {output.name: output.name if place else IMAGE for place, output in enumerate(outputs)}


def front_matter(title: str, images: int, files: Mapping[str, str], features: Sequence[str]) -> str:
    """Return the YAML for a pack whose splits have these files (patterns) and whose columns are
    described by `features`.
    """
    size = next((name for most, name in _SIZES if images < most), "1M<n<10M")
    lines = [
        "---",
        f"pretty_name: {_text(title)}",
        "license: unknown",
        "task_categories:\n- image-classification",
        f"size_categories:\n- {size}",
        "configs:\n- config_name: default\n  data_files:",
        *(f"  - split: {split}\n    path: {pattern}" for split, pattern in files.items()),
        "dataset_info:\n  features:",
        *(f"  {line}" for line in features),
        "---\n\n",
    ]
    return "\n".join(lines)


def features_of(
    schema: Mapping[str, pl.DataType],
    class_names: Sequence[str] = (),
    *,
    images_in: Container[str] = (),
    classes_in: Container[str] = (),
) -> list[str]:
    """Return the lines that describe columns of these types. Columns in `images_in` are images,
    those in `classes_in` classes with these names.
    """
    lines = list[str]()
    for name, kind in schema.items():
        lines.append(f"- name: {name}")
        if name in images_in:
            lines.append("  dtype: image")
        elif name in classes_in:
            lines.append("  dtype:\n      class_label:\n        names:")
            names = enumerate(class_names)
            lines += (f"        '{number}': {_text(name)}" for number, name in names)
        else:
            lines += _type(kind)
    return lines


def _type(kind: pl.DataType) -> Iterator[str]:
    if isinstance(kind, pl.Struct):
        yield "  struct:"
        fields = {field.name: field.dtype for field in kind.fields}
        yield from (f"  {line}" for line in features_of(fields))  # type: ignore[arg-type]
    elif isinstance(kind, pl.List):
        yield f"  sequence: {_name_of(kind.inner)}"
    else:
        yield f"  dtype: {_name_of(kind)}"


def _name_of(kind: object) -> str:
    """Return the name of a type: `int64`, `float32`, `string`. YAML takes a bare null for none."""
    name = str(kind).lower()
    return {"boolean": "bool", "null": "'null'"}.get(name, name)


def _text(text: str) -> str:
    return msgspec.json.encode(text).decode()
