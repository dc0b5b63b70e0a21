"""The table of all formats of exports."""

from collections.abc import Mapping

from dafre_fast.export.formats import coco, fiftyone, imagefolder, yolo
from dafre_fast.export.rows import Format

FORMATS: Mapping[str, Format] = {
    "fiftyone": fiftyone.FORMAT,
    "coco": coco.FORMAT,
    "imagefolder": imagefolder.FORMAT,
    "yolo": yolo.FORMAT,
}
