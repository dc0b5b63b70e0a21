"""The functions for people who write code."""

import inspect
import re
import subprocess
import sys
from importlib.metadata import version
from io import BytesIO

import polars as pl
import pytest
from PIL import Image

import dafre_fast as df
from dafre_fast.core.errors import InputError, Refusal, UsageError
from dafre_fast.core.settings.build import fields
from dafre_fast.core.settings.fetching import Fetching, Keeping
from dafre_fast.core.settings.images import Bounds, Encoding, FaceImage, FullImage
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection


def png(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), (90, 120, 200)).save(file, "PNG")
    return file.getvalue()


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(data)).size


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size 0: must be a whole number from 1 to 65,500"),
        ({"size": "x"}, "size 'x': must be a whole number from 1 to 65,500"),
        ({"quality": 101}, "quality 101: must be a whole number from 1 to 100"),
        ({"subsampling": "4:1:1"}, "subsampling '4:1:1': must be one of 4:2:0, 4:4:4"),
        ({"exact": "yes"}, "exact 'yes': must be true or false"),
    ],
)
def test_a_setting_out_of_its_bounds_is_answered_with_what_it_must_be(settings, message) -> None:
    with pytest.raises(UsageError) as raised:
        df.resize_image(png(30, 30), **settings)
    assert str(raised.value) == message


def test_a_setting_that_is_none_is_named() -> None:
    with pytest.raises(TypeError, match="sizes"):
        df.resize_image(png(30, 30), sizes=5)


SETTINGS = {
    "read_catalogue": (Selection,),
    "resize_image": (FullImage, Encoding, Bounds),
    "crop_head": (FaceImage, Encoding, Bounds),
    "make_images": (FullImage, FaceImage, Encoding, Bounds, Running, Keeping, Fetching),
    "open_dataset": (),
}


@pytest.mark.parametrize("name", df.__all__)
def test_keyword_arguments_are_the_settings_with_their_names_and_defaults(name) -> None:
    parameters = inspect.signature(getattr(df, name)).parameters.values()
    keywords = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
    assert keywords.pop("progress", False) is False
    expected = {field.name: field.default for group in SETTINGS[name] for field in fields(group)}
    assert keywords == expected


@pytest.mark.parametrize("name", df.__all__)
def test_the_docstring_has_every_argument(name) -> None:
    function = getattr(df, name)
    described = re.findall(r"^ {4}(\w+): \S", inspect.getdoc(function), re.MULTILINE)
    assert described[: len(inspect.signature(function).parameters)] == [
        *inspect.signature(function).parameters
    ]


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


def test_the_package_lists_its_public_names_and_nothing_else() -> None:
    assert dir(df) == sorted(["__version__", *df.__all__])
    assert all(callable(getattr(df, name)) for name in df.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        df.nothing  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    assert df.__version__ == version("dafre_fast")


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    script = (
        "import sys, dafre_fast\n"
        "dir(dafre_fast)\n"
        "print([name for name in sys.modules if name.startswith(('dafre_fast.', 'polars'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
