import fcntl
import json
import os
import shutil
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.findings import Flaw, Verification
from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.core.settings.running import Workers
from dafre_fast.dataset.ledger import LOCK, NAME, Ledger
from dafre_fast.verify.run import verify
from dafre_fast.verify.settings import VerifyRun
from tests.commands import dafre, here, tree

pytestmark = pytest.mark.slow

ROWS = 16
BROKEN, HEADLESS = 15, 14
"""The images whose original is truncated, and whose head box is outside the picture."""
FILES = 2 * (ROWS - 1) - 1
FLAGS = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--source", "originals")
FLAGS += ("--min-images", 8, "--workers", 2, "--output", "ds", "--no-report")


def name(image: int) -> str:
    return f"{image:04}/{image}.jpg"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Write tables and originals, and make the dataset `ds` of them with `full`.

    It has 16 images of two classes, each in splits of 5, 1 and 2.
    """
    folder = tmp_path_factory.mktemp("made")
    rows = []
    random = np.random.default_rng(0)
    for image in range(ROWS):
        path = folder / "originals" / name(image).replace(".jpg", ".png")
        path.parent.mkdir(parents=True)
        noise = random.integers(0, 255, (20, 15, 3), np.uint8)
        Image.fromarray(noise).resize((300, 400), Image.Resampling.BICUBIC).save(path)
        left = 2.5 if image == HEADLESS else 0.25
        rows.append(f"{image:04}\\{image}.jpg\t{image % 2}\t{left}, 0.2, {left + 0.5}, 0.6 0.9\n")
    os.truncate(path, path.stat().st_size // 2)
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text('even,_they_say\t0\n"odd"\t1\n')
    assert here("full", *FLAGS, cwd=folder).returncode == 0
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """Copy the dataset for a test that damages it."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.fixture
def ds(folder) -> Path:
    return folder / "ds"


def found(output: Path, **settings: object) -> Verification:
    return verify(VerifyRun(output=output, **settings), Workers(workers=1))


def flaws(output: Path, **settings: object) -> set[tuple[Flaw, str]]:
    return {(one.flaw, one.where) for one in found(output, **settings).findings}


def edit(path: Path, old: str, new: str) -> None:
    """Change the only place where a text file has `old`."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def outcome(ds: Path, image: int) -> dict[str, object]:
    lines = (ds / STATE / NAME).read_text().splitlines()
    return next(line for line in map(json.loads, lines) if line["key"] == str(image))


def record(ds: Path, image: int, **facts: object) -> None:
    """Change the record of an image in ledger and manifest."""
    old = outcome(ds, image)
    lines = (ds / STATE / NAME).read_text().splitlines()
    lines = [json.dumps(old | facts) if json.loads(line) == old else line for line in lines]
    (ds / STATE / NAME).write_text("\n".join(lines) + "\n")
    manifest = pl.read_parquet(ds / MANIFEST)
    this = pl.col("id") == image
    columns = {
        fact: pl.when(this).then(pl.lit(value)).otherwise(fact) for fact, value in facts.items()
    }
    manifest.with_columns(**columns).write_parquet(ds / MANIFEST)


# A dataset as `full` leaves it


@pytest.mark.parametrize("deep", [False, True])
def test_an_unchanged_dataset_is_sound(ds, deep) -> None:
    verification = found(ds, deep=deep)
    assert verification.findings == []
    assert (verification.files, verification.images) == (FILES, ROWS - 1)
    assert verification.records == [MANIFEST, NAME]


def test_labelled_images_that_were_refused_are_counted_but_not_a_finding(ds) -> None:
    assert found(ds).labels_of_refused == 2


def test_a_sound_dataset_is_exit_status_0_and_a_line(folder) -> None:
    done = here("verify", "--output", "ds", cwd=folder)
    assert done.returncode == 0
    assert f"{FILES} files of {ROWS - 1} images verified: all as recorded\n" in done.stdout


def test_findings_are_exit_status_1_and_a_table_with_counts_and_ten_examples(folder) -> None:
    for image in range(12):
        (folder / "ds/faces" / name(image)).unlink()
    (folder / "ds/fullMin256/extra.txt").touch()
    done = here("verify", "--output", "ds", cwd=folder)
    assert done.returncode == 1
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1] == ["missing", "12", f"faces/{name(0)}"]
    assert lines[2:11] == [[f"faces/{name(image)}"] for image in range(1, 10)]
    assert lines[11:13] == [["…"], ["orphan", "1", "fullMin256/extra.txt"]]
    assert f"{FILES} files of {ROWS - 1} images verified: 13 findings" in done.stdout


def test_every_finding_is_in_the_json(folder) -> None:
    for image in range(12):
        (folder / "ds/faces" / name(image)).unlink()
    done = here("verify", "--output", "ds", "--json", cwd=folder)
    assert done.returncode == 1
    printed = json.loads(done.stdout)
    assert printed["files"] == FILES
    assert printed["findings"] == [
        {"flaw": "missing", "where": f"faces/{name(image)}", "detail": ""} for image in range(12)
    ]


# Files, damaged one way each


@pytest.mark.parametrize("output", ["fullMin256", "faces"])
@pytest.mark.parametrize("at", [0, 400, -1])
def test_a_flipped_bit_is_found(ds, output, at) -> None:
    path = ds / output / name(3)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert flaws(ds) == {(Flaw.WRONG_HASH, f"{output}/{name(3)}")}


@pytest.mark.parametrize("kept", [0, 1, 1000])
def test_a_truncated_file_is_found(ds, kept) -> None:
    os.truncate(ds / "fullMin256" / name(3), kept)
    assert flaws(ds) == {(Flaw.WRONG_SIZE, f"fullMin256/{name(3)}")}


def test_a_deleted_file_is_found(ds) -> None:
    (ds / "faces" / name(3)).unlink()
    assert flaws(ds) == {(Flaw.MISSING, f"faces/{name(3)}")}


def test_a_deleted_tree_is_found(ds) -> None:
    shutil.rmtree(ds / "faces")
    assert len(flaws(ds)) == FILES - (ROWS - 1)


def test_a_folder_in_the_place_of_a_file_is_found(ds) -> None:
    (ds / "faces" / name(3)).unlink()
    (ds / "faces" / name(3)).mkdir()
    assert flaws(ds) == {(Flaw.UNREADABLE, f"faces/{name(3)}")}


def test_a_pipe_in_the_place_of_a_file_is_found_and_does_not_block(ds) -> None:
    (ds / "faces" / name(3)).unlink()
    os.mkfifo(ds / "faces" / name(3))
    assert flaws(ds) == {(Flaw.UNREADABLE, f"faces/{name(3)}")}


def test_two_files_in_each_others_place_are_found(ds) -> None:
    one, other = ds / "fullMin256" / name(3), ds / "fullMin256" / name(4)
    one.rename(ds / "between")
    other.rename(one)
    (ds / "between").rename(other)
    verification = found(ds)
    assert {one.where for one in verification.findings} == {
        f"fullMin256/{name(3)}", f"fullMin256/{name(4)}",
    }  # fmt: skip
    assert all(one.flaw.damage for one in verification.findings)


@pytest.mark.parametrize(
    "extra", ["fullMin256/0003/4.jpg", "faces/new/5.jpg", "faces/notes.txt", "fullMin256/.hidden"]
)
def test_a_file_that_no_row_names_is_found(ds, extra) -> None:
    (ds / extra).parent.mkdir(exist_ok=True)
    (ds / extra).touch()
    assert flaws(ds) == {(Flaw.ORPHAN, extra)}


def test_a_name_that_is_not_utf8_is_found_and_can_be_printed(folder) -> None:
    (folder / os.fsdecode(b"ds/faces/\xff\n.jpg")).touch()
    done = here("verify", "--output", "ds", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[1].split()[:2]) == (1, ["orphan", "1"])
    done = here("verify", "--output", "ds", "--json", cwd=folder)
    assert (
        json.loads(done.stdout)["findings"][0]["where"] == "faces/\N{REPLACEMENT CHARACTER}\n.jpg"
    )


@pytest.mark.parametrize(
    "left", ["faces/0003/.3.jpg.part", "labels/.train.csv.part", ".manifest.parquet.part"]
)
def test_partial_files_of_a_killed_run_are_found(ds, left) -> None:
    (ds / left).write_text("half a fi")
    assert flaws(ds) == {(Flaw.LEFTOVER, left)}


def test_files_beside_the_trees_are_left_alone(ds) -> None:
    (ds / "README").write_text("mine")
    (ds / "labels/mine.csv").write_text("mine")
    assert flaws(ds) == set()


# Files that match their records but are damaged


def forge(ds: Path, data: bytes) -> None:
    """Give image 3 other bytes, and record them."""
    (ds / "fullMin256" / name(3)).write_bytes(data)
    record(ds, 3, bytes=len(data), sha256=sha256(data).hexdigest())


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-2],
        lambda data: data[2:],
        lambda data: data[:2] + data[-2:],
        lambda data: b"<html>" + data,
        lambda data: data + b"\0",
    ],
    ids=["no end", "no start", "no header", "junk before it", "junk behind it"],
)
def test_a_file_that_is_recorded_so_but_not_a_whole_jpeg_is_found(ds, damage) -> None:
    forge(ds, damage((ds / "fullMin256" / name(3)).read_bytes()))
    assert flaws(ds) == {(Flaw.BROKEN_JPEG, f"fullMin256/{name(3)}")}


def test_a_size_in_pixels_that_differs_from_the_record_is_found(ds) -> None:
    record(ds, 3, height=342)
    findings = found(ds).findings
    assert [one.flaw for one in findings] == [Flaw.WRONG_DIMENSIONS]
    assert findings[0].detail == "256 x 341 pixels, recorded 256 x 342"


def test_a_file_that_is_recorded_so_but_does_not_decode_is_found_only_by_decoding(ds) -> None:
    data = (ds / "fullMin256" / name(3)).read_bytes()
    forge(ds, data[: len(data) // 2] + data[-2:])
    assert flaws(ds) == set()
    assert flaws(ds, deep=True) == {(Flaw.UNDECODABLE, f"fullMin256/{name(3)}")}


def test_a_machine_without_libturbojpeg_decodes_just_as_strictly(folder) -> None:
    (folder / "simplejpeg.py").write_text("raise ImportError")
    (folder / "turbojpeg.py").write_text("raise ImportError")  # comes first in sys.path
    data = (folder / "ds/fullMin256" / name(3)).read_bytes()
    forge(folder / "ds", data[: len(data) // 2] + data[-2:])
    done = dafre("verify", "--output", "ds", "--deep", "--json", cwd=folder)
    assert [one["where"] for one in json.loads(done.stdout)["findings"]] == [
        f"fullMin256/{name(3)}"
    ]


def test_after_a_file_that_kills_its_worker_all_others_are_verified(folder) -> None:
    (folder / "turbojpeg.py").write_text(DEADLY)  # the current folder comes first in sys.path
    deadly = progressive(folder / "ds/fullMin256" / name(3))
    (folder / "deadly").write_bytes(deadly)
    forge(folder / "ds", deadly)
    (folder / "ds/faces" / name(4)).unlink()
    done = dafre("verify", "--output", "ds", "--deep", "--json", cwd=folder)
    findings = json.loads(done.stdout)["findings"]
    assert [(one["flaw"], one["where"]) for one in findings] == [
        ("missing", f"faces/{name(4)}"),
        ("not_checked", f"fullMin256/{name(3)}"),
    ]
    assert (done.returncode, findings[1]["detail"]) == (1, "a worker died or hung at it, twice")


def progressive(path: Path) -> bytes:
    """The picture as a JPEG that goes to libjpeg-turbo."""
    saved = BytesIO()
    Image.open(path).save(saved, "JPEG", progressive=True)
    return saved.getvalue()


DEADLY = """
import os
from pathlib import Path

TJFLAG_ACCURATEDCT = TJPF_RGB = 0
DEADLY = Path("deadly").read_bytes()

class TurboJPEG:
    def decode(self, data, *_, dst, **__):
        if data == DEADLY:
            os.kill(os.getpid(), 9)
        return dst
"""


# Labels


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("train", "0,0002/2.jpg", "1,0002/2.jpg", {(Flaw.WRONG_CLASS, "labels/train.csv:2")}),
        (
            "train",
            "0,0002/2.jpg",
            "0,0002/99.jpg",
            {(Flaw.UNKNOWN_LABEL, "labels/train.csv:2"), (Flaw.NO_LABEL, "0002/2.jpg")},
        ),
        ("train", "0,0002/2.jpg\n", "", {(Flaw.NO_LABEL, "0002/2.jpg")}),
        (
            "train",
            "0,0002/2.jpg",
            "0;0002/2.jpg",
            {(Flaw.MALFORMED_LABEL, "labels/train.csv:2"), (Flaw.NO_LABEL, "0002/2.jpg")},
        ),
        (
            "train",
            "0,0002/2.jpg\n",
            "0,0002/2.jpg\n\n0,0002/2.jpg\n",
            {
                (Flaw.MALFORMED_LABEL, "labels/train.csv:3"),
                (Flaw.REPEATED_LABEL, "labels/train.csv:4"),
            },
        ),
        (
            "val",
            "0,0010/10.jpg\n",
            "0,0010/10.jpg\n0,0077/77.jpg\n",
            {(Flaw.UNKNOWN_LABEL, "labels/val.csv:2")},
        ),
        (
            "classid_classname",
            "0,even,_they_say",
            "0,even",
            {(Flaw.WRONG_CLASS_NAME, "labels/classid_classname.csv:1")},
        ),
        ("classid_classname", '1,"odd"\n', "", {(Flaw.NO_LABEL, "class 1")}),
        (
            "classid_classname",
            '1,"odd"\n',
            '1,"odd"\n2,prime\n1,"odd"\n',
            {
                (Flaw.WRONG_CLASS_NAME, "labels/classid_classname.csv:3"),
                (Flaw.REPEATED_LABEL, "labels/classid_classname.csv:4"),
            },
        ),
    ],
)
def test_a_label_line_that_was_changed_removed_or_added_is_found(
    ds, file, old, new, expected
) -> None:
    edit(ds / f"labels/{file}.csv", old, new)
    assert flaws(ds) == expected


def test_a_label_in_another_split_is_found(ds) -> None:
    edit(ds / "labels/train.csv", "0,0002/2.jpg\n", "")
    with (ds / "labels/test.csv").open("a") as file:
        file.write("0,0002/2.jpg\n")
    assert flaws(ds) == {(Flaw.WRONG_SPLIT, "labels/test.csv:5")}


def test_a_missing_label_file_is_found_with_the_images_that_it_named(ds) -> None:
    (ds / "labels/val.csv").unlink()
    assert flaws(ds) == {
        (Flaw.MISSING, "labels/val.csv"),
        (Flaw.NO_LABEL, "0010/10.jpg"),
        (Flaw.NO_LABEL, "0011/11.jpg"),
    }


# Manifest and ledger


def change_manifest(ds: Path, change) -> None:
    manifest = change(pl.read_parquet(ds / MANIFEST))
    manifest.write_parquet(ds / MANIFEST)


def test_a_row_missing_in_the_manifest_gives_orphans_and_a_label_of_an_unknown_image(ds) -> None:
    change_manifest(ds, lambda rows: rows.filter(pl.col("id") != 2))
    assert flaws(ds) == {
        (Flaw.UNKNOWN_LABEL, "labels/train.csv:2"),
        (Flaw.ORPHAN, "fullMin256/0002/2.jpg"),
        (Flaw.ORPHAN, "faces/0002/2.jpg"),
    }


def test_a_row_that_the_manifest_has_twice_is_found(ds) -> None:
    change_manifest(ds, lambda rows: pl.concat([rows, rows.filter(id=2)]))
    assert flaws(ds) == {(Flaw.REPEATED_ROW, "2")}


def test_a_row_without_an_outcome_is_found(ds) -> None:
    nothing = pl.when(pl.col("id") != 2).then("status").alias("status")
    change_manifest(ds, lambda rows: rows.with_columns(nothing))
    assert flaws(ds) == {(Flaw.NO_OUTCOME, "2")}


def test_a_row_that_differs_from_the_ledger_is_found_and_files_are_as_the_ledger_says(ds) -> None:
    other = pl.when(pl.col("id") == 2).then(pl.lit("0" * 64)).otherwise("sha256").alias("sha256")
    change_manifest(ds, lambda rows: rows.with_columns(other))
    assert flaws(ds) == {(Flaw.DIFFERS_FROM_LEDGER, "2")}


@pytest.mark.parametrize("image", [2, BROKEN])
def test_a_line_missing_in_the_ledger_is_found(ds, image) -> None:
    edit(ds / STATE / NAME, json.dumps(outcome(ds, image), separators=(",", ":")) + "\n", "")
    assert flaws(ds) == {(Flaw.NOT_IN_LEDGER, str(image))}


def test_an_unfinished_run_without_a_manifest_is_verified_by_its_ledger(ds) -> None:
    (ds / MANIFEST).unlink()
    (ds / "faces" / name(3)).unlink()
    assert flaws(ds) == {(Flaw.MISSING, MANIFEST), (Flaw.MISSING, f"faces/{name(3)}")}


def test_a_dataset_without_its_ledger_is_verified_by_its_manifest(ds) -> None:
    shutil.rmtree(ds / STATE)
    verification = found(ds)
    assert (verification.findings, verification.files) == ([], FILES)
    assert verification.records == [MANIFEST]


def test_a_manifest_may_be_elsewhere(folder, ds) -> None:
    manifest = (ds / MANIFEST).rename(folder / "elsewhere.parquet")
    assert flaws(ds, manifest=manifest) == set()


# What cannot be verified at all


@pytest.mark.parametrize("kept", [0, 100, 4000])
def test_a_manifest_that_cannot_be_read_is_exit_status_2_and_a_line_that_names_it(
    folder, kept
) -> None:
    os.truncate(folder / "ds" / MANIFEST, kept)
    assert_one_line(here("verify", "--output", "ds", cwd=folder), MANIFEST)


def test_a_table_that_is_not_a_manifest_is_exit_status_2_and_a_line_that_names_it(folder) -> None:
    pl.DataFrame({"path": ["a.jpg"]}).write_parquet(folder / "other.parquet")
    done = here("verify", "--output", "ds", "--manifest", "other.parquet", cwd=folder)
    assert_one_line(done, "other.parquet")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"stage":"make","ke', "line 17 is incomplete"),
        ("garbage\n", "line 17 is damaged"),
        ('{"stage":"make","key":"1","width":"wide"}\n', "line 17 is damaged"),
        ('{"stage":"make"}\n', "names no image"),
    ],
)
def test_a_ledger_that_cannot_be_read_is_exit_status_2_and_a_line_that_names_the_line(
    folder, line, why
) -> None:
    with (folder / "ds" / STATE / NAME).open("a") as file:
        file.write(line)
    done = here("verify", "--output", "ds", cwd=folder)
    assert_one_line(done, NAME)
    assert why in done.stderr


def test_labels_that_cannot_be_read_are_exit_status_2_and_a_line_that_names_them(folder) -> None:
    (folder / "ds/labels/val.csv").unlink()
    (folder / "ds/labels/val.csv").mkdir()
    assert_one_line(here("verify", "--output", "ds", cwd=folder), "val.csv")


@pytest.mark.parametrize("output", ["nowhere", "originals", "ds/labels"])
def test_a_folder_without_a_dataset_is_exit_status_2_and_a_line_that_names_it(
    folder, output
) -> None:
    assert_one_line(here("verify", "--output", output, cwd=folder), output)
    assert not (folder / output / STATE).exists()


def test_a_dataset_is_not_verified_during_a_run(folder) -> None:
    with Ledger(folder / "ds" / STATE):
        assert_one_line(here("verify", "--output", "ds", cwd=folder), "at work")


def test_verifications_may_run_at_the_same_time_but_not_beside_one_that_removes(ds) -> None:
    with (ds / STATE / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert found(ds).findings == []
        with pytest.raises(UsageError, match="at work"):
            found(ds, remove=True)


def assert_one_line(done, named: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr


# --remove


def test_the_same_command_remakes_removed_files(made, folder, ds) -> None:
    os.truncate(ds / "faces" / name(3), 100)
    (ds / "fullMin256" / name(HEADLESS)).write_bytes(b"")
    (ds / "fullMin256/0003/extra.jpg").touch()
    (ds / "faces/0003/.3.jpg.part").touch()
    (ds / "faces" / name(4)).unlink()
    done = here("verify", "--output", "ds", "--remove", "--json", cwd=folder)
    assert done.returncode == 1
    assert sorted(json.loads(done.stdout)["removed"]) == [
        "faces/0003/.3.jpg.part",
        f"faces/{name(3)}",
        "fullMin256/0003/extra.jpg",
        f"fullMin256/{name(HEADLESS)}",
    ]
    again = here("full", *FLAGS, "--json", cwd=folder)
    assert json.loads(again.stdout)["work"]["images"] == 3
    assert here("verify", "--output", "ds", cwd=folder).returncode == 0
    assert tree(ds) == tree(made / "ds")


def test_a_file_that_cannot_be_read_is_not_removed(ds) -> None:
    (ds / "faces" / name(3)).unlink()
    (ds / "faces" / name(3)).mkdir()
    assert found(ds, remove=True).removed == []
    assert (ds / "faces" / name(3)).is_dir()


def test_without_remove_nothing_is_removed(ds) -> None:
    (ds / "faces" / name(3)).write_bytes(b"")
    (ds / "faces/extra").touch()
    before = tree(ds)
    assert found(ds).removed == []
    assert tree(ds) == before


# The outputs of `resize` and `crop`


@pytest.fixture
def resized(folder) -> Path:
    """Make full images in `out`, some of originals that differ only in their extension."""
    for extension in ("jpg", "gif"):
        Image.new("RGB", (40, 30)).save(folder / f"originals/0003/3.{extension}")
    assert here("resize", *RESIZE, cwd=folder).returncode == 0
    return folder / "out"


RESIZE = ("--input", "originals", "--output", "out", "--manifest", "resized.parquet")


def test_full_images_alone_are_verified_by_their_ledger(resized) -> None:
    verification = found(resized)
    assert (verification.findings, verification.files) == ([], ROWS - 1 + 2)
    assert verification.records == [NAME]


def test_damage_of_full_images_alone_is_found_and_remade(folder, resized) -> None:
    whole = tree(resized)
    (resized / "0003/3.png.jpg").write_bytes(b"")
    (resized / "0003/3.gif.jpg").unlink()
    verification = found(resized, remove=True)
    assert {(one.flaw, one.where) for one in verification.findings} == {
        (Flaw.WRONG_SIZE, "0003/3.png.jpg"),
        (Flaw.MISSING, "0003/3.gif.jpg"),
    }
    assert verification.removed == ["0003/3.png.jpg"]
    assert here("resize", *RESIZE, cwd=folder).returncode == 0
    assert tree(resized) == whole


def test_full_images_alone_are_compared_with_a_manifest_elsewhere(folder, resized) -> None:
    manifest = folder / "resized.parquet"
    assert flaws(resized, manifest=manifest) == set()
    rows = pl.read_parquet(manifest).filter(pl.col("path") != "0004/4.png")
    rows.write_parquet(manifest)
    assert flaws(resized, manifest=manifest) == {(Flaw.ORPHAN, "0004/4.jpg")}


def test_in_a_users_own_folder_only_images_are_orphans_and_none_is_removed(
    resized,
) -> None:
    for extra in ("notes.txt", "mine.jpg", ".9.jpg.part"):
        (resized / extra).touch()
    verification = found(resized, remove=True)
    assert {(one.flaw, one.where) for one in verification.findings} == {
        (Flaw.ORPHAN, "mine.jpg"),
        (Flaw.LEFTOVER, ".9.jpg.part"),
    }
    assert verification.removed == [".9.jpg.part"]
    assert (resized / "mine.jpg").exists()


def test_records_with_paths_outside_the_folder_are_refused_and_nothing_is_removed(resized) -> None:
    (resized.parent / "mine.jpg").write_text("mine")
    line = {"stage": "make", "key": "../mine.jpg", "bytes": 1, "sha256": "0", "width": 1}
    with (resized / STATE / NAME).open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"'\.\./mine\.jpg' leads out"):
        found(resized, remove=True)
    assert (resized.parent / "mine.jpg").exists()


def test_face_crops_alone_are_verified_by_their_ledger(folder) -> None:
    flags = ("--faces", "faces.tsv", "--input", "originals", "--min-images", 8)
    here("crop", *flags, "--output", "crops", cwd=folder)
    verification = found(folder / "crops")
    assert (verification.findings, verification.files) == ([], ROWS - 2)
    (folder / "crops" / name(3)).unlink()
    assert flaws(folder / "crops") == {(Flaw.MISSING, name(3))}


def test_nothing_is_removed_because_of_a_manifest_from_elsewhere(folder, ds) -> None:
    (folder / "other.parquet").write_bytes((ds / "manifest.parquet").read_bytes())
    before = tree(ds)
    flags = ("--output", "ds", "--manifest", "other.parquet", "--remove")
    done = here("verify", *flags, cwd=folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert tree(ds) == before
