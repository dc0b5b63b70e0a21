"""The careful reference: Pillow, every step explicit. Slow, and only as strict as Pillow is."""

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF")
Image.MAX_IMAGE_PIXELS = 300_000_000
_ORIENTATION, _BITS_PER_SAMPLE = 0x0112, 258
_SRGB = ImageCms.createProfile("sRGB")
_SPACES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}


def read(data: bytes) -> NDArray[np.uint8]:
    """The first frame as people see it: RGB uint8 (height, width, 3), sRGB, on white.

    Raises whatever Pillow raises where it cannot read the file.
    """
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    frame = image.tile[0][1] if image.format == "GIF" else None
    image.load()
    profile = image.info.get("icc_profile")
    plain = _in_8_bits(image)
    seen = _to_srgb(plain, profile) if profile else _by_gamma(plain, image.info)
    pixels = np.array(_on_white(seen))
    if frame:  # Pillow fills the rest of the screen with a colour of the palette
        outside = np.ones(pixels.shape[:2], bool)
        outside[frame[1] : frame[3], frame[0] : frame[2]] = False
        pixels[outside] = 255
    return _upright(pixels, image)


def _upright(pixels: NDArray[np.uint8], image: Image.Image) -> NDArray[np.uint8]:
    """Turn the pixels as Exif says. XMP and comments, which Pillow also reads, do not count.

    A TIFF was turned when it was loaded.
    """
    if image.format == "TIFF" or "exif" not in image.info:
        return pixels
    exif = Image.Exif()
    try:
        exif.load(image.info["exif"])
        turned = Image.fromarray(pixels)
        turned.getexif()[_ORIENTATION] = exif.get(_ORIENTATION, 1)
        return np.asarray(ImageOps.exif_transpose(turned))
    except (ValueError, TypeError, SyntaxError, struct.error):
        return pixels


def _in_8_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        most = (1 << getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]) - 1
        grey = np.asarray(image).astype(np.float64)
        scaled = np.rint(grey * (255 / most)).clip(0, 255).astype(np.uint8)
        keyed = image.info.get("transparency")
        alpha = np.where(grey == keyed, 0, 255).astype(np.uint8)
        return Image.fromarray(np.dstack([scaled] * 3 + [alpha]))
    if image.mode in ("1", "La"):
        return image.convert("L")
    if image.mode in ("P", "PA", "LA", "RGBa", "RGBX"):
        return image.convert("RGBA")
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("RGBA")
    return image


def _by_gamma(image: Image.Image, info: dict[str, Any]) -> Image.Image:
    """Apply a PNG's gamma as browsers do: none that is near that of sRGB."""
    gamma = info.get("gamma")
    if not gamma or "srgb" in info or abs(gamma * 2.2 - 1) < 0.05:
        return image
    light = (np.arange(256) / 255) ** (1 / gamma)
    seen = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    curve = [*np.rint(255 * seen).astype(int)]
    opaque = [*range(256)] if image.mode[-1] == "A" else []
    return image.point(curve * (len(image.getbands()) - bool(opaque)) + opaque)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        if image.mode not in _SPACES[source.profile.xcolor_space.strip()]:
            return image
        colours = image.convert("RGB") if image.mode == "RGBA" else image
        relative = ImageCms.Intent.RELATIVE_COLORIMETRIC
        seen = ImageCms.profileToProfile(colours, source, _SRGB, relative, "RGB")
    except (ImageCms.PyCMSError, OSError, KeyError):
        return image
    if image.mode == "RGBA":
        seen.putalpha(image.getchannel("A"))
    return seen


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "CMYK":
        cmyk = 255 - np.asarray(image).astype(np.float64)
        return Image.fromarray(np.rint(cmyk[..., :3] * cmyk[..., 3:] / 255).astype(np.uint8))
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
