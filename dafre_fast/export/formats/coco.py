"""`coco`: `annotations/instances_SPLIT.json` and `SPLIT/0446/332446.jpg`.

As https://cocodataset.org/#format-data says: a `bbox` is left, top, width and height in pixels of
the image in the export, and `area` is width times height. Categories are numbered from 1, in the
order of class ids. Images have `class_name` and `tags` besides, by kind.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from dafre_fast.core.splits import SPLITS
from dafre_fast.export.formats.common import box_of, bucketed, classes_or_head, tags_of
from dafre_fast.export.rows import FILE, SIDES, Exporting, Files, Format


def _path(_classes: Sequence[str], extension: str) -> pl.Expr:
    return bucketed("{split}", extension)


def _files(export: Exporting) -> Files:
    classes = classes_or_head(export.classes)
    categories = [
        {"id": number, "name": name, "supercategory": "character"}
        for number, name in enumerate(classes, 1)
    ]
    for split in SPLITS:
        rows = export.images.filter(split=split)
        if not rows.is_empty():
            found = {
                "info": {"description": f"{export.name}, {split}"},
                "licenses": [],
                "images": [*map(_image, rows.iter_rows(named=True))],
                "annotations": [*_annotations(rows)],
                "categories": categories,
            }
            yield f"annotations/instances_{split}.json", msgspec.json.encode(found)


def _image(row: dict[str, Any]) -> dict[str, Any]:
    width, height = (row[side] for side in SIDES)
    return {
        "id": row["id"],
        "file_name": row[FILE].partition("/")[2],
        "width": width,
        "height": height,
        "class_name": row.get("class_name"),
        "tags": tags_of(row),
    }


def _annotations(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    number = 0
    for row in rows.iter_rows(named=True):
        if box := box_of(row):
            number += 1
            width, height = (row[side] for side in SIDES)
            scales = (width, height, width, height)
            edges = [round(edge * side, 3) for edge, side in zip(box, scales, strict=True)]
            yield {
                "id": number,  # never 0, which pycocotools takes for no match
                "image_id": row["id"],
                "category_id": row.get("class_id", 0) + 1,
                "bbox": edges,
                "area": round(edges[2] * edges[3], 3),
                "iscrowd": 0,
            }


FORMAT = Format(_path, _files, needs_boxes=True)
