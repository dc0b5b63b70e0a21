"""YOLOv10 and YOLO26: one output (1, 300, 6) of left, top, right, bottom, score, class; no NMS.

Source: the export of Ultralytics (`ultralytics/nn/modules/head.py`, `v10Detect.postprocess`).
"""

import numpy as np

from dafre_fast.pixels.detectors.families.base import Family, Found, Outputs, only
from dafre_fast.pixels.geometry import Size

MOST_BOXES = 300
_MOST_CLASSES = 1000


def _fits(outputs: Outputs) -> bool:
    output = only(outputs)
    if output is None or output.shape != (MOST_BOXES, 6):
        return False
    classes = np.nan_to_num(output[:, 5])  # RT-DETR of two classes has the scores of one there
    return bool((classes == np.floor(classes)).all())


def _read(outputs: Outputs, _size: Size) -> Found:
    rows = only(outputs)
    assert rows is not None
    numbers = np.clip(np.nan_to_num(rows[:, 5]), 0, _MOST_CLASSES - 1).astype(np.int64)
    scores = np.zeros((len(rows), int(numbers.max(initial=0)) + 1), np.float32)
    scores[np.arange(len(rows)), numbers] = rows[:, 4]
    return Found(scores, lambda these: rows[these, :4])


FAMILY = Family(name="yolo10", fits=_fits, read=_read, side=640, tells_classes=False, nms=None)
