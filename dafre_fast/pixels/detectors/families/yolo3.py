"""YOLOv3 as Darknet has it: three maps of 3 x (5 + classes) channels, raw.

A cell of a map has three boxes: offset of the centre and objectness as logits, sizes as powers of
e times an anchor. With one class, the score is the objectness, as in the run that made faces.tsv.
Source: Redmon and Farhadi, YOLOv3 (2018), section 2.1; the anchors are those of COCO there.
"""

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
    shares: Floats = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return shares


def _read(outputs: Outputs, size: Size) -> Found:
    found = [_boxes(cells, of, size) for cells, of in zip(_maps(outputs), _ANCHORS, strict=True)]
    return Found(*map(np.concatenate, zip(*found, strict=True)))


def _boxes(cells: Floats, anchors: Floats, size: Size) -> Found:
    rows, columns = cells.shape[:2]
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
    step = np.array((size.width / columns, size.height / rows), np.float32)
    with np.errstate(over="ignore"):  # an infinite box is none
        centres = (_sigmoid(cells[..., :2]) + places[:, :, None]) * step
        sizes = np.exp(cells[..., 2:4]) * anchors
        scores = _sigmoid(cells[..., 4:5])
        if cells.shape[-1] > 6:
            scores = scores * _sigmoid(cells[..., 5:])
    boxes = from_centres(np.concatenate((centres, sizes), axis=-1).reshape(-1, 4))
    return Found(boxes.astype(np.float32), scores.reshape(len(boxes), -1).astype(np.float32))


FAMILY = Family(
    name="yolo3",
    fits=lambda outputs: bool(_maps(outputs)),
    read=_read,
    side=512,
    grey=128,
    nms=0.4,
)
