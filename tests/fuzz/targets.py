"""Fuzz targets: properties that hold for any bytes, one function per reader of foreign files."""

import math
import sys
import tracemalloc
from itertools import pairwise
from random import Random

import numpy as np
import polars as pl
import pyvips

from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.decoders import choose, jpeg, png
from dafre_fast.pixels.decoders.registry import ROWS
from dafre_fast.pixels.decoders.scans import whole_scans, without_refinements
from dafre_fast.pixels.geometry import oriented
from dafre_fast.pixels.header import exif_orientation
from dafre_fast.pixels.kernels.resample import block_for
from dafre_fast.pixels.making import make_images
from dafre_fast.pixels.plan import plan_image
from dafre_fast.pixels.sniff import SNIFF_BYTES
from dafre_fast.pixels.sniff import sniff as format_of
from dafre_fast.tables.faces import read_faces
from dafre_fast.tables.json_lines import decoded
from dafre_fast.tables.json_texts import LONGEST_LINE
from dafre_fast.tables.kernels.post_lines import BLANK, GOOD, parse_posts
from dafre_fast.tables.post_shape import SHAPE
from dafre_fast.tables.posts import organise
from dafre_fast.tables.tag_ids import read_tags
from tests.fuzz import inputs
from tests.fuzz.guarded import before_guard
from tests.pixels.pictures import recipe, result_or_reason
from tests.pixels.pngs import on_white
from tests.tables import models

LINES, LINES_PER_BYTE = 500, 30
MEMORY, MEMORY_PER_BYTE = 100_000, 10
LARGEST_PROFILE = 2 * png._LARGEST_PROFILE
"""Bytes of memory for an ICC profile: the largest one, and the copy that unpacking makes."""


def bounded(function, data, memory=0):
    """Return the result of `function` for `data`, or the reason of its Refusal.

    Fails if the lines of Python that ran, or the memory beyond `memory` bytes, exceed a bound that
    is proportional to the length of the data.
    """
    lines = 0

    def trace(_frame, event, _argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    tracemalloc.start()
    sys.settrace(trace)
    try:
        result = result_or_reason(function, data)
    finally:
        sys.settrace(before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert lines <= LINES + LINES_PER_BYTE * len(data), f"{lines} lines, {len(data)} bytes"
    assert peak <= memory + MEMORY + MEMORY_PER_BYTE * len(data), f"{peak} bytes of memory"
    return result


def sniff(data):
    found = result_or_reason(format_of, data)
    refusals = {Reason.EMPTY_FILE, Reason.UNSUPPORTED_FORMAT, Reason.NOT_AN_IMAGE}
    assert isinstance(found, Format) or found in refusals
    assert found == result_or_reason(format_of, data[:SNIFF_BYTES])


def jpeg_header(data):
    header = bounded(jpeg.read_header, data, LARGEST_PROFILE)
    image = opened(data, pyvips.Image.jpegload_buffer)
    _is_a_header(header, Format.JPEG, image)


def png_header(data):
    header = bounded(png.read_header, data, LARGEST_PROFILE)
    image = opened(data, pyvips.Image.pngload_buffer)
    _is_a_header(header, Format.PNG, image)


def opened(data, load):
    """Open a file with libvips. Returns None if libvips objects to the header."""
    try:
        return load(data, access="sequential", fail_on="error")
    except pyvips.Error:
        return None


def _is_a_header(header, format, image):
    """Check that a header, if it was read, has the size and orientation that libvips found."""
    if header == Reason.UNSUPPORTED_FORMAT:
        return
    if header != Reason.CORRUPT_HEADER:
        assert header.format is format
        assert 1 <= header.orientation <= 8
    if image:
        assert header.stored == (image.width, image.height)
        if image.get_typeof("orientation"):
            assert header.orientation == image.get("orientation")


def exif(data):
    assert 1 <= bounded(exif_orientation, data) <= 8


def refinements(data):
    """Check that leaving out refinements gives the file itself or a shorter one.

    A shorter one keeps the head, ends properly, has nothing more to leave out, and decodes if the
    file did.
    """
    for scale in (0.5, 4, 1e9):
        short = bounded(lambda data, scale=scale: without_refinements(data, scale), data)
        if short != data:
            assert short.startswith(data[: data.find(b"\xff\xda")])
            assert short.endswith(b"\xff\xd9")
            left = iter(data)
            assert all(byte in left for byte in short)
            assert without_refinements(short, scale) == short
            assert decodes(short) or not decodes(data)


def breaking_off(data):
    """Check that `whole_scans` returns None or the first bytes of the file with an end marker."""
    whole = bounded(whole_scans, data)
    assert whole is None or (whole.endswith(b"\xff\xd9") and data.startswith(whole[:-2]))


def ends(data):
    """Check that whoever fetches a file and whoever makes an image of it judge it alike: what is
    refused where it is fetched is refused for the same reason where it is decoded.
    """
    format = result_or_reason(format_of, data)
    if isinstance(format, Reason):
        return
    flaw = bounded(ROWS[format].flaw, data)
    assert flaw is None or flaw.reason in {Reason.TRUNCATED, Reason.CORRUPT}
    fetched = result_or_reason(check_end, data)
    if isinstance(fetched, Reason):
        assert flaw is not None
        assert result_or_reason(make_images, data, recipe(size=8)) == fetched


def decodes(data):
    header = result_or_reason(jpeg.read_header, data)
    if isinstance(header, Reason) or not 0 < math.prod(header.stored) < 1_000_000:
        return False
    return not isinstance(result_or_reason(jpeg.read_pixels, data, header.stored, 1), Reason)


def png_pixels(data):
    """The fast lane decodes what libvips decodes, to the same pixels; whoever decodes, the outputs
    have their sizes.
    """
    random = Random(data)
    size, exact = random.choice([1, 1, 2, 3, 5, 9, 40]), random.random() < 0.3
    settings = recipe(size=size, face_size=20, exact=exact, max_pixels=100_000)
    left, top = random.uniform(-0.1, 1), random.uniform(-0.1, 1)
    box = Box(left, top, left + random.random(), top + random.random())
    full = random.random() < 0.8

    header = result_or_reason(choose.read_header, data)
    if isinstance(header, Reason) or header.format is not Format.PNG:
        return
    outputs = [output for output in settings.outputs if full or output.needs_box]
    plan = result_or_reason(plan_image, header, outputs, settings.bounds, box)
    if isinstance(plan, Reason) or not plan.outputs:
        return
    if png.fits(header, plan):
        decoded = result_or_reason(png.decode, data, header, plan)
        if not isinstance(decoded, Reason):
            _is_what_libvips_decodes(decoded, data, header.stored, plan)
    names = [output.name for output in outputs]
    made = result_or_reason(make_images, data, settings, names, box=box)
    if not isinstance(made, Reason):
        sizes = {name: (image.width, image.height) for name, image in made.pictures.items()}
        assert sizes == {
            part.name: oriented(part.size, header.orientation) for part in plan.outputs
        }


def _is_what_libvips_decodes(decoded, data, size, plan):
    image = opened(data, pyvips.Image.pngload_buffer)
    assert image is not None
    colours = on_white(image.numpy())
    assert colours.shape == (size.height, size.width, 3)
    for part in plan.outputs:
        pixels = decoded[part.name].pixels[..., :3]
        if part.rect:
            left, top, right, bottom = part.rect
            assert np.array_equal(pixels, colours[top:bottom, left:right])
        else:
            block = 1 if part.exact else block_for(size, part.size)
            _are_means(pixels, colours, block)


def _are_means(sums, colours, block):
    """Sums over whole blocks are exact; those that stick out are scaled to whole ones."""
    begins = [np.arange(0, side, block) for side in colours.shape[:2]]
    total = colours.astype(int)
    for axis in range(2):
        total = np.add.reduceat(total, begins[axis], axis)
    sides = [np.diff(begins[axis], append=colours.shape[axis]) for axis in range(2)]
    count = np.multiply.outer(*sides)[..., None]
    assert (abs(sums / block**2 - total / count) < 1).all()
    assert ((sums == total) | (count < block**2)).all()


def boxes(data):
    """Every line as the box of a row that is good but for it."""
    table(b"".join(b"1.jpg\t5\t" + line + b"\n" for line in data.split(b"\n")))


def ids(data):
    """Every line as the path of a row that is good but for it."""
    table(b"".join(line + b"\t5\t0, 0, 1, 1 1\n" for line in data.split(b"\n")))


def table(data):
    """Every line with more than blanks is a row, and nothing else is; what is no table at all says
    so.
    """
    lines, rows = _lines_and_rows(data, read_faces)
    for line, image, tag, *numbers, problem in rows:
        expected = models.face(lines[line - 1])
        assert (problem is None) == (expected is not None)
        if expected:
            assert (image, tag) == expected[:2]
            whole = np.array(expected[2]).astype(np.float32)
            np.testing.assert_allclose(numbers, whole, rtol=2e-7, atol=2e-45)  # a step of float32


def tags(data):
    lines, rows = _lines_and_rows(data, read_tags)
    good = {tag: name for _, tag, name, problem in rows if problem is None}
    assert good == models.names_by_tag(lines)


def _lines_and_rows(data, read):
    lines, found = models.lines_and_rows(data, read)
    return lines, [] if found is None else found.rows()


def posts(data):
    """Lines that the kernel reads are those that the careful way finds good, and are the same."""
    whole = data + b"\n"
    states, starts, _ = parse_posts(before_guard(np.frombuffer(whole, np.uint8)), LONGEST_LINE)
    lines = [whole[start:end] for start, end in pairwise(starts.tolist())]
    assert b"".join(lines) == whole
    told = [*zip(lines, states, strict=True)]
    assert all(models.is_blank(line[:-1]) == (state == BLANK) for line, state in told)
    good = b"".join(line for line, state in told if state == GOOD)
    plain, careful = (_organised(good, shape) for shape in (SHAPE, SHAPE._replace(plain=None)))
    assert plain.equals(careful)


def _organised(block, shape):
    rows, _ = decoded(block, shape)
    return organise(rows.lazy().with_columns(file=pl.lit("a"))).collect()


TARGETS = {
    "sniff": (sniff, inputs.heads),
    "jpeg_header": (jpeg_header, inputs.jpegs),
    "png_header": (png_header, inputs.any_pngs),
    "exif": (exif, inputs.exif_blocks),
    "refinements": (refinements, inputs.jpegs),
    "breaking_off": (breaking_off, inputs.jpegs),
    "ends_of_jpegs": (ends, inputs.jpegs),
    "ends_of_pngs": (ends, inputs.any_pngs),
    "png_pixels": (png_pixels, inputs.pngs),
    "boxes": (boxes, inputs.box_texts),
    "ids": (ids, inputs.id_texts),
    "table": (table, inputs.tables),
    "tags": (tags, inputs.tables),
    "posts": (posts, inputs.records),
}
"""Each target's check, and the strategy that draws its inputs."""
