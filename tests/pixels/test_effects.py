"""Importing and using the decoders changes no global state of the host process."""

import json
import subprocess
import sys
from base64 import b64encode

import pytest

from tests.pixels.pictures import encoded, smooth

EVERY = """
import dafre_fast.pixels.thumbnails, dafre_fast.pixels.likeness, dafre_fast.pixels.tensors
import dafre_fast.pixels.making, dafre_fast.pixels.soundness, dafre_fast.pixels.decoders.pillow
"""
STATE = """
import json, os, sys
from PIL import AvifImagePlugin, Image
def state():
    environment = dict(os.environ)
    environment.pop("LD_LIBRARY_PATH", None)  # OpenCV sets it when it is imported
    return [environment, Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS]
before = state()
"""
SHOW = "print(json.dumps([before, state()]))"
MAKE = """
from dafre_fast.core.settings.images import FullImage, Recipe
from dafre_fast.pixels.making import make_images
make_images(sys.stdin.buffer.read(), Recipe(full=FullImage(size=8)))
"""
MAKE_EACH = """
import base64
from dafre_fast.core.settings.images import FullImage, Recipe
from dafre_fast.pixels.making import make_images
states = {"before": before, "imports": state()}
for name, data in json.load(sys.stdin).items():
    make_images(base64.b64decode(data), Recipe(full=FullImage(size=8)))
    states[name] = state()
print(json.dumps(states))
"""
FORMATS = ("BMP", "TIFF", "AVIF")


def run(program, data=b""):
    done = subprocess.run(
        [sys.executable, "-c", program], input=data, capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def states():
    """The state before and after all imports, and after a file of each format was decoded."""
    files = {name: b64encode(encoded(smooth(64, 48), name)).decode() for name in FORMATS}
    return run(STATE + EVERY + MAKE_EACH, json.dumps(files).encode())


def test_importing_all_decoders_changes_neither_environment_nor_pillow(states):
    assert states["imports"] == states["before"]


@pytest.mark.parametrize("format", FORMATS)
def test_decoding_changes_neither_environment_nor_pillow(states, format):
    assert states[format] == states["before"]


def test_a_picture_beyond_pillows_own_limit_is_made():
    """The recipe's bounds decide, and Pillow's are the host's."""
    limit = "from PIL import Image; Image.MAX_IMAGE_PIXELS = 100\n"
    data = encoded(smooth(64, 48), "TIFF", compression="tiff_lzw")
    before, after = run(STATE.replace("before =", limit + "before =") + MAKE + SHOW, data)
    assert before[1] == after[1] == 100


def test_libvips_has_one_thread_and_no_cache_if_loaded_here():
    show = "import pyvips; print([pyvips.voperation.concurrency_get(), pyvips.cache_get_max()])"
    assert run(EVERY + show) == [1, 0]


def test_libvips_keeps_the_settings_of_a_host_that_loaded_it_before():
    load = "import pyvips; pyvips.cache_set_max(7)\n"
    assert run(load + EVERY + "print(pyvips.cache_get_max())") == 7
