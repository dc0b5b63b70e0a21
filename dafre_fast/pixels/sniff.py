"""Recognise the format of a file by its first bytes; its name does not count.

Formats that can be decoded are in `decoders.registry`; the tables here name what else a file may
be. Sources: the formats' specifications, and WHATWG MIME Sniffing for media containers.
"""

from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders.registry import ROWS
from dafre_fast.pixels.decoders.signatures import has_brand, is_riff

SNIFF_BYTES = 512
"""First bytes of a file that tell its format."""

_IMAGES_NOT_READ = (
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"),
    (b"\x8bJNG\r\n\x1a\n", "JNG"),
    (b"gimp xcf", "GIMP"),
    (b"CSFCHUNK", "Clip Studio Paint"),
    (b"qoif", "QOI"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"DDS |\0\0\0", "DirectDraw surface"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"AT&TFORM", "DjVu"),
    (b"\0\0\2\0\0\0\0\0", "TGA"),
    (b"\0\0\x0a\0\0\0\0\0", "TGA"),
    (b"\0\0\2\0", "cursor"),
    (b"\x0a\5\1\x08", "PCX"),
    *((b"P%d\n" % kind, "Netpbm") for kind in range(1, 8)),
    (b"FUJIFILMCCD-RAW", "Fujifilm raw"),
    (b"IIU\0", "Panasonic raw"),
    (b"IIRO", "Olympus raw"),
)
_ISO_IMAGES_NOT_READ = (
    (has_brand(b"crx "), "Canon raw"),
    (has_brand(b"avci", b"avcs"), "HEIF with AVC"),
    (has_brand(b"vvic", b"vvis"), "HEIF with VVC"),
    (has_brand(b"j2ki", b"j2is"), "HEIF with JPEG 2000"),
)
_VIDEOS = (
    (is_riff(b"AVI "), "an AVI video"),
    (lambda head: head[4:8] == b"ftyp", "an MP4 or QuickTime video"),
)
_OTHERS = (
    (b"PK\3\4", "a zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"FWS", "a Flash movie"),
    (b"CWS", "a Flash movie"),
    (b"ZWS", "a Flash movie"),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska video"),
    (b"OggS", "Ogg media"),
    (b"\x1f\x8b", "gzip data"),
    (b"%PDF-", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"{", "JSON"),
    (b"<!doctype html", "HTML"),
    (b"<html", "HTML"),
    (b"<head", "HTML"),
    (b"<body", "HTML"),
    (b"<script", "HTML"),
    (b"<!--", "HTML"),
    (b"<?xml", "XML"),
    (b"<svg", "SVG"),
)


def sniff(data: bytes | mmap) -> Format:
    """Return the format of a file by its first `SNIFF_BYTES`; `data` may be longer.

    Raises Refusal: EMPTY_FILE, UNSUPPORTED_FORMAT for images that cannot be decoded, and
    NOT_AN_IMAGE, with the name of what it is instead if that is known.
    """
    head = data[:SNIFF_BYTES]
    if not head:
        raise Refusal(Reason.EMPTY_FILE)
    for row in ROWS.values():
        if row.signature(head):
            return row.format
    raise _refusal(head)


def _refusal(head: bytes) -> Refusal:
    for signature, name in _ISO_IMAGES_NOT_READ:
        if signature(head):
            return Refusal(Reason.UNSUPPORTED_FORMAT, name)
    for signature, name in _VIDEOS:
        if signature(head):
            return Refusal(Reason.NOT_AN_IMAGE, name)
    for magic, name in _IMAGES_NOT_READ:
        if head.startswith(magic):
            return Refusal(Reason.UNSUPPORTED_FORMAT, name)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, name in _OTHERS:
        if head.startswith(magic) or text.startswith(magic.lower()):
            return Refusal(Reason.NOT_AN_IMAGE, name)
    return Refusal(Reason.NOT_AN_IMAGE, f"begins with {head[:8]!r}")
