"""What a file is, by its first bytes; its name does not count.

Magic numbers: the formats' own specifications, and for media containers WHATWG MIME Sniffing.
"""

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason

SNIFF_BYTES = 512
"""As many first bytes as `sniff` looks at."""

_IMAGES = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"II*\0", Format.TIFF),
    (b"MM\0*", Format.TIFF),
    (b"II+\0", Format.TIFF),
    (b"MM\0+", Format.TIFF),
)
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""Bytes of the header behind the file header of 14: two letters alone say too little."""
_BRANDS = {
    Format.AVIF: {b"avif", b"avis"},
    Format.HEIC: {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
}
_IMAGES_NOT_READ = (
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
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


def sniff(head: bytes) -> Format:
    """The format of a file that begins with `head` (its first `SNIFF_BYTES`, or all of it).

    Raises Refusal: EMPTY_FILE, UNSUPPORTED_FORMAT for images that are not read, and NOT_AN_IMAGE
    with the name of what it is instead.
    """
    if not head:
        raise Refusal(Reason.EMPTY_FILE)
    for magic, image in _IMAGES:
        if head.startswith(magic):
            return image
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Format.BMP
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        raise Refusal(Reason.NOT_AN_IMAGE, "an AVI video")
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    raise _refusal(head)


def _by_brands(head: bytes) -> Format:
    """ISO/IEC 14496-12, 4.3: the major brand, its version, and all brands that the file fits."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    for image, known in _BRANDS.items():
        if brands & known:
            return image
    raise Refusal(Reason.NOT_AN_IMAGE, "an MP4 or QuickTime video")


def _refusal(head: bytes) -> Refusal:
    for magic, name in _IMAGES_NOT_READ:
        if head.startswith(magic):
            return Refusal(Reason.UNSUPPORTED_FORMAT, name)
    text = head[:SNIFF_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, name in _OTHERS:
        if head.startswith(magic) or text.startswith(magic.lower()):
            return Refusal(Reason.NOT_AN_IMAGE, name)
    return Refusal(Reason.NOT_AN_IMAGE, f"begins with {head[:8]!r}")
