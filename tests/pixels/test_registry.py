"""The table of formats: complete, lazy, and all that a new format needs."""

import inspect
import struct
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import pyvips

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.decoders import registry, vips
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.decoders.registry import ROWS, Decoder, FastLane, Row
from dafre_fast.pixels.decoders.signatures import begins_with
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.making import make_images
from dafre_fast.pixels.sniff import sniff
from tests.pixels.golden_outputs import originals
from tests.pixels.pictures import difference, encoded, pixels, recipe, result_or_reason, smooth

DECODERS = sorted({name for row in ROWS.values() for name in row.decoders})
LANES = sorted({row.fast_lane for row in ROWS.values() if row.fast_lane})


def test_every_format_has_a_row():
    assert {*ROWS} == {*Format}


def has_functions_of(module, protocol):
    """True if the module has all functions of the protocol, with the same numbers of arguments."""
    wanted = {name for name in vars(protocol) if not name.startswith("_")}
    return all(
        len(inspect.signature(getattr(module, name)).parameters)
        == len(inspect.signature(getattr(protocol, name)).parameters) - 1  # no `self`
        for name in wanted
    )


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_has_the_functions_of_one(name):
    assert has_functions_of(registry.decoder(name), Decoder)


@pytest.mark.parametrize("name", LANES)
def test_every_fast_lane_has_the_functions_of_one(name):
    assert has_functions_of(registry.fast_lane(name), FastLane)


@pytest.mark.parametrize("name", originals())
def test_a_header_names_a_decoder_of_its_format(name):
    header = read_header(originals()[name])
    assert header.decoder in ROWS[header.format].decoders


def loaded_by(module, names):
    """Modules among `names` that a new process has loaded after it imported `module`."""
    show = f"import sys, {module}; print(*{{*{names}}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, check=True, text=True)
    return {*done.stdout.split()}


def test_whoever_only_asks_for_the_format_loads_no_decoder():
    for module in ("dafre_fast.pixels.sniff", "dafre_fast.pixels.damage"):
        assert loaded_by(module, ["numba", "numpy", "pyvips", "PIL"]) == set()


def test_a_worker_starts_with_the_frequent_decoders_and_without_pillow():
    frequent = {f"dafre_fast.pixels.decoders.{name}" for name in ("jpeg", "png", "vips")}
    assert loaded_by("dafre_fast.pixels.making", ["PIL", *frequent]) == frequent


# A new format, with a row and a decoder: two letters, two sides, and RGB


def raw_size(data):
    return Size(*struct.unpack(">HH", data[2:6]))


def read_raw_header(data, format):
    return Header(format=format, stored=raw_size(data), decoder="raw")


def decode_raw(data, header, plan):
    width, height = header.stored
    if raw_flaw(data):
        raise Refusal(Reason.CORRUPT, "pixels are missing")
    stored = np.frombuffer(data, np.uint8, 3 * width * height, 6).reshape(height, width, 3)
    image = pyvips.Image.new_from_array(stored).copy(interpretation="srgb")
    return vips.render(lambda _shrink: image, header, plan)


def raw_flaw(data):
    is_cut = len(data) < 6 + 3 * np.prod(raw_size(data))
    return Refusal(Reason.TRUNCATED, "cut") if is_cut else None


@pytest.fixture
def raw(monkeypatch):
    """A picture as a file of the new format: RW, sides as 16-bit numbers, RGB bytes."""
    decoder = SimpleNamespace(read_header=read_raw_header, decode=decode_raw)
    monkeypatch.setitem(sys.modules, f"{registry.__package__}.raw", decoder)
    row = Row(
        "raw",
        begins_with(b"RW"),
        decoders=("raw",),
        flaw=raw_flaw,
    )
    monkeypatch.setitem(ROWS, "raw", row)
    yield b"RW" + struct.pack(">HH", 64, 48) + smooth(64, 48).tobytes()
    registry.decoder.cache_clear()


def test_a_row_and_a_decoder_are_all_that_a_new_format_needs(raw):
    assert sniff(raw) == "raw"
    made, expected = (make_images(data, recipe()) for data in (raw, encoded(smooth(64, 48))))
    assert made.header.format == "raw"
    assert difference(pixels(made["full"].data), pixels(expected["full"].data)) < 1


def test_a_file_of_a_new_format_that_ends_early_is_found_by_its_row(raw):
    assert check_end(raw) is True
    assert result_or_reason(check_end, raw[:-1]) is Reason.TRUNCATED
