"""PngSuite: every colour type, depth, interlacing and filter of PNG, and files to be refused."""

import numpy as np
import pytest
from pictures import IMAGES, difference, opened, pixels, recipe
from PIL import Image

from dafre_fast.model.errors import Refusal
from dafre_fast.pixels.making import make_images

FILES = sorted((IMAGES / "pngsuite").glob("*.png"))
if not FILES:
    pytest.skip("the shared pictures are not here: pngsuite", allow_module_level=True)

BROKEN = [pytest.param(path, id=path.stem) for path in FILES if path.stem.startswith("x")]
GOOD = [pytest.param(path, id=path.stem) for path in FILES if not path.stem.startswith("x")]


def reference(data):
    """The colours by Pillow, on white.

    16-bit grey is scaled here. A single transparent colour is left out: in this suite it is white.
    """
    image = opened(data)
    if image.mode == "I;16":
        grey = np.asarray(image).astype(float) / 257
        return np.stack([grey] * 3, axis=-1)
    if image.mode != "P":
        image.info.pop("transparency", None)
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB")).astype(int)


@pytest.mark.parametrize("path", BROKEN)
def test_broken_file_is_refused(path):
    with pytest.raises(Refusal):
        make_images(path.read_bytes(), recipe())


@pytest.mark.parametrize("path", GOOD)
def test_file_has_its_exact_size(path):
    data = path.read_bytes()
    width, height = opened(data).size
    full = make_images(data, recipe(size=64)).full
    short = min(width, height)
    assert opened(full.data).size == (width * 64 // short, height * 64 // short)


@pytest.mark.parametrize("path", GOOD)
def test_file_has_its_colours(path):
    data = path.read_bytes()
    full = make_images(data, recipe(size=min(opened(data).size))).full
    assert difference(pixels(full.data), reference(data)) <= 3
