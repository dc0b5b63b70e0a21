"""All kernels on arrays in guarded memory, over many sizes; run as a process of its own, which ends
by a signal where a byte outside is touched.

The callers themselves allocate: their `np` is replaced, so that what they leave as room for the
vectors is what is tried.
"""

from contextlib import ExitStack
from itertools import product
from unittest.mock import patch

import numpy as np

from dafre_fast.audit import hamming
from dafre_fast.pixels.decoders import png
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.kernels import resample, unfilter
from dafre_fast.pixels.rasters import Raster
from dafre_fast.tables.kernels import post_lines, row_lines
from tests.fuzz.guarded import GuardedNumpy, before_guard, behind_guard
from tests.pixels.pngs import png as png_file

SIDES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 33]
BLOCKS = [0, 2, 3, 7, 8, 16]
TEXTS = [
    b"",
    b"\n",
    b"0",
    b"0.123456",
    b"0.1234567, ",
    b"0.25, 0.5, 0.75, 1.0 0.875",
    b"1e",
    b"1e+",
]
TAGS = [b"", b"5", b"55\n"]
RECORDS = [
    b"",
    b"{}",
    '{"x":[1.5,"\\u00e9é\\n",{"a":null}],"rating":"a string of more than 16 bytes"}'.encode(),
    b'{"tags":[{"id":"1","name":"1girl","category":"0"},{"category":3,"name":"\\u3042"}]}',
    b'{"tag_string_general":"1girl solo","tag_string_character":""}',
]
PATHS = [b"", b"\n", b"1", b"1/", b"0446/332446.", b"0446\\332446.jpg", b"0446/332446.jpg\n"]


def results(work, place=None):
    """All arrays that the work makes, as bytes; `place` guards every array of the callers."""
    with ExitStack() as changed:
        if place:
            for module in (png, resample, unfilter, hamming, row_lines, post_lines):
                changed.enter_context(patch.object(module, "np", GuardedNumpy(place)))
        return [array.tobytes() for array in work()]


def regions(width, height):
    """All, none, and the first and last pixel."""
    yield Rect(0, 0, width, height)
    yield Rect(0, 0, 0, 0)
    yield Rect(0, 0, 1, 1)
    yield Rect(width - 1, height - 1, width, height)


def scans():
    random = np.random.default_rng(1)
    for width, height, channels, block in product(SIDES, SIDES, (3, 4), BLOCKS):
        lines = random.integers(0, 256, (height, width * channels + 1), np.uint8)
        lines[:, 0] = random.integers(0, 5, height)
        file = png_file(width, height, lines.tobytes(), channels=channels)
        shown = list(regions(width, height))[random.integers(4)]
        yield from png._scan(file, Size(width, height), block, shown)


def shrunk():
    random = np.random.default_rng(2)
    for width, height, channels, block in product(SIDES, SIDES, (3, 4), range(2, 17)):
        pixels = random.integers(0, 256, (height, width, channels), np.uint8)
        yield resample.shrink(resample.np.ascontiguousarray(pixels), block).pixels


def resized():
    random = np.random.default_rng(3)
    for width, height, channels, kind in product(SIDES, SIDES, (3, 4), (np.uint8, np.uint16)):
        pixels = random.integers(0, 256, (height, width, channels), kind)
        for target in (Size(1, 1), Size(width, 4), Size(5, 9)):
            # Up to a pixel less than the raster: a decoder that shrinks rounds sizes up.
            extent = (width - random.random(), height - random.random())
            yield resample.resize(Raster(pixels, extent, 0.9), target)


def parsed():
    rows = product(PATHS, TAGS, TEXTS)
    texts = [*PATHS, *(b"\t".join(row) for row in rows)]
    for text in [whole[:end] for whole in texts for end in range(len(whole) + 1)]:
        yield from row_lines.parse_faces(row_lines.np.frombuffer(text, np.uint8))
        yield from row_lines.parse_tags(row_lines.np.frombuffer(text, np.uint8))


def posts():
    texts = [b"\n".join([*lines, b""]) for lines in product(RECORDS, repeat=2)]
    for text in [whole[:end] for whole in texts for end in range(len(whole) + 1)]:
        yield from post_lines.parse_posts(post_lines.np.frombuffer(text, np.uint8), 200)


def paired():
    random = np.random.default_rng(4)
    for count, distance in product((0, 1, 2, 33), (0, 15, 31, 48, 63)):
        hashes = np.repeat(random.integers(0, 2**64, (count, 4), np.uint64), 3, axis=0)
        hashes[1::3, 1] ^= np.uint64(0xFFFFFFFF)
        hashes = hamming.np.ascontiguousarray(hashes)
        pairs = hamming.pairs_within(hashes, distance)
        yield from pairs
        yield hamming.components(len(hashes), pairs.first, pairs.second)
        yield hamming.representatives(len(hashes), pairs)
        yield hamming.spreads(hashes, np.arange(0, len(hashes) + 1, 3))


WORKS = (scans, shrunk, resized, parsed, posts, paired)

if __name__ == "__main__":
    for work in WORKS:
        expected = results(work)  # without guards
        for place in (before_guard, behind_guard):
            assert results(work, place) == expected
        print(work.__name__, len(expected))
