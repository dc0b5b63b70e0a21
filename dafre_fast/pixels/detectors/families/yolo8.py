"""YOLOv8, YOLOv9 and YOLO11: one output (1, 4 + classes, N), a column per box, no objectness.

Source: the export of Ultralytics (`ultralytics/nn/modules/head.py`, class Detect).
"""

from dafre_fast.pixels.detectors.families.base import Family, Found, Outputs, from_centres, only
from dafre_fast.pixels.geometry import Size


def _fits(outputs: Outputs) -> bool:
    output = only(outputs)
    return output is not None and 5 <= output.shape[0] < output.shape[1]


def _read(outputs: Outputs, _size: Size) -> Found:
    columns = only(outputs)
    assert columns is not None
    return Found(columns[4:].T, lambda these: from_centres(columns[:4, these].T))


FAMILY = Family(name="yolo8", fits=_fits, read=_read, side=640)
