"""Originals for the golden outputs, what is made of them, and the record of both.

`golden/` holds:
- `originals/`: files in lossy or compressed formats, so that no encoder's version matters; all
  others are written here, byte by byte, from whole-number arithmetic;
- `outputs/`: for each original, its outputs side by side before JPEG encoding, as one PNG;
- `hashes.json`: the recipe's revision and, for each environment, two hashes per original: of the
  pixels before encoding and of the encoded files.

Record again, after `Recipe.revision` was raised or on a machine with other libraries:
`python -m tests.pixels.golden_outputs`.
"""

import hashlib
import json
import platform
import struct
import sys
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import FaceImage, FullImage, Recipe
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.making import make_images, show_images
from tests.pixels.pngs import AVERAGE, IEND, NONE, PAETH, SIGNATURE, SUB, UP, chunk, filtered

FOLDER = Path(__file__).parent / "golden"
HASHES = FOLDER / "hashes.json"
WIDTH, HEIGHT = 120, 90
BOX = Box(0.3, 0.2, 0.8, 0.7)
RECIPES = {
    "usual": Recipe(full=FullImage(size=16), face=FaceImage(face_size=16)),
    "exact": Recipe(
        full=FullImage(size=16, exact=True), face=FaceImage(face_margin=0.1, face_size=20)
    ),
}


def drawn(channels=3, top=255):
    """Slopes, squares and rings in whole numbers from 0 to `top`: (HEIGHT, WIDTH, channels)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    slope = x * 2 + y
    squares = (x // 12 + y // 12) % 2 * 150 + y
    rings = ((x - 50) ** 2 + (y - 40) ** 2) // 18
    layers = [slope, squares, rings, 255 - slope // 2][:channels]
    return np.stack(layers, axis=-1) % 256 * top // 255


def png(lines, depth, colour_type, *, before=b"", interlaced=False, size=(WIDTH, HEIGHT)):
    """A PNG of filtered scanlines (PNG, third edition, 11.2)."""
    fields = (*size, depth, colour_type, 0, 0, int(interlaced))
    first = chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))
    return SIGNATURE + first + before + chunk(b"IDAT", zlib.compress(lines)) + IEND


def png_of(channels, before=b""):
    """Eight bits a channel, all filter types in turn."""
    lines = filtered(drawn(channels).astype(np.uint8), [NONE, SUB, UP, AVERAGE, PAETH])
    return png(lines, 8, {3: 2, 4: 6}[channels], before=before)


def png_of_16_bits(before=b""):
    samples = drawn(top=65_535).astype(">u2")
    return png(b"".join(b"\0" + row.tobytes() for row in samples), 16, 2, before=before)


def png_with_palette(step=1):
    """Eight colours of three bits, one of them transparent; each `step`th pixel."""
    colours = bytes(value for i in range(8) for value in (i * 36, 255 - i * 30, i * i * 5))
    before = chunk(b"PLTE", colours) + chunk(b"tRNS", b"\xff\xff\0")
    indices = (drawn()[::step, ::step, 2] // 32).astype(np.uint8)
    size = (WIDTH // step, HEIGHT // step)
    lines = b"".join(b"\0" + row.tobytes() for row in indices)
    return png(lines, 8, 3, before=before, size=size)


def png_interlaced():
    """Adam7 (8.1): seven passes over ever finer grids."""
    pixels = drawn().astype(np.uint8)
    grids = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4))
    grids += ((2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    passes = [pixels[top::down, left::across] for top, down, left, across in grids]
    lines = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    return png(lines, 8, 2, interlaced=True)


def bmp():
    """24 bits, rows from the bottom up, blue first."""
    rows = drawn().astype(np.uint8)[::-1, :, ::-1].tobytes()
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return struct.pack("<2sIII", b"BM", 54 + len(rows), 0, 54) + info + rows


def tiff():
    """RGB of 8 bits, not compressed, in one strip (TIFF 6.0, 6)."""
    data, at = drawn().astype(np.uint8).tobytes(), 8 + 2 + 9 * 12 + 4
    short, long = 3, 4
    tags = [(256, short, 1, WIDTH), (257, short, 1, HEIGHT), (258, short, 3, at)]
    tags += [(259, short, 1, 1), (262, short, 1, 2), (273, long, 1, at + 6), (277, short, 1, 3)]
    tags += [(278, short, 1, HEIGHT), (279, long, 1, len(data))]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, 9) + directory + bytes(4) + b"\x08\0" * 3 + data


def cicp(primaries, transfer):
    """Code points of colours (PNG, third edition, 11.3.2.6)."""
    return chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def originals():
    """All originals by name."""
    written = {
        "png-rgb": png_of(3),
        "png-rgba": png_of(4),
        "png-16-bits": png_of_16_bits(),
        "png-palette": png_with_palette(),
        "png-interlaced": png_interlaced(),
        "png-alpha-display-p3": png_of(4, cicp(12, 13)),
        "png-16-bits-pq": png_of_16_bits(cicp(9, 16)),
        "png-gamma": png_of(3, chunk(b"gAMA", struct.pack(">I", 55_555))),
        "png-palette-enlarged": png_with_palette(step=10),
        "bmp": bmp(),
        "tiff": tiff(),
    }
    stored = {path.stem: path.read_bytes() for path in sorted((FOLDER / "originals").iterdir())}
    return stored | written


def shown(data):
    """All outputs before encoding, RGB: the full image alone, and beside a head crop, twice."""
    for recipe in RECIPES.values():
        yield show_images(data, recipe)["full"][..., :3]
        both = show_images(data, recipe, box=BOX)
        yield both["full"][..., :3]
        yield both["face"][..., :3]


def encoded(data):
    """All outputs as files, in the same order."""
    for recipe in RECIPES.values():
        yield make_images(data, recipe)["full"].data
        both = make_images(data, recipe, box=BOX)
        yield both["full"].data
        yield both["face"].data


def sheet(images):
    """Images side by side on white, (height, width, 3)."""
    images = list(images)
    height = max(len(image) for image in images)
    padded = [
        np.pad(image, ((0, height - len(image)), (0, 0), (0, 0)), constant_values=255)
        for image in images
    ]
    return np.concatenate(padded, axis=1)


def recorded_sheet(name):
    return np.asarray(Image.open(FOLDER / f"outputs/{name}.png").convert("RGB"))


def hash_of(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)} ".encode() + bytes(part))
    return digest.hexdigest()[:16]


def hashes_of(data):
    """Hashes of the outputs: one of the pixels with their shapes, one of the files."""
    pixels = [(str(image.shape).encode(), image.tobytes()) for image in shown(data)]
    return {"pixels": hash_of(chain(*pixels)), "files": hash_of(encoded(data))}


def environment():
    """The libraries that decide a pixel or byte beside this project's code.

    libjpeg-turbo does not say its version, so a hash of what it makes by itself stands for it.
    """
    version = ".".join(str(pyvips.version(part)) for part in range(3))
    return f"{platform.machine()}, libvips {version}, libjpeg-turbo {_turbo_print()}"


def _turbo_print():
    if turbo() is None:
        return "absent"
    picture = drawn().astype(np.uint8)
    file, back = turbo().encode(picture, 90, "4:2:0"), np.zeros_like(picture)
    turbo().decode(file, 1, back)
    return hash_of([file, back.tobytes()])[:8]


def record():
    """Write outputs and hashes. Pixels may differ from the record only with a raised revision."""
    before = json.loads(HASHES.read_text()) if HASHES.exists() else {"revision": 0, "hashes": {}}
    same = before["revision"] == Recipe().revision
    hashes = before["hashes"] if same else {}
    found = {name: hashes_of(data) for name, data in originals().items()}
    if hashes.get(environment(), found) != found:
        sys.exit("outputs have changed: raise Recipe.revision first")
    if not same:
        (FOLDER / "outputs").mkdir(exist_ok=True)
        for name, data in originals().items():
            Image.fromarray(sheet(shown(data))).save(FOLDER / f"outputs/{name}.png", optimize=True)
    content = {"revision": Recipe().revision, "hashes": hashes | {environment(): found}}
    HASHES.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    record()
