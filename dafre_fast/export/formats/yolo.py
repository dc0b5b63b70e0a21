"""`yolo`: `data.yaml`, `images/SPLIT/0446/332446.jpg` and `labels/SPLIT/0446/332446.txt`.

As https://docs.ultralytics.com/datasets/detect/ says: a line of a label is the class id, and middle
x, middle y, width and height of the box as shares of the image. An image without a box has an empty
label. Tags are in `images.parquet`.
"""

import json
from collections.abc import Sequence

import polars as pl

from dafre_fast.core.splits import SPLITS
from dafre_fast.export.formats.common import box_of, bucketed, classes_or_head, table
from dafre_fast.export.rows import FILE, Exporting, Files, Format


def _path(_classes: Sequence[str], extension: str) -> pl.Expr:
    return bucketed("images/{split}", extension)


def _files(export: Exporting) -> Files:
    yield "data.yaml", _description(export).encode()
    yield from table(export.images)
    for row in export.images.iter_rows(named=True):
        line = ""
        if box := box_of(row):
            left, top, width, height = box
            shares = (left + width / 2, top + height / 2, width, height)
            line = " ".join([str(row.get("class_id", 0)), *(f"{one:.6f}" for one in shares)]) + "\n"
        path = row[FILE].removeprefix("images").rpartition(".")[0]
        yield f"labels{path}.txt", line.encode()


def _description(export: Exporting) -> str:
    """Return data.yaml. A text in JSON is one in YAML, too, whatever letters it has. Without `path`
    folders are taken from where this file is.
    """
    there = {*export.images["split"]}
    # train and val are needed: where one of them is empty, the other stands for it.
    of = {split: split for split in SPLITS if split in there}
    first = next(iter(of))
    of = {"train": of.get("train", first), "val": of.get("val", first), **of}
    splits = "".join(f"{name}: images/{split}\n" for name, split in of.items())
    names = enumerate(classes_or_head(export.classes))
    lines = (f"  {number}: {json.dumps(name)}\n" for number, name in names)
    return f"# {json.dumps(export.name)}\n{splits}names:\n{''.join(lines)}"


FORMAT = Format(_path, _files, needs_boxes=True)
