"""Picture formats: their names, and the file extensions that belong to each."""

EXTENSIONS = {
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "jfif": "jpeg",
    "png": "png",
    "gif": "gif",
    "webp": "webp",
    "bmp": "bmp",
    "tif": "tiff",
    "tiff": "tiff",
    "avif": "avif",
    "heic": "heic",
}
"""Name of a format by file extension, in lower case and without the dot. The names are the values
of `dafre_fast.pixels.sniff.Format`: every format that can be decoded, and no other.
"""

USUAL_EXTENSIONS = ("jpg", "png", "gif", "jpeg", "webp")
"""Extensions to try, most frequent first, for an original whose extension is unknown."""
