"""Picture formats: their names, and the file extensions that belong to each."""

from enum import StrEnum


class Format(StrEnum):
    """A format that can be decoded. The value is written as `format` into the manifest."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    TIFF = "tiff"
    AVIF = "avif"
    HEIC = "heic"
    BMP = "bmp"


EXTENSIONS = {
    "jpg": Format.JPEG,
    "jpeg": Format.JPEG,
    "jfif": Format.JPEG,
    "png": Format.PNG,
    "apng": Format.PNG,
    "gif": Format.GIF,
    "webp": Format.WEBP,
    "bmp": Format.BMP,
    "tif": Format.TIFF,
    "tiff": Format.TIFF,
    "avif": Format.AVIF,
    "heic": Format.HEIC,
    "heif": Format.HEIC,
    "hif": Format.HEIC,
}
"""Format by file extension, in lower case and without the dot. How the first bytes of a file show
its format, and which decoder reads it, is in `dafre_fast.pixels.decoders.registry`.
"""

USUAL_EXTENSIONS = ("jpg", "png", "gif", "jpeg", "webp")
"""Extensions to try, most frequent first, for an original whose extension is unknown."""

OTHER_ORIGINALS = ("zip", "swf", "mp4", "webm", "mov", "mkv", "avi", "flv", "psd", "svg", "jxl")
"""Extensions of originals that are no pictures, or are in formats that no decoder reads."""

UNFINISHED = ("part", "partial", "crdownload", "download", "tmp", "aria2")
"""Extensions of files that are still being written."""
