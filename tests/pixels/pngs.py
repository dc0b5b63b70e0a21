"""PNG files written by hand (PNG, third edition, 5 and 9), so that one thing may be wrong."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {3: 2, 4: 6}
"""Colour types by the number of channels."""
NONE, SUB, UP, AVERAGE, PAETH = range(5)


def chunk(name, body=b"", crc=None):
    right = zlib.crc32(name + body)
    return (
        struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", right if crc is None else crc)
    )


def ihdr(width, height, channels):
    return chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    )


IEND = chunk(b"IEND")


def png(width, height, lines, *, channels=3, before=b"", idat=None, after=IEND):
    """A file of filtered scanlines. `before`: chunks between IHDR and IDAT; `idat`: these chunks in
    the place of the one that holds the scanlines.
    """
    data = chunk(b"IDAT", zlib.compress(lines)) if idat is None else idat
    return SIGNATURE + ihdr(width, height, channels) + before + data + after


def predicted(filter, left, above, corner):
    """Prediction of a byte by a filter from the bytes left, above and above left (9.2, 9.4)."""
    if filter == PAETH:
        guess = left + above - corner
        return min((left, above, corner), key=lambda near: abs(guess - near))  # the first of equals
    return (0, left, above, (left + above) // 2)[filter]


def unfiltered(lines, width, height, channels):
    """Pixels (height, width, channels) of filtered scanlines, byte by byte."""
    stride = width * channels
    rows = [[0] * stride]
    for y in range(height):
        filter, *line = lines[y * (stride + 1) : (y + 1) * (stride + 1)]
        above, row = rows[-1], []
        for i, byte in enumerate(line):
            left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
            row.append((byte + predicted(filter, left, above[i], corner)) % 256)
        rows.append(row)
    return np.array(rows[1:], np.uint8).reshape(height, width, channels)


def filtered(pixels, types):
    """Scanlines of pixels (height, width, channels), the filter types in turn, byte by byte."""
    height, width, channels = pixels.shape
    above, lines = [0] * width * channels, bytearray()
    for y, row in enumerate(pixels.reshape(height, -1).tolist()):
        filter = types[y % len(types)]
        lines.append(filter)
        for i, byte in enumerate(row):
            left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
            lines.append((byte - predicted(filter, left, above[i], corner)) % 256)
        above = row
    return bytes(lines)


def on_white(pixels):
    """RGB of RGB or RGBA, rounded half up."""
    if pixels.shape[2] == 3:
        return pixels
    colour, alpha = pixels[..., :3].astype(int), pixels[..., 3:].astype(int)
    twice = 2 * (colour * alpha + 255 * (255 - alpha))
    return ((twice + 255) // 510).astype(np.uint8)


def with_chunks(data, *chunks):
    """The file with these chunks behind its IHDR."""
    end = len(SIGNATURE) + 25
    return data[:end] + b"".join(chunks) + data[end:]


def plain_lines(pixels):
    """Scanlines without filters."""
    height = len(pixels)
    return np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0))).astype(np.uint8).tobytes()
