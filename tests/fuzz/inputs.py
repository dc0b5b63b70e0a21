"""Inputs of the fuzz targets: drawn seeds, and the files of shared/images beside the project.

Their parts (chunks, segments, fields) are rearranged and bytes are changed. Checksums are made
right again, since decoders read nothing after a wrong one.
"""

import re
import struct
import zlib
from itertools import product
from operator import mul

import numpy as np
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.pixels.pictures import (
    IMAGES,
    encoded,
    exif,
    grey_profile,
    patches,
    png_of_16_bits,
    wide_profile,
)
from tests.pixels.pngs import IEND, SIGNATURE, chunk

NUMBERS = [bytes(2), bytes(4), b"\xff\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1"]
SMALL = patches(11, 9)


def real(pattern, size=4096):
    """The first bytes of small real files; none in a bare clone."""
    return [path.read_bytes()[:size] for path in sorted(IMAGES.glob(pattern))]


@st.composite
def edited(draw, originals, words=NUMBERS):
    """Originals in which a few runs of bytes are replaced, put in or taken out."""
    data = bytearray(draw(originals))
    pieces = st.binary(max_size=8) | st.sampled_from(words)
    lengths = st.sampled_from([0, 1, 1, 2, 2, 4, 4, 8, 8, 60, len(data)])
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(data)))
        data[begin : begin + draw(lengths)] = draw(pieces)
    return bytes(data)


def rearranged(parts, separator=b"", **bounds):
    """Parts in any order, any number of times."""
    return st.lists(st.sampled_from(parts), **bounds).map(separator.join)


# Sniffing

MAGIC = [
    *[b"\xff\xd8\xff", SIGNATURE, b"GIF87a", b"GIF89a", b"RIFF", b"WEBP", b"II*\0", b"MM\0*"],
    *[b"ftyp", b"avif", b"heic", b"BM", b"8BPS", b"PK\3\4", b"\x1f\x8b", b"%PDF-", b"\xef\xbb\xbf"],
    *[b"<!DOCTYPE HTML", b"<html", b"<svg", b"<?xml", b"{", b" \r\n\t", b"\x85", b" " * 512],
]
heads = edited(rearranged(MAGIC) | st.binary(max_size=600), MAGIC)

# Metadata

EXIF_BLOCKS = [
    block
    for orientation in range(10)
    for block in (
        exif(orientation).tobytes()[6:],
        b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0),
    )
]
exif_blocks = edited(st.sampled_from(EXIF_BLOCKS))

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = [grey_profile(2.2), SRGB, wide_profile()]
profiles = edited(st.sampled_from(PROFILES), [*NUMBERS, b"desc", b"acsp", b"sRGB", b"RGB "])

# JPEG

JPEGS = [
    *[
        encoded(SMALL, "JPEG", quality=90, progressive=progressive, subsampling=subsampling)
        for progressive, subsampling in product([True, False], ["4:2:0", "4:4:4"])
    ],
    encoded(SMALL, "JPEG", exif=exif(6), icc_profile=SRGB, restart_marker_rows=1),
    encoded(SMALL, "JPEG", keep_rgb=True, progressive=True),
    encoded(Image.fromarray(SMALL).convert("L"), "JPEG", progressive=True),
    encoded(Image.fromarray(SMALL).convert("CMYK"), "JPEG"),
    *real("*/*.jpg"),
]
SEGMENTS = sorted(
    {part for file in JPEGS for part in re.split(rb"(?=\xff[\xc0-\xfe])", file)}, key=len
)
MARKERS = [bytes([0xFF, marker]) for marker in (0, 1, *range(0xC0, 0x100))]
jpegs = edited(
    st.sampled_from(JPEGS)
    | st.sampled_from(JPEGS)
    | rearranged(SEGMENTS).map(lambda segments: b"\xff\xd8" + segments + b"\xff\xd9"),
    NUMBERS + MARKERS,
)

# PNG

PASSES = [
    *[(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)],
    (0, 1, 1, 2),
]
"""Adam7: first column and row, and steps (PNG, third edition, 8.1)."""
KINDS = [  # colour type, channels, depths; most are what the fast lane reads
    *[(2, 3, [8]), (6, 4, [8])] * 4,
    *[(2, 3, [16]), (6, 4, [16]), (0, 1, [1, 2, 4, 8, 16]), (4, 2, [8, 16]), (3, 1, [1, 2, 4, 8])],
]


def iccp(profile):
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))


def exif_chunk(block):
    return chunk(b"eXIf", block)


PALETTE = chunk(b"PLTE", bytes(range(48)))
ANCILLARY = [
    *[chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"sRGB", b"\0"), chunk(b"cHRM", bytes(32))],
    *[chunk(b"tRNS", bytes(size)) for size in (1, 2, 6)],
    *map(iccp, PROFILES),
    *map(exif_chunk, EXIF_BLOCKS[4:]),
    *[chunk(b"tEXt", b"key\0text"), chunk(b"tEXt", b"\xff\0\xff"), chunk(b"zTXt", b"k\0\0junk")],
    *[chunk(b"acTL", b"\0\0\0\1" + bytes(4)), chunk(b"fcTL", bytes(26)), chunk(b"fdAT", bytes(9))],
    *[chunk(b"sBIT", b"\5\6\5"), PALETTE],
    *[chunk(b"pHYs", bytes(9)), chunk(b"bKGD", bytes(6)), chunk(b"cICP", b"\x0c\x0d\0\1")],
]
MISPLACED = [
    *[chunk(b"ABCD"), chunk(b"IEND"), chunk(b"IDAT"), chunk(b"IHDR", bytes(13)), PALETTE, b"junk"],
    *[chunk(b"tEXt", b"wrong", crc=1), chunk(b"IDAT", b"wrong", crc=1), chunk(b"tE\0t")],
]
rarely = st.sampled_from([False] * 9 + [True])
sides = st.integers(1, 40) | st.sampled_from([63, 64, 65, 127, 128, 129, 255, 256, 257])


def scanlines(random, passes, bits, types, tones):
    """Filtered scanlines of each pass: any bytes are, but few tones bring ties to the filters."""
    lines = []
    for width, height in passes:
        line = random.integers(0, tones, (height, 1 + -(-width * bits // 8)), np.uint8)
        line[:, 0] = random.choice(types, height)
        lines.append(line.tobytes())
    return b"".join(lines)


@st.composite
def drawn_pngs(draw):
    """A PNG of any kind and size, drawn from noise; now and then one step of many goes wrong."""

    def meddled(data):
        return draw(edited(st.just(data))) if draw(rarely) else data

    colour, channels, depths = draw(st.sampled_from(KINDS))
    width, height, depth = draw(sides), draw(st.integers(1, 40)), draw(st.sampled_from(depths))
    interlaced = draw(rarely)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in PASSES]
    lines = scanlines(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        [size for size in sizes if min(size) > 0] if interlaced else [(width, height)],
        channels * depth,
        sorted(draw(st.sets(st.integers(0, 5 if draw(rarely) else 4), min_size=1))),
        draw(st.sampled_from([256, 8, 2])),
    )
    packed = meddled(zlib.compress(meddled(lines), draw(st.sampled_from([6, 0, 1]))))
    cuts = sorted({0, *draw(st.lists(st.integers(0, len(packed)), max_size=3)), len(packed)})
    data = [packed[begin:end] for begin, end in zip(cuts, [*cuts[1:], None], strict=True)]
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    ancillary = st.sampled_from(ANCILLARY) | profiles.map(iccp) | exif_blocks.map(exif_chunk)
    places = [draw(rearranged(MISPLACED, max_size=2)) if draw(rarely) else b"" for _ in range(3)]
    return meddled(
        SIGNATURE
        + chunk(b"IHDR", meddled(head))
        + (PALETTE if colour == 3 else b"")
        + b"".join(draw(st.lists(ancillary, max_size=3)))
        + places[0]
        + places[1].join(chunk(b"IDAT", piece) for piece in data)
        + places[2]
        + IEND
    )


def chunks_of(file):
    """Chunks as (name, body)."""
    at = 8
    while at < len(file):
        end = at + 8 + int.from_bytes(file[at : at + 4])
        yield file[at + 4 : at + 8], file[at + 8 : end]
        at = end + 4


PNGS = [
    *[encoded(Image.new(mode, (11, 9))) for mode in ("RGB", "RGBA", "P", "L", "LA", "1")],
    encoded(SMALL, exif=exif(6), icc_profile=SRGB),
    png_of_16_bits(np.full((9, 11, 3), 7)),
    *[file for file in real("pngsuite/*.png") if len(file) < 4096],
]
CHUNKS = sorted({part for file in PNGS for part in chunks_of(file)}, key=lambda part: len(part[1]))


@st.composite
def rebuilt_pngs(draw):
    """Chunks of seeds, changed and rearranged, all with right checksums."""
    file = list(chunks_of(draw(st.sampled_from(PNGS))))
    for _ in range(draw(st.integers(0, 2))):
        begin = draw(st.integers(0, len(file)))
        file[begin : begin + draw(st.integers(0, 2))] = draw(
            st.lists(st.sampled_from(CHUNKS), max_size=2)
        )
    changed = draw(st.integers(0, 2 * len(file) + 1))
    if changed < len(file):
        name, body = file[changed]
        file[changed] = draw(edited(st.just(name)))[:4].ljust(4), draw(edited(st.just(body)))
    return SIGNATURE + b"".join(chunk(*part) for part in file)


pngs = drawn_pngs() | drawn_pngs() | rebuilt_pngs()
any_pngs = pngs | edited(pngs)

# Tables

NUMBER_PARTS = [*b"0 1 9 . - + e E 0.123456 00 99999999999999999999 0.5 nan inf".split()]
SEPARATORS = [b" ", b",", b", ", b"\t", b"\n", b"\r\n", b""]
BOX = b"0.250000, 0.5, 0.75, 1.0 0.8750"
box_texts = edited(
    rearranged([BOX + b"\n", b"\n" + BOX, *NUMBER_PARTS, *SEPARATORS], max_size=30),
    NUMBER_PARTS + SEPARATORS,
)
PATH_PARTS = [b"0446", b"\\", b"/", b"332446", b".jpg", b".", b"..", b"\n", b"99999999999999999999"]
id_texts = edited(
    rearranged([b"0446\\332446.jpg\n", *PATH_PARTS], max_size=30), [*PATH_PARTS, b"\0", b"\xff"]
)
FIELDS = [
    b"0446\\332446.jpg",
    b"13",
    BOX,
    b"-1",
    b"9" * 20,
    b" ",
    b'"',
    b"\0",
    b"\xff",
    b"\xc2\x85",
]
ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\t", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x0b"]
ROW = b"\t".join(FIELDS[:3]) + b"\n"
few_lines = edited(
    rearranged([ROW, ROW, *FIELDS, *ENDS], max_size=30) | rearranged([ROW], min_size=1, max_size=9),
    FIELDS + ENDS,
)
RECORD = (
    b'{"id":"5","rating":"s","image_width":850,"is_banned":false,"x":[{"y":-1.5},[]],'
    b'"tags":[{"id":"1","name":"1girl","category":"0"},{"category":3,"name":"a\\"b"}]}\n'
)
NEW_RECORD = (
    b'{"id":5,"file_ext":null,"tag_string_general":"1girl solo","tag_string_character":""}\n'
)
TAG = b'{"id":"470575","name":"long_hair_of_some_length","category":"4"}'
JSON_PARTS = [
    *b'{ } [ ] , : " "" true false null 0 -1 1.5 1e5 [] {} {"x":'.split(),
    *[b"\\", b"\\n", b"\\u0041", b"\\ud800", b" ", b"\t", b"\r", b"\n", b"\0", b"\x1f", b"\xff"],
    *[
        "é".encode(),
        "あ".encode(),
        "😀".encode(),
        b'"id":',
        b'"tags":[',
        b'"name":',
        b'"category":"3"',
    ],
    *[b'"tag_string_general":"', b'"is_banned":', b'"rating":', TAG, TAG + b",", b"[" * 61],
]
records = edited(
    rearranged([RECORD, NEW_RECORD], min_size=1, max_size=4) | rearranged(JSON_PARTS, max_size=30),
    JSON_PARTS,
)

tables = st.builds(mul, few_lines, st.sampled_from([1] * 19 + [1000]))
"""Long ones are read in pieces by several threads."""
