"""PngSuite: every colour type, depth, interlacing and filter of PNG, and files to be refused."""

import pytest

from dafre_fast.core.errors import Refusal
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import IMAGES, difference, opened, pixels, recipe
from tests.torture import reference

FILES = sorted((IMAGES / "pngsuite").glob("*.png"))
if not FILES:
    pytest.skip("the shared pictures are not here: pngsuite", allow_module_level=True)

BROKEN = [pytest.param(path, id=path.stem) for path in FILES if path.stem.startswith("x")]
GOOD = [pytest.param(path, id=path.stem) for path in FILES if not path.stem.startswith("x")]


@pytest.mark.parametrize("path", BROKEN)
def test_broken_file_is_refused(path):
    with pytest.raises(Refusal):
        make_images(path.read_bytes(), recipe())


@pytest.mark.parametrize("path", GOOD)
def test_file_has_its_exact_size(path):
    data = path.read_bytes()
    width, height = opened(data).size
    full = make_images(data, recipe(size=64))["full"]
    short = min(width, height)
    assert opened(full.data).size == (width * 64 // short, height * 64 // short)


@pytest.mark.parametrize("path", GOOD)
def test_file_has_its_colours(path):
    data = path.read_bytes()
    full = make_images(data, recipe(size=min(opened(data).size)))["full"]
    assert difference(pixels(full.data), reference.read(data)) <= 3
