"""YOLOv3 as Darknet has it: three maps of 3 x (5 + classes) channels, raw.

A cell of a map has three boxes: offset of the centre and objectness as logits, sizes as powers of
e times an anchor. With one class, the score is the objectness, as in the run that made faces.tsv.
Source: Redmon and Farhadi, YOLOv3 (2018), section 2.1; the anchors are those of COCO there.
"""

from collections.abc import Sequence

import numpy as np

from dafre_fast.pixels.detectors.families.base import Family, Floats, Found, Outputs, from_centres
from dafre_fast.pixels.geometry import Size

_ANCHORS = np.array(
    (
        ((10, 13), (16, 30), (33, 23)),
        ((30, 61), (62, 45), (59, 119)),
        ((116, 90), (156, 198), (373, 326)),
    ),
    np.float32,
)
"""Width and height in pixels, of the map with the most cells first."""


def _maps(outputs: Outputs) -> list[Floats]:
    """Return the maps (rows, columns, 3, 5 + classes), the one with the most cells first; none if
    the outputs are others.
    """
    maps = []
    for output in outputs.values():
        if output.ndim != 4 or len(output) != 1:
            return []
        channels = 1 if output.shape[1] % 3 == 0 and output.shape[1] >= 18 else 3
        if output.shape[channels] % 3 or output.shape[channels] < 18:
            return []
        cells = np.moveaxis(output[0], channels - 1, -1)
        maps.append(cells.reshape(*cells.shape[:2], 3, -1))
    if len(maps) != len(_ANCHORS) or len({cells.shape[-1] for cells in maps}) > 1:
        return []
    return sorted(maps, key=lambda cells: -cells.shape[0] * cells.shape[1])


def _sigmoid(logits: Floats) -> Floats:
    with np.errstate(over="ignore"):  # e to the power of much is infinite, and its share is 0
        shares: Floats = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return shares


def _read(outputs: Outputs, size: Size) -> Found:
    maps = _maps(outputs)
    scores = np.concatenate([_scores(cells) for cells in maps])
    return Found(scores, lambda these: _boxes(maps, size)[these])


def _scores(cells: Floats) -> Floats:
    rows = cells.reshape(-1, cells.shape[-1])
    scores = _sigmoid(rows[:, 4:5])
    return scores * _sigmoid(rows[:, 5:]) if rows.shape[1] > 6 else scores


def _boxes(maps: Sequence[Floats], size: Size) -> Floats:
    found = [_boxes_of(cells, of, size) for cells, of in zip(maps, _ANCHORS, strict=True)]
    return np.concatenate(found)


def _boxes_of(cells: Floats, anchors: Floats, size: Size) -> Floats:
    rows, columns = cells.shape[:2]
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
    step = np.array((size.width / columns, size.height / rows), np.float32)
    with np.errstate(over="ignore"):  # an infinite box is none
        centres = (_sigmoid(cells[..., :2]) + places[:, :, None]) * step
        sizes = np.exp(cells[..., 2:4]) * anchors
    boxes = np.concatenate((centres, sizes), axis=-1).reshape(-1, 4)
    return from_centres(boxes.astype(np.float32))


FAMILY = Family(
    name="yolo3",
    fits=lambda outputs: bool(_maps(outputs)),
    read=_read,
    side=512,
    grey=128,
    nms=0.4,
)
