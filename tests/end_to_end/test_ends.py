"""Files whose end is odd: `download` and `resize` say the same of each."""

import polars as pl
import pytest

from tests.commands import here
from tests.hosts import host
from tests.pixels.pictures import encoded, smooth

pytestmark = pytest.mark.slow

PICTURE = smooth(160, 120)
WHOLE = {
    "jpg": encoded(PICTURE, "JPEG"),
    "jpeg": encoded(PICTURE, "JPEG", progressive=True),
    "png": encoded(PICTURE, "PNG"),
    "gif": encoded(PICTURE, "GIF"),
    "webp": encoded(PICTURE, "WEBP"),
}
FILM = b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd9\xff\xda" * 999


def odd_files():
    for extension, data in WHOLE.items():
        for odd in (data, data + FILM, data[:-1], data[: len(data) // 2]):
            yield extension, odd
    for extension in ("jpg", "jpeg", "png"):
        yield extension, WHOLE[extension][:-60] + FILM


def test_download_and_resize_judge_alike(tmp_path) -> None:
    (tmp_path / "served").mkdir()
    rows, files = "", dict[str, bytes]()
    for key, (extension, data) in enumerate(odd_files(), 1):
        files[f"/{key}.{extension}"] = data
        (tmp_path / "served" / f"{key}.{extension}").write_bytes(data)
        rows += f"{key:04}\\{key}.{extension}\t7\t0.1, 0.1, 0.5, 0.5 0.9\n"
    (tmp_path / "faces.tsv").write_text(rows)
    with host() as served:
        served.files |= files
        flags = ("--source", f"{served.address}/{{id}}.{{ext}}", "--min-images", 1)
        flags = (*flags, "--faces", "faces.tsv", "--manifest", "fetched.parquet", "--retries", 0)
        here("download", *flags, cwd=tmp_path)
    manifest = ("--manifest", "made.parquet", "--json")
    made = here("resize", "--input", "served", "--output", "made", *manifest, cwd=tmp_path)
    fetched = pl.read_parquet(tmp_path / "fetched.parquet").select("id", "status")
    resized = pl.read_parquet(tmp_path / "made.parquet").select(
        pl.col("path").str.extract(r"(\d+)\.\w+$").cast(int).alias("id"), "status", "notes"
    )
    assert resized.drop("notes").sort("id").equals(fetched.sort("id"))
    assert fetched["status"].to_list().count("success") == len(WHOLE) * 3 - 1  # not half a WebP
    assert resized["notes"].list.len().sum() == len(WHOLE) - 1  # those without their last byte
    assert made.returncode == 0
