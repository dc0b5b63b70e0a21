"""YOLOv5 and converted YOLOv3: one output (1, N, 5 + classes) with objectness.

Source: the export of YOLOv5 (`models/yolo.py`, class Detect).
"""

from dafre_fast.pixels.detectors.families.base import Family, Found, Outputs, from_centres, only
from dafre_fast.pixels.geometry import Size


def _fits(outputs: Outputs) -> bool:
    output = only(outputs)
    return output is not None and 6 <= output.shape[1] < output.shape[0]


def _read(outputs: Outputs, _size: Size) -> Found:
    rows = only(outputs)
    assert rows is not None
    return Found(rows[:, 4:5] * rows[:, 5:], lambda these: from_centres(rows[these, :4]))


FAMILY = Family(name="yolo5", fits=_fits, read=_read, side=640, nms=0.45)
