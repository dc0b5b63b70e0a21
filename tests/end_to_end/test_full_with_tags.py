"""Tables of tags as part of `full`."""

import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from tests.commands import here

pytestmark = pytest.mark.slow

TAGS = ("labels/train_tags.parquet", "labels/val_tags.csv", "labels/vocab.json", "stats/stats.json")


def post(number: int, **other: object) -> dict[str, object]:
    tags = {"tag_string_general": "1girl solo", "tag_string_character": "cirno"}
    return {"id": number, "file_ext": "png", "rating": "g", **tags, **other}


def write(path: Path, *posts: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in posts))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write 20 originals of one class, and their metadata."""
    (tmp_path / "originals").mkdir()
    pixels = np.full((40, 40, 3), 90, np.uint8)
    rows = []
    for number in range(20):
        Image.fromarray(pixels).save(tmp_path / f"originals/{number}.png")
        rows.append(f"{number:04d}\\{number}.jpg\t7\t0.2, 0.2, 0.8, 0.8 0.9\n")
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("cirno\t7\n")
    write(tmp_path / "posts.json", *(post(n) for n in range(19)), post(99))
    return tmp_path


def full(folder: Path, *flags: object) -> subprocess.CompletedProcess[str]:
    tables = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--source", "originals")
    return here(
        "full", *tables, "--output", "ds", "--no-plots", "--no-report", "--json", *flags, cwd=folder
    )


def summary(folder: Path, *flags: object) -> dict[str, object]:
    done = full(folder, *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_full_writes_tables_of_tags_beside_the_labels_and_their_statistics(folder) -> None:
    printed = summary(folder, "--metadata", "posts.json")
    assert (printed["images"], printed["success"]) == (20, 20)
    assert printed["tags"]["images"] == 20
    assert printed["tags"]["tagged"] == 19
    assert printed["tags"]["untagged"] == {"not_in_metadata": 1}
    train = pl.read_parquet(folder / "ds/labels/train_tags.parquet")
    assert train["id"].to_list() == [*range(14)]
    assert train["tags_cat0"].to_list() == [["1 girl", "solo"]] * 14
    statistics = json.loads((folder / "ds/stats/stats.json").read_text())
    assert (statistics["title"], statistics["images"]) == ("ds", 19)


@pytest.mark.slow
def test_tables_are_made_again_only_if_something_changed(folder) -> None:
    def times() -> list[int]:
        return [(folder / "ds" / name).stat().st_mtime_ns for name in TAGS]

    first = summary(folder, "--metadata", "posts.json")
    made = times()
    assert summary(folder, "--metadata", "posts.json")["tags"] == first["tags"]
    assert times() == made
    (folder / "ds/labels/vocab.json").unlink()
    summary(folder, "--metadata", "posts.json")
    remade = times()
    assert all(time > before for time, before in zip(remade, made, strict=True))
    summary(folder, "--metadata", "posts.json", "--min-length", "5")
    assert times() > remade
    write(folder / "posts.json", *(post(n) for n in range(20)))
    assert summary(folder, "--metadata", "posts.json")["tags"]["tagged"] == 20


def test_metadata_without_tags_gives_no_tables_of_tags(folder) -> None:
    write(folder / "posts.json", *({"id": n, "file_ext": "png"} for n in range(20)))
    assert summary(folder, "--metadata", "posts.json")["tags"] is None
    assert not (folder / "ds/labels/vocab.json").exists()


def test_tables_of_tags_can_be_switched_off(folder) -> None:
    assert summary(folder, "--metadata", "posts.json", "--no-tags")["tags"] is None
    assert not (folder / "ds/stats").exists()


def test_bad_metadata_ends_the_run_before_an_image_is_made(folder) -> None:
    write(folder / "posts.json", *(post(n, tags=[{"name": "x"}]) for n in range(20)))
    done = full(folder, "--metadata", "posts.json")
    assert done.returncode == 2
    assert "posts.json: 20 of 20 rows are malformed" in done.stderr
    assert not (folder / "ds/fullMin256").exists()


def test_a_split_without_images_is_a_split_without_tags(folder) -> None:
    rows = (folder / "faces.tsv").read_text().splitlines(keepends=True)
    (folder / "faces.tsv").write_text(rows[0])
    printed = summary(folder, "--metadata", "posts.json", "--min-images", 1)
    sizes = [
        pl.read_parquet(folder / f"ds/labels/{split}_tags.parquet").height
        for split in ("train", "val", "test")
    ]
    assert sorted(sizes) == [0, 0, 1]
    assert printed["tags"]["tagged"] == 1


def test_head_crops_of_other_boxes_are_not_kept_as_if_they_were_of_these(folder) -> None:
    summary(folder)
    table = (folder / "faces.tsv").read_text()
    (folder / "faces.tsv").write_text(table.replace("7\t0.2", "7\t0.3", 1))
    done = full(folder)
    assert done.returncode == 2
    assert "1 crop has another box than in an earlier run, such as 0" in done.stderr
    assert summary(folder, "--no-resume")["success"] == 20
