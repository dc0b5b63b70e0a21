"""The functions for people who write code, and the README's example."""

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

import dafre_fast as df
from dafre_fast.core.errors import InputError, Refusal, UsageError

README = Path(__file__).resolve().parents[1] / "README.md"


def png(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), (90, 120, 200)).save(file, "PNG")
    return file.getvalue()


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(data)).size


def test_the_example_of_the_readme_runs_on_what_make_full_leaves(sample, tmp_path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "out").symlink_to(sample[0])
    (tmp_path / "example.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = pl.read_parquet(tmp_path / "mine/manifest.parquet")
    assert made.height > 5
    paths = made.filter(status="success")["path"]
    full = (tmp_path / f"mine/fullMin256/{path}" for path in paths)
    assert {min(size_of(path.read_bytes())) for path in full} == {64}
    assert all((tmp_path / f"mine/faces/{path}").exists() for path in paths)


def test_an_original_in_memory_is_resized_as_the_settings_say() -> None:
    image = df.resize_image(png(300, 600), size=100)
    assert (image.width, image.height) == (100, 200) == size_of(image.data)


def test_the_head_is_cut_from_an_original_in_memory() -> None:
    image = df.crop_head(png(300, 600), (0.25, 0.25, 0.75, 0.5))
    assert (image.width, image.height) == (150, 150) == size_of(image.data)


@pytest.mark.parametrize(
    "make", [df.resize_image, lambda data: df.crop_head(data, (0.2, 0.2, 0.8, 0.8))]
)
def test_what_is_no_image_is_refused_with_its_reason(make) -> None:
    with pytest.raises(Refusal) as refusal:
        make(b"<html>")
    assert refusal.value.reason == "not_an_image"


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((0.5, 0.5, 0.5, 0.9), "empty_box"),  # no width
        ((0.5, 0.5, 0.51, 0.9), "empty_box"),  # a third of a pixel
        ((0.6, 0.5, 0.5, 0.9), "bad_box"),  # its right side is left of its left side
        ((1.2, 0.5, 1.5, 0.9), "bad_box"),  # beside the picture
        ((float("nan"), 0, 1, 1), "bad_box"),
    ],
)
def test_a_box_without_pixels_is_refused_with_its_reason(box, reason) -> None:
    with pytest.raises(Refusal) as refusal:
        df.crop_head(png(30, 30), box)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("settings", [{"sizes": 5}, {"size": 0}, {"size": "x"}, {"quality": 101}])
def test_settings_that_are_none_or_out_of_bounds_are_named(settings) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        df.resize_image(png(30, 30), **settings)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"key": [1]}, "column id"),
        ({"id": ["1"]}, "whole numbers"),
        ({"id": [1, 1]}, "each there once"),
        ({"id": [-1]}, "0 or more"),
        ({"id": [None, 1]}, "0 or more"),
        ({"id": [1], "left": [0.1]}, "has left, but not all of a box"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_with_the_reason(tmp_path, table, said) -> None:
    with pytest.raises(InputError, match=said):
        df.make_images(pl.DataFrame(table), tmp_path, tmp_path / "out")


def test_there_is_nothing_else_in_the_package() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        df.nothing  # noqa: B018
