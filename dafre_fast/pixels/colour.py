"""Conversion of a file's colours to sRGB, by littleCMS through libvips.

Profiles: ICC.1:2022. A profile that cannot be read, or is for another colour space than the
picture's, is ignored: the values are taken as sRGB, as browsers do.
"""

import io
from enum import Enum
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.pixels.header import Space, profile_space

_PROFILE = "icc-profile-data"
_MODES = {Space.RGB: "RGB", Space.GREY: "L", Space.CMYK: "CMYK"}
_SPACES = {
    "srgb": Space.RGB,
    "rgb": Space.RGB,
    "rgb16": Space.RGB,
    "b-w": Space.GREY,
    "grey16": Space.GREY,
    "cmyk": Space.CMYK,
}
_COLOURS = {Space.RGB: 3, Space.GREY: 1, Space.CMYK: 4}
"""Channels of each colour space."""
_CUBE = np.linspace(0, 255, 6).round().astype(np.uint8)


class Verdict(Enum):
    """Effect of a profile on the pixels."""

    CONVERTS = "it changes colours"
    SAME = "it is sRGB, whatever it calls itself"
    BROKEN = "it cannot be read, or speaks of another colour space"


@lru_cache(64)  # a few dozen profiles make up nearly all that exist
def judge(profile: bytes, space: Space) -> Verdict:
    """Judge a profile by converting colours from all over the space.

    Names do not count: there are profiles called `Display P3 Gamut with sRGB Transfer`. Pillow
    converts here, since libvips would replace an unusable profile with one of its own.
    """
    from PIL import Image, ImageCms  # few files have a profile that makes a difference

    if profile_space(profile) is not space:
        return Verdict.BROKEN
    bands = _COLOURS[space]
    colours = np.array([*product(_CUBE, repeat=bands)], np.uint8).reshape(1, -1, bands)
    image = Image.frombytes(_MODES[space], (colours.shape[1], 1), colours.tobytes())
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        relative = ImageCms.Intent.RELATIVE_COLORIMETRIC
        srgb = ImageCms.createProfile("sRGB")
        seen = np.asarray(ImageCms.profileToProfile(image, source, srgb, relative, "RGB"))
    except (ImageCms.PyCMSError, OSError):
        return Verdict.BROKEN
    if space is not Space.CMYK and np.abs(seen.astype(int) - colours).max() <= 1:
        return Verdict.SAME
    return Verdict.CONVERTS


def space_of(image: pyvips.Image) -> Space:
    """Return the colour space of an image that libvips loaded."""
    return _SPACES.get(image.interpretation, Space.RGB)


def to_srgb(image: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    """Convert an image to 8-bit sRGB of 3 channels. `profile`: one that `judge` found to convert,
    or None.
    """
    colours = _COLOURS[_SPACES.get(image.interpretation, Space.RGB)]
    if image.bands > colours:  # a TIFF may have channels beside its colours
        image = image[0:colours].copy()
    image = by_profile(image, profile)
    if image.interpretation == "cmyk":
        return _without_inks(image)
    return image.colourspace("srgb").cast("uchar")


def pixels_to_srgb(pixels: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """Convert RGB or RGBX uint8 (height, width, channels) to sRGB by a profile that converts; the
    same array for None.
    """
    if profile is None:
        return pixels
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels[..., :3]))
    return np.asarray(to_srgb(image.copy(interpretation="srgb"), profile))


def by_profile(image: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    """Convert an image to 8-bit sRGB, with its alpha if it has one; the same image for None, or if
    the profile is for another colour space. Grey is RGB to a profile for RGB.
    """
    if profile is None:
        return image
    space, wanted = _SPACES.get(image.interpretation), profile_space(profile)
    if (space, wanted) == (Space.GREY, Space.RGB):
        image, space = image.colourspace("rgb16" if image.format == "ushort" else "srgb"), wanted
    if space != wanted:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    return image.icc_transform("srgb", embedded=True, depth=8)


def _without_inks(image: pyvips.Image) -> pyvips.Image:
    """Convert CMYK without a profile as browsers do: white, less what each ink absorbs."""
    if image.format == "ushort":
        image = (image / 257).rint()
    reflected = 255 - image  # of each ink and of black
    rgb = (reflected[0:3] * reflected[3] / 255).rint().cast("uchar")
    return rgb.copy(interpretation="srgb")
