"""A real detector finds the heads of the sample, and of real pictures, whatever runs it."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dafre_fast.core.errors import Refusal
from dafre_fast.core.records import Box, Head
from dafre_fast.core.settings.images import Bounds
from dafre_fast.pixels.detectors.decide import Options
from dafre_fast.pixels.detectors.detector import Detector, load
from dafre_fast.pixels.making import show_picture
from dafre_fast.tables.faces import read_faces
from tests.commands import run

SHARED = Path(__file__).resolve().parents[2] / "../shared/heads"
FROM_BEHIND = {"164032.jpg": 0, "a4_Fate_1080p.jpg": 0}
"""Pictures with a head that is seen from behind, and its number in heads.tsv."""

DRAW = """
from pathlib import Path
from dafre_fast.sample import served_sample
with served_sample(Path("sample")):
    pass
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the detector (../shared/heads) is absent"),
]


def detector(side: int, backend: str = "onnxruntime") -> Detector:
    if backend == "onnxruntime":
        pytest.importorskip("onnxruntime")
    data = (SHARED / "faceboxes.onnx").read_bytes()
    return load(data, Options(side=side, backend=backend))


def heads_of(path: Path, detector: Detector) -> list[Head]:
    _, pixels = show_picture(path.read_bytes(), Bounds(), detector.side)
    return detector.find(pixels)


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return intersection over union."""
    edges = zip((max, max, min, min), one, other, strict=True)
    left, top, right, bottom = (pick(edge, same) for pick, edge, same in edges)
    both = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[Path, Box]:
    """Draw the originals of the sample; return them with the boxes of their heads."""
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    run([sys.executable, "-c", DRAW], cwd=folder.parent).check_returncode()
    rows = read_faces(folder / "faces.tsv").unique("id", keep="first", maintain_order=True)
    boxes = {row["id"]: Box(*(row[edge] for edge in Box._fields)) for row in rows.to_dicts()}
    paths = sorted((folder / "original").rglob("*.*"))
    return {path: boxes[int(path.stem)] for path in paths if int(path.stem) in boxes}


def test_the_heads_of_the_sample_are_found(originals) -> None:
    found, right = detector(1024), 0
    for path, box in originals.items():
        try:
            heads = heads_of(path, found)
        except Refusal:
            continue
        right += len(heads) == 1 and overlap(heads[0].box, box) >= 0.5
    assert right >= 195


def test_both_backends_find_the_same_to_the_sixth_decimal(originals) -> None:
    one, other = (detector(512, backend) for backend in ("onnxruntime", "opencv"))
    some = [path for path in originals if path.stat().st_size > 10_000][::4]
    for path in some:
        pairs = zip(heads_of(path, one), heads_of(path, other), strict=True)
        for head, same in pairs:
            assert (*same.box, same.score) == pytest.approx((*head.box, head.score), abs=2e-6)


def test_the_heads_of_real_pictures_are_found_but_those_from_behind() -> None:
    found = detector(1400)
    for line in (SHARED / "heads.tsv").read_text().splitlines():
        name, *texts = line.split("\t")
        heads = heads_of(SHARED / "pictures" / name, found)
        for number, text in enumerate(texts):
            box = [float(edge) for edge in text.split(",")]
            hit = any(overlap(head.box, box) >= 0.4 for head in heads)
            assert hit or FROM_BEHIND.get(name) == number, (name, number)
