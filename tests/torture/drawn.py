"""A file of every kind that the project can draw, honest and not, each with what must become of it.

Formats are written by Pillow and libvips; what neither writes is put together here.
"""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pyvips
from PIL import Image, ImageCms

from dafre_fast.core.reasons import Reason
from tests.pixels.pictures import wide_profile

WIDTH, HEIGHT = 61, 47
RIGHT = None
Drawn = tuple[str, bytes, Reason | None]
"""A name, the file, and the reason for which it must be refused; None where it must be right."""


def everything() -> Iterator[Drawn]:
    """All drawn files, each with its name and the outcome that it must have."""
    for kind in (jpegs, pngs, gifs, others, turned, strips):
        for name, data in kind():
            yield name, data, RIGHT
    yield from bombs()
    yield from broken_off()
    yield from no_images()


def picture() -> np.ndarray:
    """RGB: soft waves, and a corner of hard squares."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    waves = [np.sin(6 * x + 1), np.cos(5 * y), np.sin(5 * (x + y))]
    pixels = (127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)
    pixels[:16, :16] = np.kron(np.indices((2, 2)).sum(0) % 2, np.ones((8, 8)))[..., None] * 255
    return pixels


def alpha() -> np.ndarray:
    """An alpha channel from clear on the left to opaque on the right: uint8 (HEIGHT, WIDTH)."""
    return np.linspace(0, 255, WIDTH).astype(np.uint8)[None].repeat(HEIGHT, 0)


def encoded(image: Image.Image | np.ndarray, format: str, **options: object) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def by_vips(pixels: np.ndarray, suffix: str, interpretation: str = "srgb") -> bytes:
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    return image.copy(interpretation=interpretation).write_to_buffer(suffix)


def jpegs() -> Iterator[tuple[str, bytes]]:
    rgb, grey = Image.fromarray(picture()), Image.fromarray(picture()).convert("L")
    for progressive in (False, True):
        for chroma in ("4:4:4", "4:2:2", "4:2:0"):
            name = f"{'progressive' if progressive else 'baseline'}-{chroma.replace(':', '')}.jpg"
            yield name, encoded(rgb, "JPEG", progressive=progressive, subsampling=chroma)
    yield "restart-markers.jpg", encoded(rgb, "JPEG", restart_marker_blocks=3)
    yield "grey.jpg", encoded(grey, "JPEG")
    yield "grey-progressive.jpg", encoded(grey, "JPEG", progressive=True)
    yield "coded-as-rgb.jpg", encoded(rgb, "JPEG", keep_rgb=True)
    cmyk = encoded(Image.fromarray(_inks()).convert("CMYK"), "JPEG", quality=95)
    yield "cmyk.jpg", encoded(Image.fromarray(_inks(), "CMYK"), "JPEG", quality=95)
    yield "cmyk-of-rgb.jpg", cmyk
    yield "cmyk-without-adobe.jpg", _without_segment(cmyk, 0xEE)
    yield "ycck.jpg", _ycck()
    yield "wide-gamut.jpg", encoded(rgb, "JPEG", icc_profile=wide_profile())
    yield "broken-profile.jpg", encoded(rgb, "JPEG", icc_profile=wide_profile()[:200])
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "srgb-profile.jpg", encoded(rgb, "JPEG", icc_profile=srgb)
    plain = encoded(rgb, "JPEG")
    yield "junk-behind.jpg", plain + b"and more" * 100
    yield "junk-between.jpg", plain[:20] + bytes(50) + plain[20:]
    yield "jfif-29.jpg", plain.replace(b"JFIF\0\1", b"JFIF\0\x1d", 1)
    yield "named-wrong.png", plain


def _inks() -> np.ndarray:
    return np.dstack([picture(), 255 - alpha() // 2])


def _without_segment(data: bytes, marker: int) -> bytes:
    at = data.index(bytes([0xFF, marker]))
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def _ycck() -> bytes:
    """The same inks: Pillow writes CMYK inverted and as it is, so that what was transformed before
    and is marked as such is YCCK (T.872, 6.5.3).
    """
    inks = _inks()
    ycc = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    stored = np.dstack([255 - ycc, inks[..., 3]])
    data = encoded(Image.fromarray(stored, "CMYK"), "JPEG", quality=95, subsampling="4:4:4")
    at = data.index(b"Adobe")
    return data[: at + 11] + b"\2" + data[at + 12 :]


def pngs() -> Iterator[tuple[str, bytes]]:
    rgb = picture()
    grey = rgb[..., :1]
    channels = {
        "grey": grey,
        "grey-alpha": np.dstack([grey, alpha()]),
        "rgb": rgb,
        "rgba": np.dstack([rgb, alpha()]),
    }
    for name, pixels in channels.items():
        spaces = ("b-w", "grey16") if name.startswith("grey") else ("srgb", "rgb16")
        for interlace in (0, 1):
            kind = f"{name}{'-interlaced' if interlace else ''}"
            suffix = f".png[interlace={interlace}]"
            yield f"{kind}-8.png", by_vips(pixels, suffix, spaces[0])
            deep = pixels.astype(np.uint16) * 257
            yield f"{kind}-16.png", by_vips(deep, suffix, spaces[1])
    palette = Image.fromarray(rgb).quantize(16)
    yield "palette.png", encoded(palette, "PNG")
    yield "palette-clear.png", encoded(palette, "PNG", transparency=bytes(range(0, 256, 17)))
    yield "one-bit.png", encoded(Image.fromarray(rgb).convert("1"), "PNG")
    yield "key-rgb.png", encoded(rgb, "PNG", transparency=tuple(int(v) for v in rgb[40, 30]))
    yield "key-grey.png", encoded(grey[..., 0], "PNG", transparency=int(grey[40, 30, 0]))
    yield "wide-gamut.png", encoded(rgb, "PNG", icc_profile=wide_profile())
    gamma = struct.pack(">I", 100_000)
    yield "gamma-alone.png", _with_chunk(encoded(rgb, "PNG"), b"gAMA", gamma)
    text = b"Comment\0\xff\xfe not UTF-8"
    yield "text-of-bytes.png", _with_chunk(encoded(rgb, "PNG"), b"tEXt", text)
    other = Image.fromarray(255 - rgb)
    yield "animated.png", encoded(rgb, "PNG", save_all=True, append_images=[other])
    yield "named-wrong.jpg", encoded(rgb, "PNG")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _with_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    """The PNG with a chunk inserted after IHDR."""
    return data[:33] + chunk(name, body) + data[33:]


def gifs() -> Iterator[tuple[str, bytes]]:
    palette = Image.fromarray(picture()).quantize(32)
    yield "plain.gif", encoded(palette, "GIF")
    yield "clear.gif", encoded(palette, "GIF", transparency=3)
    other = Image.fromarray(255 - picture()).quantize(32)
    yield "animated.gif", encoded(palette, "GIF", save_all=True, append_images=[other])
    small = encoded(palette, "GIF")
    yield "offset-frame.gif", _on_screen(small, (WIDTH + 30, HEIGHT + 20), (11, 7))
    yield "screen-of-640.gif", _on_screen(small, (640, 480), (100, 50))
    yield "screen-too-small.gif", _on_screen(small, (10, 10), (0, 0))


def _on_screen(data: bytes, size: tuple[int, int], offset: tuple[int, int]) -> bytes:
    at = data.index(b"\x2c", 13 + 3 * 32)
    head = data[:6] + struct.pack("<HH", *size) + data[10 : at + 1]
    return head + struct.pack("<HH", *offset) + data[at + 5 :]


def others() -> Iterator[tuple[str, bytes]]:
    rgb, clear = picture(), np.dstack([picture(), alpha()])
    image = Image.fromarray(rgb)
    for name, options in {"lossy": {}, "lossless": {"lossless": True}}.items():
        yield f"{name}.webp", encoded(image, "WEBP", **options)
        yield f"{name}-clear.webp", encoded(clear, "WEBP", **options)
    frames = [Image.fromarray(255 - rgb)]
    yield "animated.webp", encoded(image, "WEBP", save_all=True, append_images=frames)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"{mode}.bmp", encoded(image.convert(mode), "BMP")
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"):
        yield f"{mode}.tif", encoded(image.convert(mode), "TIFF")
    for packing in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield f"{packing}.tif", encoded(image, "TIFF", compression=packing)
    yield "16-bit.tif", by_vips(rgb.astype(np.uint16) * 257, ".tif", "rgb16")
    yield "tiled-pyramid.tif", by_vips(rgb, ".tif[tile,pyramid,tile_width=16,tile_height=16]")
    yield "big.tif", by_vips(rgb, ".tif[bigtiff]")
    yield "rgb.avif", encoded(image, "AVIF", quality=90, subsampling="4:4:4")
    yield "grey.avif", encoded(image.convert("L"), "AVIF", quality=90)
    yield "clear.avif", encoded(clear, "AVIF", quality=90, subsampling="4:4:4")


def turned() -> Iterator[tuple[str, bytes]]:
    for orientation in range(1, 9):
        tags = Image.Exif()
        tags[0x0112] = orientation
        for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
            yield f"turned-{orientation}.{format.lower()}", encoded(picture(), format, exif=tags)
    broken = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    yield "broken-exif.jpg", encoded(picture(), "JPEG", exif=broken)


def strips() -> Iterator[tuple[str, bytes]]:
    for width, height in ((1, 1), (1, 200), (200, 1), (2, 3)):
        for format in ("JPEG", "PNG"):
            name = f"{width}x{height}.{format.lower()}"
            yield name, encoded(np.full((height, width, 3), 90, np.uint8), format)
    yield "65500-wide.jpg", encoded(np.full((2, 65_500, 3), 90, np.uint8), "JPEG")
    yield "65500-wide.png", encoded(np.full((2, 65_500, 3), 90, np.uint8), "PNG")


def bombs() -> Iterator[Drawn]:
    screen = struct.pack("<HH", 65_535, 65_535)
    tiny = b"GIF89a" + screen + b"\0\0\0\x2c\0\0\0\0" + screen + b"\0\2\1\0\0;"
    yield "bomb.gif", tiny, Reason.TOO_MANY_PIXELS
    progressive = bytearray(encoded(picture(), "JPEG", progressive=True, subsampling="4:4:4"))
    at = progressive.index(b"\xff\xc2")
    progressive[at + 5 : at + 9] = struct.pack(">HH", 30_000, 30_000)
    yield "bomb-progressive.jpg", bytes(progressive), Reason.TOO_MANY_PIXELS
    progressive[at + 5 : at + 9] = struct.pack(">HH", 17_000, 17_000)
    yield "bomb-of-coefficients.jpg", bytes(progressive), Reason.TOO_MUCH_MEMORY
    yield "bomb-of-scans.jpg", _many_scans(), Reason.TOO_MANY_SCANS
    yield "bomb-of-zeros.png", _zeros(30_000, 30_000, 0), Reason.TOO_MANY_PIXELS
    yield "bomb-interlaced.png", _zeros(17_000, 17_000, 1), Reason.TOO_MUCH_MEMORY
    strip = encoded(np.full((70_000, 1, 3), 90, np.uint8), "PNG")
    yield "bomb-of-a-strip.png", strip, Reason.OUTPUT_TOO_LARGE


def _zeros(width: int, height: int, interlace: int) -> bytes:
    packer = zlib.compressobj(9)
    rows = [packer.compress(bytes(3 * width + 1)) for _ in range(200)]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlace)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", b"".join([*rows, packer.flush()]))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def _many_scans() -> bytes:
    data = encoded(picture(), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * 300 + data[-2:]


def broken_off() -> Iterator[Drawn]:
    rgb = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    for format in ("JPEG", "PNG", "GIF", "WEBP"):
        whole = encoded(Image.fromarray(rgb), format)
        for share in (50, 90, 99):
            part = whole[: len(whole) * share // 100]
            yield f"broken-off-at-{share}.{format.lower()}", part, Reason.TRUNCATED
    progressive = encoded(rgb, "JPEG", progressive=True)
    yield "broken-off-progressive.jpg", progressive[: len(progressive) // 2], Reason.TRUNCATED
    ended = encoded(rgb, "JPEG")
    yield "scan-cut-short.jpg", ended[: len(ended) // 2] + b"\xff\xd9", Reason.CORRUPT
    wrong = bytearray(encoded(rgb, "PNG"))
    wrong[-20] ^= 1
    yield "wrong-checksum.png", bytes(wrong), Reason.CORRUPT


def no_images() -> Iterator[Drawn]:
    yield "empty.jpg", b"", Reason.EMPTY_FILE
    found = {
        "ugoira.zip": b"PK\3\4\x14\0\0\0",
        "flash.swf": b"CWS\x0f" + bytes(20),
        "film.mp4": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        "film.webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\1",
        "page.jpg": b"<!DOCTYPE html><html></html>",
        "answer.jpg": b'{"success": false}',
        "packed.png": b"\x1f\x8b\x08\0\0\0\0\0",
        "script.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "noise.png": bytes(range(7, 200)),
    }
    for name, data in found.items():
        yield name, data, Reason.NOT_AN_IMAGE
