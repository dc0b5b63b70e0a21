"""Drawn originals, outputs read back with Pillow, the careful reference, and EXIF's own words."""

import io
import struct
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    Recipe,
)
from dafre_fast.pixels.plan import plan_image

IMAGES = Path(__file__).resolve().parents[2] / "../shared/images"
"""Real pictures beside the project; see its README. Absent in a bare clone."""

PATCHES = ((200, 40, 40), (40, 160, 60), (50, 60, 190), (230, 220, 90))
"""Colours of `patches`: top left, top right, bottom left, bottom right."""

EXIF_SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
"""The visual sides of the stored picture's row 0 and column 0 (Exif 2.32, tag 0x0112)."""


def upright(stored, orientation):
    """A stored array as people see it."""
    first_row, first_column = EXIF_SIDES[orientation]
    seen = stored.swapaxes(0, 1) if first_row in ("left", "right") else stored
    seen = seen[::-1] if "bottom" in (first_row, first_column) else seen
    return seen[:, ::-1] if "right" in (first_row, first_column) else seen


def as_stored(seen, orientation):
    """The array that a file of `orientation` stores for a picture seen so; undoes `upright`."""
    first_row, first_column = EXIF_SIDES[orientation]
    stored = seen[:, ::-1] if "right" in (first_row, first_column) else seen
    stored = stored[::-1] if "bottom" in (first_row, first_column) else stored
    return stored.swapaxes(0, 1) if first_row in ("left", "right") else stored


def recipe(
    *,
    size=256,
    margin=0.0,
    face_size=None,
    quality=100,
    subsampling="4:4:4",
    max_pixels=300_000_000,
    truncated="refuse",
    exact=False,
):
    """Settings with the least loss, so that pixels can be compared."""
    return Recipe(
        full=FullImage(size=size, exact=exact),
        face=FaceImage(face_margin=margin, face_size=face_size),
        encoding=Encoding(quality=quality, subsampling=subsampling),
        bounds=Bounds(max_pixels=max_pixels, truncated=truncated),
    )


def plan_of(header, settings, *, full=True, box=None):
    """The plan of the full image, unless it is not wanted, and of the head crop where there is a
    box.
    """
    outputs = [output for output in settings.outputs if full or output.needs_box]
    return plan_image(header, outputs, settings.bounds, box)


def parts_of(plan):
    """Parts of a plan by the names of their outputs."""
    return {part.name: part for part in plan.outputs}


def plain(colour, size=(300, 200), mode="RGB"):
    return Image.new(mode, size, colour)


def patches(width, height):
    """Four flat quarters: every way of turning them looks different."""
    array = np.zeros((height, width, 3), np.uint8)
    for index, colour in enumerate(PATCHES):
        rows = slice(height // 2, None) if index >= 2 else slice(height // 2)
        columns = slice(width // 2, None) if index % 2 else slice(width // 2)
        array[rows, columns] = colour
    return array


def smooth(width, height):
    """Soft waves in each channel."""
    y, x = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    waves = [np.sin(6 * x + 1), np.cos(5 * y), np.sin(5 * (x + y))]
    return (127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def mosaic(width, height):
    """Squares of 8 pixels in random colours: hard edges for a filter."""
    tiles = np.random.default_rng(1).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return tiles.repeat(8, axis=0).repeat(8, axis=1)


LEAST_LOSS = {"JPEG": {"quality": 100, "subsampling": "4:4:4"}, "WEBP": {"lossless": True}}


def encoded(picture, format="PNG", **options):
    """A file of an array or a Pillow image, with the least loss unless told otherwise."""
    image = picture
    if not isinstance(picture, Image.Image):
        image = Image.fromarray(np.ascontiguousarray(picture))
    file = io.BytesIO()
    image.save(file, format, **LEAST_LOSS.get(format, {}) | options)
    return file.getvalue()


def png_of_16_bits(array):
    """Pillow writes none with colours."""
    kinds = {1: "grey16", 2: "grey16", 3: "rgb16", 4: "rgb16"}
    image = pyvips.Image.new_from_array(np.ascontiguousarray(array, np.uint16))
    return image.copy(interpretation=kinds[array.shape[2]]).write_to_buffer(".png")


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def result_or_reason(function, *args, **settings):
    """Return the function's result, or the reason of its Refusal. Other exceptions pass."""
    try:
        return function(*args, **settings)
    except Refusal as refusal:
        return refusal.reason


def opened(data):
    return Image.open(io.BytesIO(data))


def pixels(data):
    """An output's pixels as signed numbers (height, width, 3), to be subtracted."""
    return np.asarray(opened(data).convert("RGB")).astype(int)


def difference(one, other):
    """Mean absolute difference."""
    return np.abs(one - other).mean()


def is_close(found, colour, tolerance=3):
    """True where all pixels found have the colour."""
    return bool((np.abs(found - np.asarray(colour)) <= tolerance).all())


def wide_profile():
    """Display P3."""
    patch = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    return bytes(patch.icc_transform("p3", input_profile="srgb").get("icc-profile-data"))


def grey_profile(gamma):
    """A whole ICC profile for grey, version 2: description, white point, curve, copyright."""
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + d50,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IHxx", 1, int(gamma * 256)),
        b"cprt": b"text" + bytes(4) + b"none",
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(">I4x4s12s", 132 + 12 * len(tags) + len(body), b"\2\x40", b"mntrGRAYXYZ ")
    head += struct.pack(">6H4s28x12s", 2020, 1, 1, 0, 0, 0, b"acsp", d50)
    return head.ljust(128, b"\0") + table + body
