"""Edits that pictures undergo on the web; results are 256 pixels on the short side."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

IMAGES = Path(__file__).resolve().parents[1] / "../shared/images/real"
"""Real pictures beside the project; see its README. Absent in a bare clone."""

Edit = Callable[[Image.Image], Image.Image]


def small(picture: Image.Image) -> Image.Image:
    short = min(picture.size)
    width, height = (side * 256 // short for side in picture.size)
    return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def saved(quality: int) -> Edit:
    return lambda picture: Image.open(io.BytesIO(jpeg(picture, quality)))


def shrunk(share: float) -> Edit:
    def edit(picture: Image.Image) -> Image.Image:
        width, height = (round(side * share) for side in picture.size)
        return small(picture.resize((width, height), Image.Resampling.BICUBIC))

    return edit


def cropped(share: float) -> Edit:
    """An edit that cuts off a share of the width and of the height, half of it at each end."""

    def edit(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        left, top = round(width * share / 2), round(height * share / 2)
        return small(picture.crop((left, top, width - left, height - top)))

    return edit


def brighter(factor: float) -> Edit:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def grey(picture: Image.Image) -> Image.Image:
    return picture.convert("L").convert("RGB")


EDITS: dict[str, Edit] = {
    "saved with quality 80": saved(80),
    "saved with quality 60": saved(60),
    "shrunk to 0.7": shrunk(0.7),
    "cropped by 2%": cropped(0.02),
    "brighter": brighter(1.15),
    "darker": brighter(0.8),
    "grey": grey,
}


def drawn(seed: int, size: tuple[int, int] = (256, 360)) -> Image.Image:
    """One of any number of pictures of soft patches, none like another."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 9, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
