"""Originals are refused for their size or shape on demand, and as often as asked for."""

import io

import pytest
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import Recipe, Shapes
from dafre_fast.pixels.making import make_images


def picture(width: int, height: int, orientation: int = 1) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height), (9, 90, 200)).save(file, "jpeg", exif=exif)
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "shapes", "reason"),
    [
        ((63, 200), {"min_image_size": 64}, Reason.TOO_SMALL),
        ((200, 63), {"min_image_size": 64}, Reason.TOO_SMALL),
        ((64, 64), {"min_image_size": 64}, None),
        ((301, 100), {"max_aspect_ratio": 3.0}, Reason.TOO_ELONGATED),
        ((100, 301), {"max_aspect_ratio": 3.0}, Reason.TOO_ELONGATED),
        ((300, 100), {"max_aspect_ratio": 3.0}, None),
        ((10, 1000), {}, None),
    ],
)
def test_a_shape_is_refused_beyond_the_limit_and_not_at_it(size, shapes, reason) -> None:
    recipe = Recipe(shapes=Shapes(**shapes))
    if reason is None:
        assert make_images(picture(*size), recipe, ["full"]).pictures
        return
    with pytest.raises(Refusal) as refusal:
        make_images(picture(*size), recipe, ["full"])
    assert refusal.value.reason is reason
    assert refusal.value.detail == f"{size[0]} x {size[1]} pixels"


def test_an_original_is_judged_upright() -> None:
    with pytest.raises(Refusal, match="40 x 90 pixels"):
        make_images(picture(90, 40, 6), Recipe(shapes=Shapes(min_image_size=50)), ["full"])


def test_a_recipe_for_any_shape_has_the_hashes_that_it_always_had() -> None:
    usual, small = Recipe().hashes(), Recipe(shapes=Shapes(min_image_size=64)).hashes()
    assert Recipe(shapes=Shapes()).hashes() == usual
    assert small.pixels == usual.pixels
    assert small.bounded != usual.bounded
