"""RT-DETR: one output (1, 300, 4 + classes), centres and sizes as shares of the input; no NMS.

With two classes it has the shape of YOLOv10, which has a whole number in the last column.
Source: the export of Ultralytics (`ultralytics/nn/modules/head.py`, class RTDETRDecoder).
"""

import numpy as np

from dafre_fast.pixels.detectors.families.base import Family, Found, Outputs, from_centres, only
from dafre_fast.pixels.detectors.families.yolo10 import MOST_BOXES
from dafre_fast.pixels.geometry import Size


def _fits(outputs: Outputs) -> bool:
    output = only(outputs)
    return output is not None and len(output) == MOST_BOXES and 5 <= output.shape[1] < MOST_BOXES


def _read(outputs: Outputs, size: Size) -> Found:
    rows = only(outputs)
    assert rows is not None
    pixels = np.array((*size, *size), np.float32)
    return Found(rows[:, 4:], lambda these: from_centres(rows[these, :4]) * pixels)


FAMILY = Family(name="rtdetr", fits=_fits, read=_read, side=640, fit="stretch", nms=None)
