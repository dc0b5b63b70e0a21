"""Baseline JPEG by a decoder of our own: what it needs from the segments of a file.

It takes files that libjpeg-turbo decodes without a word, of the kinds that nearly all have: 8 bits,
one scan with Huffman codes, grey or YCbCr of full or half the width and height. It leaves all else
to libjpeg-turbo. Segments: ITU-T T.81, B.2; JFIF: T.871; Adobe's APP14: T.872, 6.5.3.
"""

from collections.abc import Sequence

from dafre_fast.pixels.decoders import markers
from dafre_fast.pixels.decoders.markers import SOF0, SOF1, Segment
from dafre_fast.pixels.geometry import LARGEST_JPEG_SIDE, Rect, Size
from dafre_fast.pixels.kernels import baseline
from dafre_fast.pixels.kernels.baseline import Component, Parts, Scan

_BEGIN = bytes([0xFF, markers.SOI])
_FRAMES = {SOF0, SOF1}
_KNOWN = {*_FRAMES, markers.DHT, markers.DQT, markers.DRI, markers.SOS, markers.COM}
_KNOWN |= {*range(markers.APP0, markers.APP0 + 16)}
_SAMPLING = {b"\x11": False, b"\x11\x11\x11": False, b"\x22\x11\x11": True}
"""Sampling factors of grey or of Y, Cb and Cr, and whether they halve chroma."""
_LEAST_HALVED = 5
"""Width in pixels; libjpeg does not smooth the chroma of narrower pictures."""
_WHOLE_BLOCKS = bytes([0, 63, 0])
"""Spectral selection and successive approximation of a sequential scan (B.2.3)."""
_YCC = 1
"""Adobe's transform."""
_TABLES = range(4)
_OF_AC = 0x10
"""The class of a table of codes, above its number."""
_LENGTHS = 16
_DC = frozenset(range(12))
"""Symbols of first coefficients of 8-bit samples: numbers of bits (F.1.2.1.2)."""
_AC = frozenset({0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))})
"""Symbols of the others: end of block, 16 zeros, and runs with numbers of bits (F.1.2.2.1)."""


def is_usual(kind: int, frame: bytes) -> bool:
    """Return True for a frame header, its marker and parameters, of files that are taken."""
    factors = frame[7::3]
    return kind in _FRAMES and frame[0] == 8 and factors in _SAMPLING


def decode(data: bytes, eighths: int, rect: Rect) -> Parts | None:
    """Decode the picture at `eighths` / 8 of its size, rounded up (1, 2 or 4; 0 for not at all),
    and the region `rect` at full size (an empty one for none).

    Returns None for a file that is left to libjpeg-turbo.
    """
    scan = read_scan(data)
    return scan and baseline.decode(data, scan, eighths, rect)


def read_scan(data: bytes) -> Scan | None:
    """Return the scan of a file; None if anything about it is unusual."""
    parts = list(markers.segments(data, until=markers.SOS))
    frames = [part for part in parts if part.marker in _FRAMES]
    if not _are_in_a_row(data, parts) or len(frames) != 1 or _says_otherwise(parts):
        return None
    frame, scan = frames[0].body, parts[-1].body
    size, count = Size(int.from_bytes(frame[3:5]), int.from_bytes(frame[1:3])), len(frame[7::3])
    halved = _SAMPLING.get(frame[7::3], False)
    components = _components(parts, frame, scan)
    least = _LEAST_HALVED if halved else 1
    if (
        not is_usual(frames[0].marker, frame)
        or len(frame) != 6 + 3 * count
        or frame[5] != count
        or not least <= size.width <= LARGEST_JPEG_SIDE
        or not 1 <= size.height <= LARGEST_JPEG_SIDE
        or components is None
    ):
        return None
    return Scan(size, components, halved, _interval(parts), parts[-1].end)


def _are_in_a_row(data: bytes, parts: Sequence[Segment]) -> bool:
    """Return True if nothing stands between known segments, and each of them is whole."""
    ends = [len(_BEGIN), *(part.end for part in parts)]
    return (
        data.startswith(_BEGIN)
        and bool(parts)
        and parts[-1].marker == markers.SOS
        and ends[-1] <= len(data)
        and all(part.start == end for part, end in zip(parts, ends, strict=False))
        and all(part.marker in _KNOWN and part.end - part.start >= 4 for part in parts)
        and all(len(part.body) == part.end - part.start - 4 for part in parts)
    )


def _says_otherwise(parts: Sequence[Segment]) -> bool:
    """Return True if libjpeg would warn of a JFIF version, or of a colour transform."""
    for marker, body, *_ in parts:
        if marker == markers.APP0 and body.startswith(b"JFIF\0") and body[5:6] != b"\1":
            return True
        if marker == markers.APP14 and body.startswith(b"Adobe") and body[11:12] != bytes([_YCC]):
            return True
    return False


def _interval(parts: Sequence[Segment]) -> int:
    """Return the last restart interval (B.2.4.4)."""
    found = [int.from_bytes(part.body) for part in parts if part.marker == markers.DRI]
    return found[-1] if found else 0


def _components(parts: Sequence[Segment], frame: bytes, scan: bytes) -> Sequence[Component] | None:
    """Return the components of a scan with their tables; None if they are not all of the frame's,
    in order, or a table is missing or has what no baseline file needs.
    """
    ids, steps, codes = frame[6::3], _steps(parts), _codes(parts)
    chosen = scan[2:-3:2]
    given = bytes(value for pair in zip(ids, chosen, strict=False) for value in pair)
    if scan != bytes([len(ids)]) + given + _WHOLE_BLOCKS or len({*ids}) < len(ids):
        return None
    found = [
        (codes.get(tables >> 4), codes.get(_OF_AC | tables & 15), steps.get(number))
        for tables, number in zip(chosen, frame[8::3], strict=True)
    ]
    made = [Component(dc, ac, step) for dc, ac, step in found if dc and ac and step]
    sound = all(_are_sound(one.dc, _DC) and _are_sound(one.ac, _AC) for one in made)
    return made if sound and len(made) == len(ids) else None


def _steps(parts: Sequence[Segment]) -> dict[int, bytes]:
    """Return tables of quantisation of 8 bits by their numbers (B.2.4.1); none if one is broken."""
    found = dict[int, bytes]()
    for part in parts:
        tables = part.body if part.marker == markers.DQT else b""
        while tables:
            if tables[0] not in _TABLES or len(tables) < 65 or 0 in tables[1:65]:
                return {}
            found[tables[0]], tables = tables[1:65], tables[65:]
    return found


def _codes(parts: Sequence[Segment]) -> dict[int, bytes]:
    """Return tables of codes by class and number (B.2.4.2): the number of codes of each length, and
    their symbols; none if one is broken.
    """
    found = dict[int, bytes]()
    for part in parts:
        tables = part.body if part.marker == markers.DHT else b""
        while tables:
            end = 17 + sum(tables[1:17])
            if tables[0] & ~_OF_AC not in _TABLES or not 17 <= len(tables) >= end <= 17 + 256:
                return {}
            found[tables[0]], tables = tables[1:end], tables[end:]
    return found


def _are_sound(codes: bytes, known: frozenset[int]) -> bool:
    """Return True if there is room for all codes, and for one of ones alone (C.2), and their
    symbols are known.
    """
    free = 1
    for count in codes[:_LENGTHS]:
        free = 2 * free - count
        if free < 1:
            return False
    return known.issuperset(codes[_LENGTHS:])
