"""Heads: originals to head boxes but for inference, inference itself, and posts to candidates.

The detector is a file (`--detector`), or a network that is drawn: as much work as YOLOv8s at 640
pixels (28.6 GFLOP), the size that people use. Reading metadata, as `tags` does, stands beside the
choice of candidates from it; records count as images.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from bench.benchmarks import Workload, each_original
from bench.corpus import draw_metadata
from bench.measure import Contender, timed
from bench.records import Role
from dafre_fast.core.settings.images import Bounds
from dafre_fast.heads.candidates import choose
from dafre_fast.heads.settings import Candidates
from dafre_fast.pixels.detectors.backends.base import Network
from dafre_fast.pixels.detectors.decide import Options
from dafre_fast.pixels.detectors.detector import Detector, load
from dafre_fast.pixels.detectors.families.base import Floats, Outputs
from dafre_fast.pixels.making import show_picture
from dafre_fast.tables.posts import read_posts

_STEM = ((3, 32), (32, 64), (64, 128), (128, 256), (256, 512))
"""Channels of the convolutions that halve a picture."""
_MORE = {64: 4, 128: 4, 256: 4, 512: 1}
"""Further convolutions by their channels."""


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    detector = load(_model(workload.detector), Options())
    side = f"{detector.family.name} at {detector.side}"
    found = []
    for part, corpus in workload.corpus.parts():
        known = _Known(detector)
        compete = partial(each_original, f"{part}, {side}", corpus)
        found += [
            compete("inference", known.infer, Role.FLOOR),
            compete("besides inference", known.find),
        ]
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        posts = draw_metadata(folder, workload.records).posts
        yield [*found, *_of_metadata([posts], folder, workload.records)]


class _Known:
    """A detector that runs its network once for each original, and then knows the outputs."""

    def __init__(self, detector: Detector) -> None:
        self._network, self._outputs = detector.network, dict[str, tuple[Floats, Outputs]]()
        self._path = ""
        known = Network(self._run, detector.network.backend)
        self._detector = Detector(**(vars(detector) | {"network": known}))

    def find(self, path: Path) -> None:
        """Search an original for heads, as a worker does; the network is not run again."""
        self._path = str(path)
        _, pixels = show_picture(path.read_bytes(), Bounds(), self._detector.side)
        self._detector.find(pixels)

    def infer(self, path: Path) -> None:
        """Run the network on the input that the original makes."""
        if str(path) not in self._outputs:
            self.find(path)
        self._network.run(self._outputs[str(path)][0])

    def _run(self, planes: Floats) -> Outputs:
        if self._path not in self._outputs:
            self._outputs[self._path] = planes, self._network.run(planes)
        return self._outputs[self._path][1]


def _of_metadata(paths: list[Path], folder: Path, records: int) -> list[Contender]:
    def reading() -> None:
        with TemporaryDirectory(dir=folder) as scratch:
            posts = read_posts(paths, Path(scratch), 0.01)
            posts.rows.select(pl.len()).collect()

    def choosing() -> None:
        with TemporaryDirectory(dir=folder) as scratch:
            choose(paths, Candidates(), 0.01, Path(scratch))

    return [
        Contender("reading", partial(timed, reading), records, 0, "metadata", Role.FLOOR, reading),
        Contender("candidates", partial(timed, choosing), records, 0, "metadata"),
    ]


def _model(path: Path | None) -> bytes:
    return path.read_bytes() if path else _drawn()


def _drawn(side: int = 640) -> bytes:
    """Return an ONNX file with the layout of YOLOv8 and the work of YOLOv8s."""
    from onnx import TensorProto, helper

    rng, nodes, weights, last = np.random.default_rng(0), [], [], "images"

    def convolve(channels: int, wanted: int, **attributes: object) -> None:
        nonlocal last
        name = f"weights{len(weights)}"
        values = rng.normal(0, (channels * 9) ** -0.5, (wanted, channels, 3, 3))
        weights.append(helper.make_tensor(name, TensorProto.FLOAT, values.shape, values.ravel()))
        names = [f"sums{len(weights)}", f"values{len(weights)}"]
        shape: Mapping[str, object] = {"kernel_shape": [3, 3], "pads": [1] * 4, **attributes}
        nodes.append(helper.make_node("Conv", [last, name], names[:1], **shape))
        nodes.append(helper.make_node("Sigmoid", names[:1], names[1:]))
        last = names[1]

    for channels, wanted in _STEM:
        convolve(channels, wanted, strides=[2, 2])
        for _ in range(_MORE.get(wanted, 0)):
            convolve(wanted, wanted)
    convolve(_STEM[-1][1], 5)
    weights.append(helper.make_tensor("shape", TensorProto.INT64, [3], [1, 5, -1]))
    nodes.append(helper.make_node("Reshape", [last, "shape"], ["output0"]))
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, (side // 32) ** 2])
    graph = helper.make_graph(nodes, "drawn", [picture], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()
