"""Pillow as in the scripts of DAF:re: decode the whole image, resize by Lanczos, save."""

from io import BytesIO
from pathlib import Path

from PIL import Image

SIDE, QUALITY = 256, 90


def resize(path: Path) -> bytes:
    with Image.open(BytesIO(path.read_bytes())) as opened:
        image = opened.convert("RGB")
    short = min(image.size)
    width, height = (side * SIDE // short for side in image.size)
    output = BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(
        output, "JPEG", quality=QUALITY, subsampling="4:2:0"
    )
    return output.getvalue()
