import fcntl
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.dataset.ledger import LOCK
from tests.commands import here, tree
from tests.edits import IMAGES, cropped, drawn, jpeg, saved, shrunk

pytestmark = pytest.mark.slow

ROWS = 16
BROKEN = 13
"""An image whose original is truncated."""
REAL = {2: "112032.jpg", 4: "city.jpg", 6: "miku_CC_BY-NC.jpg", 7: "chibi_2x.png"}
EDITED = {12: (2, saved(60)), 11: (6, shrunk(0.7)), 9: (7, cropped(0.02))}
"""Images that are edited copies of another one, with the edit.

Even images are of class 0, odd ones of class 1. Of eight images of a class, the first five are
train, the sixth is val, and the last two are test.
"""
COPY, COPIED = 14, 4
PLANTED = {
    "test+train": {(2, 12), (4, 14)},
    "train+val": {(6, 11)},
    "train": {(7, 9)},
}
FLAGS = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--source", "originals")
FLAGS += ("--min-images", 8, "--workers", 2, "--output", "ds")


def name(image: int) -> str:
    return f"{image:04}/{image}.jpg"


def picture(image: int) -> Image.Image:
    path = IMAGES / REAL.get(image, "")
    return Image.open(path).convert("RGB") if path.is_file() else drawn(image, (450, 400))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Run `full` on 16 originals, some of them the same picture. The dataset is `ds`."""
    folder = tmp_path_factory.mktemp("made")
    for image in range(ROWS):
        original, edit = EDITED.get(image, (image, saved(95)))
        path = folder / "originals" / name(image)
        path.parent.mkdir(parents=True)
        path.write_bytes(jpeg(edit(picture(original)), 92))
    shutil.copy(folder / "originals" / name(COPIED), folder / "originals" / name(COPY))
    broken = folder / "originals" / name(BROKEN)
    os.truncate(broken, broken.stat().st_size // 2)
    heads = (
        f"{image:04}\\{image}.jpg\t{image % 2}\t0.2, 0.2, 0.7, 0.6 0.9\n" for image in range(ROWS)
    )
    (folder / "faces.tsv").write_text("".join(heads))
    (folder / "tagIds.tsv").write_text("even\t0\nodd\t1\n")
    assert here("full", *FLAGS, cwd=folder).returncode == 0
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """Copy the dataset for a test that writes to it."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.fixture
def ds(folder) -> Path:
    return folder / "ds"


def change(ds: Path, rows: pl.Expr) -> None:
    """Keep only these rows of the manifest."""
    pl.read_parquet(ds / MANIFEST).filter(rows).write_parquet(ds / MANIFEST)


def audit(folder: Path, *flags: object):
    done = here("audit", "--output", "ds", "--workers", 1, "--json", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_one_line(done, status: int, named: str) -> None:
    assert done.returncode == status, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr


# Findings


def test_every_planted_duplicate_is_found_and_nothing_else(folder, ds) -> None:
    audit(folder)
    rows = pl.read_csv(ds / "audit/duplicates.csv")
    groups = rows.group_by("group").agg(pl.col("id").sort(), pl.col("split").unique().sort())
    found: dict[str, set[tuple[int, ...]]] = {}
    for _, ids, splits in groups.iter_rows():
        found.setdefault("+".join(splits), set()).add(tuple(ids))
    assert found == PLANTED
    exact = rows.filter(pl.col("kind") == "exact")["id"]
    assert set(exact) == {COPY, COPIED}


def test_the_table_as_csv_and_parquet_is_the_same(folder, ds) -> None:
    audit(folder)
    rows = pl.read_parquet(ds / "audit/duplicates.parquet")
    assert rows.columns == [
        *("group", "id", "path", "split", "class_id", "kind"),
        *("distance", "kept_id", "group_distance"),
    ]
    assert rows.equals(pl.read_csv(ds / "audit/duplicates.csv"), null_equal=True)


def test_train_leaves_out_what_test_and_val_have(folder, ds) -> None:
    audit(folder)
    left_out = pl.read_csv(ds / "audit/exclude.csv").select("id", "why", "kept_id")
    assert {*left_out.iter_rows()} == {
        (2, "other_split", 12),
        (4, "other_split", 14),
        (6, "other_split", 11),
        (9, "same_split", 7),
    }


def test_with_keep_train_val_and_test_leave_out_what_train_has(folder, ds) -> None:
    audit(folder, "--keep", "train")
    assert set(pl.read_csv(ds / "audit/exclude.csv")["id"]) == {9, 11, 12, 14}


def test_without_the_excluded_images_nothing_is_found(folder, ds) -> None:
    audit(folder)
    left_out = pl.read_csv(ds / "audit/exclude.csv")["id"]
    change(ds, ~pl.col("id").is_in(left_out.to_list()))
    found = audit(folder)
    assert (found["duplicates"]["groups"], found["compared"]) == (0, ROWS - 1 - 4)
    for table in ("duplicates.csv", "exclude.csv"):
        assert pl.read_csv(ds / "audit" / table).is_empty()


def test_with_distance_0_a_picture_saved_again_is_no_duplicate(folder, ds) -> None:
    audit(folder, "--distance", 0)
    assert set(pl.read_csv(ds / "audit/duplicates.csv")["id"]) >= {COPY, COPIED}
    assert 9 not in pl.read_csv(ds / "audit/duplicates.csv")["id"]


def test_the_summary_counts_every_image_and_every_group(folder, ds) -> None:
    found = audit(folder)
    assert found == json.loads((ds / "audit/summary.json").read_text())
    assert (found["images"], found["compared"], found["not_made"]) == (ROWS, ROWS - 1, 1)
    assert (found["plain"], found["refused"]) == (0, [])
    duplicates = found["duplicates"]
    assert duplicates["leaked"] == {"val in train": 1, "test in train": 2, "test in val": 0}
    assert duplicates["within"] == {"train": 1}
    assert duplicates["across"] == {"test+train": 2, "train+val": 1}
    assert (duplicates["other_class"], duplicates["exact"]) == (1, 2)


def test_the_text_names_the_leaks_and_the_list_of_exclusions(folder) -> None:
    done = here("audit", "--output", "ds", cwd=folder)
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert {"test+train 2", "test in train 2", "other split 3", "same split 1"} <= {*lines}
    assert any(
        line.startswith("4 groups of 8 images, 2 of them of the same bytes") for line in lines
    )
    assert any(line.startswith("16 images = 15 compared + 1 not made + 0 not") for line in lines)


def test_one_worker_or_two_write_the_same_bytes_and_the_dataset_stays_sound(folder, ds) -> None:
    before = tree(ds)
    written = []
    for workers in (1, 2):
        audit(folder, "--workers", workers)
        after = tree(ds)
        tables = {path: data for path, data in after.items() if path.startswith("audit/")}
        assert len(tables) == 4
        assert tree(ds).keys() - tables.keys() == before.keys()
        del tables["audit/summary.json"]  # tells how long it took
        written.append(tables)
    assert written[0] == written[1]
    assert here("verify", "--output", "ds", cwd=folder).returncode == 0


# Flaws


def damage(ds: Path) -> dict[str, str]:
    """Damage four files in different ways, and return the flaw that is expected of each."""
    files = [ds / "fullMin256" / name(image) for image in (0, 1, 3, 5)]
    files[0].unlink()
    os.truncate(files[1], 1000)
    data = bytearray(files[2].read_bytes())
    data[-10] ^= 1
    files[2].write_bytes(data)
    files[3].write_bytes(b"no picture")
    this = pl.col("id") == 5
    record = {"sha256": sha256(b"no picture").hexdigest(), "bytes": 10}
    pl.read_parquet(ds / MANIFEST).with_columns(
        pl.when(this).then(pl.lit(value)).otherwise(name).alias(name)
        for name, value in record.items()
    ).write_parquet(ds / MANIFEST)
    flaws = ("missing", "wrong_size", "wrong_hash", "undecodable")
    return {str(file.relative_to(ds)): flaw for file, flaw in zip(files, flaws, strict=True)}


def test_damaged_and_missing_images_are_counted_and_listed_and_others_compared(folder, ds) -> None:
    expected = damage(ds)
    found = audit(folder)
    assert {one["where"]: one["flaw"] for one in found["refused"]} == expected
    assert found["compared"] == ROWS - 1 - len(expected)
    assert found["duplicates"]["groups"] == 4


@pytest.mark.parametrize(("most", "status"), [(3, 1), (4, 0)])
def test_more_damaged_images_than_allowed_are_exit_status_1(folder, ds, most, status) -> None:
    damage(ds)
    done = here("audit", "--output", "ds", "--max-refused", most, cwd=folder)
    assert done.returncode == status
    assert "wrong_hash" in done.stdout


def test_a_folder_without_a_manifest_is_an_error_in_one_line_that_names_it(tmp_path) -> None:
    assert_one_line(here("audit", "--output", "absent", cwd=tmp_path), 2, "absent/manifest.parquet")


def test_a_manifest_without_a_needed_column_is_an_error_in_one_line(folder, ds) -> None:
    pl.read_parquet(ds / MANIFEST).drop("sha256").write_parquet(ds / MANIFEST)
    assert_one_line(here("audit", "--output", "ds", cwd=folder), 2, "sha256")


def test_a_row_without_an_id_is_an_error_in_one_line(folder, ds) -> None:
    rows = pl.read_parquet(ds / MANIFEST)
    rows.with_columns(id=pl.when(pl.col("id") != 3).then("id")).write_parquet(ds / MANIFEST)
    assert_one_line(here("audit", "--output", "ds", cwd=folder), 2, "row 10 names no image")


def test_a_dataset_without_a_full_image_is_an_error_in_one_line(folder, ds) -> None:
    change(ds, pl.col("sha256").is_null())
    assert_one_line(here("audit", "--output", "ds", cwd=folder), 2, "no full image")


def test_an_audit_does_not_start_during_a_run(folder, ds) -> None:
    with (ds / STATE / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_one_line(here("audit", "--output", "ds", cwd=folder), 2, "at work")


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(folder, ds) -> None:
    (ds / "audit").touch()
    done = here("audit", "--output", "ds", "--json", cwd=folder)
    assert done.returncode == 1
    assert "audit" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


# The audit in the report


def test_the_report_shows_excluded_images_beside_those_that_are_kept(folder, ds) -> None:
    audit(folder)
    done = here("report", "--output", "ds", "--pairs", 3, cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (ds / "report/index.html").read_text()
    assert page.count('<ul class="twins">') == 1
    left_out = [f"Image {number}, which is left out" in page for number in (2, 4, 7, 6)]
    assert left_out == [True, True, False, True]  # across splits first
    assert {f"Image {number}, which stays" in page for number in (12, 14, 11)} == {True}
    assert (ds / "report/pictures/fullMin256/12.webp").is_file()
    assert "even <small>14, test, stays</small>" in page
    assert "0 of 256 bits differ" in page
    assert '<th scope="row">other split</th><td class="n">3</td>' in page


def test_a_report_without_an_audit_says_so(folder, ds) -> None:
    shutil.rmtree(ds / "audit", ignore_errors=True)
    assert here("report", "--output", "ds", cwd=folder).returncode == 0
    page = (ds / "report/index.html").read_text()
    assert "No audit was made" in page


def test_a_broken_list_of_an_audit_leaves_only_the_pairs_out_of_the_report(folder, ds) -> None:
    audit(folder)
    (ds / "audit/exclude.csv").write_text("nothing\n")
    done = here("report", "--output", "ds", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (ds / "report/index.html").read_text()
    assert "which stays" not in page
    assert "audit/exclude.csv" in page
