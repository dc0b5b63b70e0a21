"""`full --dry-run` says what a run would do, and writes nothing; runs name what may follow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import here, tree
from tests.edits import drawn
from tests.hosts import Host, host

IDS = (1, 2, 3, 4)
TABLES = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", 1)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write tables and originals of four images of two classes."""
    rows = []
    for image in IDS:
        path = tmp_path / f"original/{image:04}/{image}.jpg"
        path.parent.mkdir(parents=True)
        drawn(image).save(path)
        rows.append(f"{image:04}\\{image}.jpg\t{image % 2}\t0.1, 0.1, 0.9, 0.9 0.95\n")
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("even\t0\nodd\t1\n")
    return tmp_path


@pytest.fixture
def served(folder) -> Iterator[Host]:
    with host() as found:
        for path in folder.glob("original/*/*"):
            found.files[f"/{path.name}"] = path.read_bytes()
        yield found


def full(folder: Path, *flags: object, source: str = "original"):
    given = (*TABLES, "--source", source, "--workers", 1, "--no-report", *flags)
    return here("full", *given, "--output", "ds", cwd=folder)


def rehearse(folder: Path, *flags: object, source: str = "original") -> dict:
    before = tree(folder)
    done = full(folder, "--dry-run", "--json", *flags, source=source)
    assert done.returncode == 0, done.stderr
    assert tree(folder) == before
    return json.loads(done.stdout)


def test_it_says_how_many_images_there_are_of_how_many_classes(folder) -> None:
    steps = {step["name"]: step for step in rehearse(folder)["funnel"]}
    assert steps["classes of >= 1 images"] == {
        "name": "classes of >= 1 images",
        "images": 4,
        "classes": 2,
    }


def test_it_says_where_originals_would_come_from_and_asks_for_none(folder, served) -> None:
    found = rehearse(folder, source=f"{served.address}/{{id}}.jpg")
    assert [place["place"] for place in found["originals"]["places"]] == [served.address]
    assert found["originals"]["places"][0]["originals"] == 4
    assert served.asked == []


def test_it_creates_no_folder(folder) -> None:
    rehearse(folder)
    assert not (folder / "ds").exists()


def test_images_that_stand_are_counted_and_need_no_original(folder) -> None:
    assert full(folder, "--limit", 3).returncode == 0
    found = rehearse(folder)
    assert (found["images"], found["made"], found["originals"]["images"]) == (4, 3, 1)
    assert found["needed_by"] == "images made before"


def test_an_image_that_was_refused_for_good_is_counted_as_such(folder) -> None:
    (folder / "original/0002/2.jpg").write_bytes(b"<html>")
    full(folder)
    assert rehearse(folder)["refused"] == 1


def test_the_space_on_the_disk_is_told(folder) -> None:
    found = rehearse(folder)
    assert found["needed_bytes"] > 0
    assert found["free_bytes"] > 0


def test_originals_to_fetch_need_space_unless_they_are_not_kept(folder, served) -> None:
    source = f"{served.address}/{{id}}.jpg"
    kept = rehearse(folder, "--probe", source=source)
    removed = rehearse(folder, "--probe", "--no-keep-originals", source=source)
    originals = kept["probes"]["original_bytes"] * len(IDS)
    assert kept["needed_bytes"] - removed["needed_bytes"] == pytest.approx(originals, abs=1)


def test_probes_fetch_and_make_a_few_and_guess_the_time(folder, served) -> None:
    found = rehearse(folder, "--probe", source=f"{served.address}/{{id}}.jpg")
    assert (found["probes"]["tried"], found["probes"]["made"]) == (4, 4)
    assert found["probes"]["original_bytes"] > 0
    assert found["seconds"] > 0
    assert sorted(served.asked) == [f"/{image}.jpg" for image in IDS]


def test_probes_of_which_none_is_made_guess_no_time(folder, served) -> None:
    found = rehearse(folder, "--probe", "--retries", 0, source=f"{served.address}/not/{{id}}.jpg")
    assert (found["probes"]["made"], found["seconds"]) == (0, None)


def test_a_run_into_shards_is_rehearsed_without_their_folder(folder) -> None:
    assert rehearse(folder, "--pack", "webdataset")["originals"]["images"] == 4
    assert not (folder / "ds").exists()


def test_people_read_that_nothing_was_written(folder) -> None:
    done = full(folder, "--dry-run")
    assert "4 images = 4 to make + 0 made before + 0 refused before" in done.stdout
    assert done.stdout.endswith("nothing was written\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((*TABLES, "--source", "original", "--probe"), "--probe needs --dry-run"),
        (("--dry-run",), "--dry-run needs --faces, --tag-ids and --source"),
        (("--dry-run", "--detector", "x.onnx"), "--dry-run does not go with --detector"),
    ],
)
def test_what_cannot_be_rehearsed_is_a_wrong_use(folder, flags, message) -> None:
    done = here("full", *flags, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (folder / "dataset").exists()


def test_a_run_ends_with_the_commands_that_may_follow(folder) -> None:
    last = full(folder).stdout.splitlines()[-1]
    assert last == (
        "look: dafre-fast gallery --output ds; check: dafre-fast verify --output ds;"
        " hand on: dafre-fast pack --output ds"
    )


@pytest.mark.parametrize(
    ("command", "last"),
    [
        ("resize", "check: dafre-fast verify --output 'a b'"),
        ("crop", "check: dafre-fast verify --output 'a b' --manifest m.parquet"),
        ("download", "make: dafre-fast resize --input 'a b'"),
    ],
)
def test_other_runs_name_what_may_follow_too(folder, served, command, last) -> None:
    tables = ("--faces", "faces.tsv", "--min-images", 1)
    flags = {
        "resize": (),
        "crop": (*tables, "--manifest", "m.parquet"),
        "download": (*tables, "--source", f"{served.address}/{{id}}.jpg"),
    }
    done = here(command, *flags[command], "--output", "a b", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == last


def test_a_run_that_made_nothing_names_nothing(folder) -> None:
    Image.new("RGB", (8, 8)).save(folder / "picture.png")
    (folder / "pages").mkdir()
    (folder / "pages/1.png").write_text("<html>")
    assert "check:" not in here("resize", "--input", "pages", cwd=folder).stdout
