"""One image, followed from its row to its files."""

import hashlib
import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from tests.commands import dafre, tree

ID, BUCKET = 332446, "0446"
BOX = (0.25, 0.125, 0.5, 0.5)  # of 800 x 640: 200 to 400 by 80 to 320
HEAD, GROUND = (250, 40, 60), (30, 120, 200)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Run `full` on 20 originals of one class in a local tree; image 332446 differs."""
    folder = tmp_path_factory.mktemp("journey")
    pixels = np.full((640, 800, 3), GROUND, np.uint8)
    pixels[80:320, 200:400] = HEAD
    rows = []
    for number in range(20):
        image = ID + 1000 * number
        path = folder / f"originals/{BUCKET}/{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels if number == 0 else pixels[::-1]).save(path)
        rows.append(f"{BUCKET}\\{image}.jpg\t7\t{', '.join(map(str, BOX))} 0.9{number:02}\n")
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text('"nene"_neville_solstice\t7\n')
    flags = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--source", "originals")
    done = dafre("full", *flags, "--output", "ds", "--workers", 2, "--no-report", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "ds"


def row(dataset):
    return pl.read_parquet(dataset / "manifest.parquet").row(
        by_predicate=pl.col("id") == ID, named=True
    )


def test_its_row_gets_a_class_and_a_split(dataset) -> None:
    assert f"0,{BUCKET}/{ID}.jpg" in (dataset / "labels/train.csv").read_text().splitlines()
    assert (dataset / "labels/classid_classname.csv").read_text() == '0,"nene"_neville_solstice\n'


def test_its_full_image_has_a_short_side_of_256_and_the_right_colours(dataset) -> None:
    with Image.open(dataset / f"fullMin256/{BUCKET}/{ID}.jpg") as image:
        assert (image.size, image.mode) == ((320, 256), "RGB")
        assert np.allclose(image.getpixel((120, 80)), HEAD, atol=4)
        assert np.allclose(image.getpixel((300, 240)), GROUND, atol=4)


def test_its_crop_is_the_head_box_at_native_resolution(dataset) -> None:
    with Image.open(dataset / f"faces/{BUCKET}/{ID}.jpg") as image:
        assert image.size == (200, 240)
        assert np.abs(np.asarray(image, int) - HEAD).mean() < 3


def test_its_row_in_the_manifest_has_the_sizes_format_and_hashes_of_its_files(dataset) -> None:
    found = row(dataset)
    assert {name: found[name] for name in ("status", "format", "class_id", "split")} == {
        "status": "success", "format": "png", "class_id": 0, "split": "train",
    }  # fmt: skip
    assert (found["original_width"], found["original_height"]) == (800, 640)
    for prefix, folder in (("", "fullMin256"), ("face_", "faces")):
        data = (dataset / f"{folder}/{BUCKET}/{ID}.jpg").read_bytes()
        size = Image.open(io.BytesIO(data)).size
        assert (found[f"{prefix}width"], found[f"{prefix}height"]) == size
        assert found[f"{prefix}bytes"] == len(data)
        assert found[f"{prefix}sha256"] == hashlib.sha256(data).hexdigest()


def test_the_dataset_has_no_other_files(dataset) -> None:
    names = {name.split("/")[0] for name in tree(dataset)}
    assert names == {"fullMin256", "faces", "labels", "manifest.parquet"}
    assert len(tree(dataset)) == 20 + 20 + 5 + 1
