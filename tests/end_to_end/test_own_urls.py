"""A list of addresses becomes a network, as the tutorial has it: made, looked at, marked, packed
without what is marked, and trained on.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import polars as pl
import pytest
from PIL import Image, features

from tests.commands import dafre
from tests.edits import drawn
from tests.gallery.test_browser import started
from tests.hosts import Host, host

pytestmark = pytest.mark.slow

PICTURES, MARKED, CLASSES = 80, 40, 4
KINDS = [
    ("jpg", {"format": "jpeg"}),
    ("jpeg", {"format": "jpeg", "progressive": True}),
    ("png", {"format": "png"}),
    ("gif", {"format": "gif"}),
    ("webp", {"format": "webp"}),
    ("webp", {"format": "webp", "lossless": True}),
    ("bmp", {"format": "bmp"}),
    ("tif", {"format": "tiff", "compression": "tiff_lzw"}),
    *([("avif", {"format": "avif"})] if features.check("avif") else []),
]
"""Endings of files, and how Pillow writes them."""
BROKEN = {"/gone.jpg": None, "/page.jpg": b"<!doctype html>no picture", "/empty.png": b""}
"""Addresses that give no picture; None is not there."""


def picture(number: int) -> tuple[str, bytes]:
    """Return the path and the content of a drawn picture."""
    ending, options = KINDS[number % len(KINDS)]
    file = io.BytesIO()
    size = (64 + number % 7 * 8, 80 + number % 5 * 8)
    colour = Image.new("RGB", size, ("red", "green", "blue", "gold")[number % CLASSES])
    Image.blend(drawn(number, size).convert("RGB"), colour, 0.6).save(file, **options)
    return f"/pictures/{number}.{ending}", file.getvalue()


@pytest.fixture
def served() -> Iterator[Host]:
    with host() as found:
        found.files |= dict(map(picture, range(PICTURES)))
        found.files |= {path: data for path, data in BROKEN.items() if data is not None}
        yield found


def write_table(path: Path, served: Host) -> None:
    paths = [*(picture(number)[0] for number in range(PICTURES)), *BROKEN]
    rows = {
        "url": [served.address + one for one in paths],
        "class": [f"colour {number % CLASSES}" for number in range(len(paths))],
        "caption": [f"picture {number}" for number in range(len(paths))],
    }
    pl.DataFrame(rows).write_csv(path)


def ask(place: str, path: str, **form: object) -> bytes:
    """Ask the gallery for a page, or send it a form as its own page does."""
    data = urlencode(form, doseq=True).encode() if form else None
    with urlopen(Request(place + path, data, {"Origin": place})) as answer:
        return answer.read()


def members(pack: Path) -> set[str]:
    found = set[str]()
    for shard in pack.rglob("*.tar"):
        with tarfile.open(shard) as tar:
            found |= {name.split(".")[0] for name in tar.getnames()}
    return found


def test_a_list_of_addresses_is_made_looked_at_marked_packed_and_trained_on(
    tmp_path, served
) -> None:
    write_table(tmp_path / "pictures.csv", served)
    table = ("--table", "pictures.csv", "--output", "mine", "--size", 64, "--retries", 0)
    done = dafre("full", *table, "--title", "Colours", "--workers", 1, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["success"]) == (PICTURES + len(BROKEN), PICTURES)
    assert summary["refused"] == {"not_found": 1, "not_an_image": 1, "empty_file": 1}
    manifest = pl.read_parquet(tmp_path / "mine/manifest.parquet")
    made = manifest.filter(status="success")
    formats = {str(options["format"]) for _, options in KINDS}
    assert {*made["format"]} == formats
    assert "<h1>Colours</h1>" in (tmp_path / "mine/report/index.html").read_text()

    marked = made["id"].sort().head(MARKED).to_list()
    with started(tmp_path / "mine") as place:
        assert f"<h1>{PICTURES + len(BROKEN)} images</h1>".encode() in ask(place, "/")
        assert b"<h1>20 images</h1>" in ask(place, "/?q=class:colour_1+status:success")
        assert b"<h1>3 images</h1>" in ask(place, "/?q=status:refused")
        ask(place, "/marks", act="mark", mark="dull", id=marked)
        assert f"<h1>{MARKED} images</h1>".encode() in ask(place, "/?q=mark:dull")
        (tmp_path / "dull.csv").write_bytes(ask(place, "/marks.csv?mark=dull"))

    without = ("--exclude", "dull.csv")
    done = dafre("pack", "--output", "mine", *without, "--into", "shards", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert members(tmp_path / "shards") == {*map(str, {*made["id"]} - {*marked})}

    pytest.importorskip("torch", reason="PyTorch is not installed")
    tiny = ("--images", "full", "--side", 32, "--epochs", 1, "--batch-size", 8, "--width", 8)
    done = dafre("train", "--output", "mine", *without, "--into", "run", *tiny, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/model.safetensors").exists()
