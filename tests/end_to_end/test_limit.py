"""`--limit` and `--sample` take some of the rows, and a later run with more goes on."""

import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from tests.commands import here, ledger_keys

IDS = [3001, 1001, 2001, 5002, 4002, 6002]
"""Ids in the order of faces.tsv: three images of one class and three of another."""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write tables and originals of six images."""
    rows = []
    for place, image in enumerate(IDS):
        path = tmp_path / f"original/{image % 1000:04}/{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 60), (40 * place, 50, 50)).save(path)
        rows.append(f"{image % 1000:04}\\{image}.png\t{2 - place % 2}\t0.1, 0.1, 0.9, 0.9 0.95\n")
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("one\t1\ntwo\t2\n")
    return tmp_path


TABLES = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", 1)


def summary(folder: Path, name: str, *flags: object) -> dict[str, object]:
    one = () if name == "labels" else ("--workers", 1)
    done = here(name, *flags, *one, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def full(folder: Path, *flags: object) -> dict[str, object]:
    more = ("--source", "original", "--output", "ds", "--no-report", "--size", 16)
    return summary(folder, "full", *TABLES, *more, *flags)


def manifest(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "ds/manifest.parquet")


def test_full_makes_the_first_rows_and_goes_on_with_more(folder) -> None:
    full(folder)
    whole = manifest(folder).select("id", "class_id", "split", "sha256")
    first = full(folder, "--limit", 2, "--no-resume")
    assert first["images"] == 2
    assert {*manifest(folder)["id"]} == {*IDS[:2]}
    more = full(folder, "--limit", 5)
    assert (more["images"], more["work"]["images"]) == (5, 3)
    full(folder)
    assert sorted(ledger_keys(folder / "ds")) == sorted(map(str, IDS))
    assert manifest(folder).select(whole.columns).equals(whole)


def test_the_funnel_names_what_was_taken(folder) -> None:
    funnel = full(folder, "--sample", 4, "--seed", 3)["funnel"]
    step = next(step for step in funnel if step["name"] == "4 at random (seed 3)")
    assert step["images"] == 4


def test_labels_have_the_first_rows_with_the_class_ids_of_all(folder) -> None:
    summary(folder, "labels", *TABLES, "--output", "all")
    summary(folder, "labels", *TABLES, "--output", "some", "--limit", 3)

    def lines(name: str) -> set[str]:
        found = [(folder / name / f"{split}.csv").read_text() for split in ("train", "val", "test")]
        return {*"".join(found).splitlines()}

    assert len(lines("some")) == 3
    assert lines("some") < lines("all")


def test_crop_takes_the_first_rows(folder) -> None:
    flags = ("--faces", "faces.tsv", "--min-images", 1, "--output", "heads", "--limit", 2)
    assert summary(folder, "crop", *flags)["images"] == 2
    assert {*ledger_keys(folder / "heads")} == {*map(str, IDS[:2])}


def test_download_fetches_the_first_rows_and_would_fetch_more_next(folder) -> None:
    flags = ("--faces", "faces.tsv", "--min-images", 1, "--source", "original", "--output", "got")
    assert summary(folder, "download", *flags, "--limit", 2)["images"] == 2
    done = here("download", *flags, "--limit", 3, "--simulate", "--json", cwd=folder)
    assert json.loads(done.stdout)["images"] == 3


def test_resize_takes_the_first_files_and_goes_on_with_more(folder) -> None:
    flags = ("--output", "small", "--size", 16)
    assert summary(folder, "resize", *flags, "--limit", 2)["images"] == 2
    assert {*ledger_keys(folder / "small")} == {"0001/1001.png", "0001/2001.png"}
    assert summary(folder, "resize", *flags, "--limit", 4)["work"]["images"] == 2


def test_resize_takes_the_first_lines_of_a_list(folder) -> None:
    names = ["original/0001/3001.png", "original/0001/1001.png", "original/0001/2001.png"]
    (folder / "list").write_text("\n".join(names))
    summary(folder, "resize", "--input", "list", "--output", "small", "--size", 16, "--limit", 2)
    assert {*ledger_keys(folder / "small")} == {*names[:2]}


def test_parts_of_a_limited_run_are_merged(folder) -> None:
    for number in (1, 2):
        full(folder, "--limit", 4, "--part", f"{number}/2")
    done = here("merge", "--output", "ds", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {*manifest(folder)["id"]} == {*IDS[:4]}


def test_both_flags_at_once_are_a_wrong_use(folder) -> None:
    done = here("full", *TABLES, "--source", "original", "--limit", 1, "--sample", 1, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--limit and --sample exclude each other" in done.stderr


def test_what_was_refused_as_too_small_is_made_when_it_may_be(folder) -> None:
    Image.new("RGB", (8, 60)).save(folder / "original/0001/3001.png")
    found = full(folder, "--min-image-size", 20)
    assert (found["success"], found["refused"]) == (5, {"too_small": 1})
    assert full(folder, "--max_aspect_ratio", 8)["success"] == 6
    assert full(folder, "--max_aspect_ratio", 7, "--no-resume")["refused"] == {"too_elongated": 1}
