from io import BytesIO

import pytest
from PIL import Image

from bench import peers
from bench.benchmarks import NAMES, Workload, carry_out
from bench.corpus import HEAD
from bench.peers import by_img2dataset
from bench.records import Role

ROWS, RECORDS, JOBS = 1000, 500, 20
STUB = """
from pathlib import Path
def download(url_list, output_folder, **settings):
    for number, _ in enumerate(Path(url_list).read_text().splitlines()):
        Path(output_folder, f"{number}.jpg").touch()
"""
STUB_RESIZER = """
class Resizer:
    def __init__(self, size, mode, **settings):
        assert (size, mode, settings["encode_quality"]) == (256, "keep_ratio", 90)
    def __call__(self, stream):
        return stream.read(), 256, 256, 512, 512, None
"""


@pytest.fixture
def workload(corpus, tmp_path) -> Workload:
    sizes = {"rows": ROWS, "records": RECORDS, "jobs": JOBS}
    return Workload(corpus=corpus, folder=tmp_path, many=1, **sizes)


@pytest.fixture
def img2dataset(tmp_path, monkeypatch):
    """A stand-in for the package, for the script that runs in its environment."""
    package = tmp_path / "packages" / "img2dataset"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STUB)
    (package / "resizer.py").write_text(STUB_RESIZER)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(by_img2dataset, "interpreter", lambda: by_img2dataset.sys.executable)


# The benchmarks of whole tables have their own tests.
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"labels", "tags"}])
def test_every_benchmark_runs(name, workload) -> None:
    if name == "train":
        pytest.importorskip("torch", reason="PyTorch is not installed")
    results = carry_out(name, workload, rounds=1)
    assert Role.OURS in {result.role for result in results}
    assert all(result.cpu_seconds > 0 and result.images > 0 for result in results)
    assert not [*workload.folder.iterdir()], "files were left behind"


def test_every_peer_makes_a_short_side_of_256_pixels(corpus, tmp_path) -> None:
    assert [*peers.installed()] == ["Pillow", "libvips thumbnail", "OpenCV"]
    for work in peers.installed().values():
        for original in corpus.originals:
            output = tmp_path / "output.jpg"
            output.write_bytes(work(original.path))
            with Image.open(output) as image:
                assert min(image.size) == 256
                assert image.mode == "RGB"


def test_every_peer_cuts_the_head_at_full_size(corpus) -> None:
    for work in peers.installed_with_head().values():
        for original in corpus.originals:
            with Image.open(original.path) as image:
                sides = [round(side * 0.4) for side in image.size]
            full, head = (Image.open(BytesIO(data)) for data in work(original.path, tuple(HEAD)))
            assert min(full.size) == 256
            assert head.size == pytest.approx(sides, abs=1)


@pytest.mark.usefixtures("img2dataset")
def test_the_resizer_of_img2dataset_is_measured_in_its_own_environment(corpus) -> None:
    sample = by_img2dataset.resize([original.path for original in corpus.originals])
    assert sample.cpu_seconds >= 0


@pytest.mark.usefixtures("img2dataset")
def test_a_dataset_of_img2dataset_counts_when_it_is_whole(tmp_path) -> None:
    addresses, output = tmp_path / "addresses.txt", tmp_path / "output"
    addresses.write_text("http://host/1.jpg\nhttp://host/2.jpg\n")
    output.mkdir()
    by_img2dataset.make_dataset(addresses, 2, 1, output)
    with pytest.raises(RuntimeError, match="2 of 3 made"):
        by_img2dataset.make_dataset(addresses, 3, 1, output)
