"""Resize modes of the full image, as img2dataset has them, and formats of files."""

import io

import numpy as np
import pytest
from PIL import Image

from dafre_fast.core.errors import Refusal, UsageError
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Encoding, FullImage, Output, Recipe, Whole
from dafre_fast.pixels import soundness
from dafre_fast.pixels.making import make_images, show_images
from dafre_fast.pixels.tensors import decode
from tests.pixels.pictures import difference, encoded, exif, patches, pixels, smooth

WHITE = (255, 255, 255)


def shown(data, mode, size=40):
    return show_images(data, Recipe(full=FullImage(size=size, resize_mode=mode)))["full"][..., :3]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize(
    ("mode", "size"),
    [
        ("keep_ratio", (60, 40)),
        ("keep_ratio_largest", (40, 26)),
        ("center_crop", (40, 40)),
        ("border", (40, 40)),
        ("no", (120, 80)),
    ],
)
def test_each_mode_has_its_size(form, mode, size) -> None:
    pictures = make_images(
        encoded(patches(120, 80), form), Recipe(full=FullImage(size=40, resize_mode=mode))
    )
    image = pictures["full"]
    assert (image.width, image.height) == size
    assert Image.open(io.BytesIO(image.data)).size == size


def test_center_crop_is_the_middle_of_keep_ratio() -> None:
    data = encoded(smooth(150, 90), "PNG")
    whole = shown(data, "keep_ratio")
    cut = (whole.shape[1] - 40) // 2
    assert np.array_equal(shown(data, "center_crop"), whole[:, cut : cut + 40])


def test_border_is_keep_ratio_largest_in_the_middle_of_white() -> None:
    data = encoded(smooth(90, 150), "PNG")
    whole, square = shown(data, "keep_ratio_largest"), shown(data, "border")
    left = (40 - whole.shape[1]) // 2
    assert np.array_equal(square[:, left : left + whole.shape[1]], whole)
    assert (square[:, :left] == WHITE).all()
    assert (square[:, left + whole.shape[1] :] == WHITE).all()


@pytest.mark.parametrize("mode", ["center_crop", "border"])
def test_a_square_is_the_same_in_all_modes(mode) -> None:
    data = encoded(smooth(90, 90), "PNG")
    assert np.array_equal(shown(data, mode), shown(data, "keep_ratio"))


def test_a_turned_picture_gets_its_border_upright() -> None:
    stored = Image.fromarray(np.full((40, 80, 3), 90, np.uint8))
    square = shown(encoded(np.asarray(stored), "JPEG", exif=exif(6)), "border")
    assert (square[:, 0] == WHITE).all()
    assert not (square[0, 20] == WHITE).all()


def test_a_head_crop_is_cut_from_the_original_in_every_mode() -> None:
    data, box = encoded(smooth(120, 80), "PNG"), Box(0.0, 0.0, 0.25, 0.5)
    crops = [
        make_images(data, Recipe(full=FullImage(resize_mode=mode)), box=box)["face"].data
        for mode in ("keep_ratio", "center_crop", "border", "no")
    ]
    assert len({*crops}) == 1


@pytest.mark.parametrize(
    ("encode_format", "form"), [("jpg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")]
)
def test_each_format_is_written_whole_without_metadata(encode_format, form) -> None:
    data = encoded(patches(120, 80), "JPEG", exif=exif(1), icc_profile=b"")
    encoding = Encoding(encode_format=encode_format)
    made = make_images(data, Recipe(full=FullImage(size=64), encoding=encoding))["full"].data
    image = Image.open(io.BytesIO(made))
    assert (image.format, image.mode, image.size) == (form, "RGB", (96, 64))
    assert not image.getexif()
    header = soundness.check_whole(made)
    soundness.check_pixels(made, header)
    assert header.format is Format(form.lower())
    assert decode(made).shape == (64, 96, 3)


def test_png_loses_nothing() -> None:
    data = encoded(smooth(120, 80), "PNG")
    recipe = Recipe(full=FullImage(size=40), encoding=Encoding(encode_format="png"))
    assert np.array_equal(pixels(make_images(data, recipe)["full"].data), shown(data, "keep_ratio"))


def test_quality_is_that_of_webp_too() -> None:
    data = encoded(smooth(320, 320), "PNG")
    sizes, errors = [], []
    for quality in (30, 95):
        encoding = Encoding(encode_format="webp", quality=quality)
        made = make_images(data, Recipe(encoding=encoding))["full"].data
        sizes.append(len(made))
        errors.append(difference(pixels(made), shown(data, "keep_ratio", 256)))
    assert sizes[0] < sizes[1]
    assert np.mean(errors[0]) > np.mean(errors[1])


@pytest.mark.parametrize("encode_format", ["webp", "png"])
def test_a_broken_file_of_each_format_is_found(encode_format) -> None:
    recipe = Recipe(encoding=Encoding(encode_format=encode_format))
    made = make_images(encoded(smooth(80, 80), "PNG"), recipe)["full"].data
    with pytest.raises(Refusal):
        soundness.check_whole(made[:-20])


def test_a_side_that_webp_cannot_hold_is_refused() -> None:
    data = encoded(np.zeros((1, 20_000, 3), np.uint8), "PNG")
    no = FullImage(resize_mode="no")
    with pytest.raises(Refusal) as refused:
        make_images(data, Recipe(full=no, encoding=Encoding(encode_format="webp")))
    assert refused.value.reason is Reason.OUTPUT_TOO_LARGE
    assert make_images(data, Recipe(full=no))["full"].width == 20_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encode_format": "png", "quality": 9}, "PNG loses nothing"),
        ({"encode_format": "webp", "subsampling": "4:4:4"}, "is for JPEG"),
        ({"encode_format": "png", "subsampling": "4:4:4"}, "is for JPEG"),
    ],
)
def test_a_setting_that_a_format_does_not_have_is_a_wrong_use(settings, message) -> None:
    with pytest.raises(UsageError, match=message):
        Encoding(**settings)


def test_recipes_of_the_defaults_keep_their_hashes() -> None:
    assert Recipe(revision=4).hashes() == ("2c002846275758f5", "37283498ee40b40d")
    other = Output("small", "small", Whole())
    assert Recipe(revision=4, others=(other,)).hashes().pixels == "825a1ba86a1a2351"
    assert Recipe(full=FullImage(resize_mode="no")).hashes() != Recipe().hashes()
    assert Recipe(encoding=Encoding(encode_format="png")).hashes() != Recipe().hashes()
