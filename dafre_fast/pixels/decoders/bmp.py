"""BMP: the ICC profile, which Pillow does not read."""

import struct

_INFO = 14
"""Offset of the info header, by which all others are counted."""
_VERSION_5 = 124
_EMBEDDED = b"DEBM"
"""The colour space PROFILE_EMBEDDED, 'MBED' as a number (BITMAPV5HEADER)."""


def profile(data: bytes) -> bytes | None:
    """Return the ICC profile that a header of version 5 embeds; None if there is none.

    A profile that is only named by its path is not looked for.
    """
    header = data[_INFO : _INFO + _VERSION_5]
    if len(header) < _VERSION_5 or int.from_bytes(header[:4], "little") < _VERSION_5:
        return None
    if header[56:60] != _EMBEDDED:
        return None
    start, size = struct.unpack("<II", header[112:120])
    return data[_INFO + start : _INFO + start + size]
