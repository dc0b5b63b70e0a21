"""Decoders leave settings of the whole process as they found them."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import AvifImagePlugin, Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.settings.images import Recipe
from dafre_fast.pixels.making import make_images


def settings() -> tuple[int | None, int]:
    return Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS


def bmp(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "BMP")
    return buffer.getvalue()


@pytest.fixture
def strict(monkeypatch) -> None:
    """A process that lets Pillow open next to nothing."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)


@pytest.mark.usefixtures("strict")
def test_an_image_beyond_the_limit_of_pillow_is_read_and_the_limit_stays() -> None:
    before = settings()
    rendered = make_images(bmp(300), Recipe())
    assert rendered["full"].width == 256
    assert settings() == before
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bmp(300)))


@pytest.mark.usefixtures("strict")
def test_the_limit_stays_after_a_damaged_image() -> None:
    before = settings()
    with pytest.raises(Refusal):
        make_images(bmp(300)[:30], Recipe())
    assert settings() == before


@pytest.mark.usefixtures("strict")
def test_the_limit_stays_after_threads_that_read_at_once() -> None:
    before = settings()
    with ThreadPoolExecutor(4) as threads:
        made = threads.map(lambda side: make_images(bmp(side), Recipe())["full"], range(300, 340))
        assert all(image and image.width == 256 for image in made)
    assert settings() == before
