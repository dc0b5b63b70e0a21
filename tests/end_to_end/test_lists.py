"""The `lists` command as users run it, without a mirror."""

import gzip
import json
import random
import subprocess
from pathlib import Path

import pytest

from tests.commands import here, tree
from tests.hosts import host
from tests.pixels.pictures import encoded, smooth

pytestmark = pytest.mark.slow

SHARED = Path(__file__).resolve().parents[2] / "../shared/dafre"
FILES = (
    "./512px/0001/1.jpg\r\n./512px/0002/2.jpg\n./original/0001/1.png \n./original/0002/2.jpg\n"
    "./original/0003/3.gif\n./256px/0001/1.jpg\n./original/0001/1.png\nreadme\n"
)
SPLITS = {"train": "0,0001/1.jpg\n1,0004/4.jpg\n", "val": "0,0002/2.jpg\n"}
LOOSE = ("--max-bad-rows", 0.5)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "labels").mkdir()
    for split, text in SPLITS.items():
        (tmp_path / f"labels/{split}.csv").write_text(text)
    (tmp_path / "files.txt").write_bytes(FILES.encode())
    return tmp_path


def lists(folder: Path, *flags: object) -> subprocess.CompletedProcess[str]:
    return here("lists", "--labels", "labels", *flags, cwd=folder)


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "lists").iterdir()}


LISTED = {
    "train_512jpg.txt": "./512px/0001/1.jpg\n",
    "train_originalext.txt": "./original/0001/1.png\n",
    "train_missing.txt": "./original/0004/4.*\n./512px/0004/4.jpg\n",
    "val_512jpg.txt": "./512px/0002/2.jpg\n",
    "val_originalext.txt": "./original/0002/2.jpg\n",
    "val_missing.txt": "",
    "bad_rows.csv": "table,line,problem\nfiles.txt,7,duplicate_row\nfiles.txt,8,bad_path\n",
}


def test_every_split_has_its_lists_and_the_text_accounts_for_every_line(folder) -> None:
    done = lists(folder, "--files", "files.txt", *LOOSE)
    assert (done.returncode, done.stderr) == (0, "")
    assert written(folder) == LISTED
    assert done.stdout.splitlines() == [
        "split  images  original  missing  512px  missing",
        "train       2         1        1      1        1",
        "val         1         1        0      1        0",
        "files.txt: 1 row set aside: duplicate_row (line 7)",
        "files.txt: 1 row set aside: bad_path (line 8)",
        "all rows set aside: lists/bad_rows.csv",
        "8 lines = 4 listed + 1 of other images + 1 in other trees + 2 set aside",
    ]


def test_the_json_has_the_same_counts(folder) -> None:
    (folder / "files.txt.gz").write_bytes(gzip.compress(FILES.encode()))
    printed = json.loads(lists(folder, "--files", "files.txt.gz", *LOOSE, "--json").stdout)
    counts = {
        key: printed[key] for key in ("lines", "listed", "unwanted", "elsewhere", "set_aside")
    }
    assert counts == {"lines": 8, "listed": 4, "unwanted": 1, "elsewhere": 1, "set_aside": 2}
    assert printed["splits"][0] == {
        "split": "train",
        "images": 2,
        "listed": {"original": 1, "512px": 1},
        "missing": {"original": 1, "512px": 1},
    }
    assert [problem["table"] for problem in printed["bad_rows"]] == ["files.txt.gz"] * 2


def test_bad_lines_of_label_files_are_listed_beside_those_of_the_list(folder) -> None:
    (folder / "labels/val.csv").write_text("0,0002/2.jpg\n0,0003/2.jpg\n")
    assert lists(folder, "--files", "files.txt", *LOOSE).returncode == 0
    assert "val.csv,2,wrong_folder\n" in written(folder)["bad_rows.csv"]


@pytest.mark.parametrize(
    ("files", "flags", "said"),
    [
        (None, ("--files", "files.txt"), "files.txt"),
        ("", ("--files", "files.txt"), "files.txt: is empty"),
        ("\n \n", ("--files", "files.txt"), "files.txt: has no rows"),
        (FILES, ("--files", "files.txt"), "files.txt: 2 of 8 rows are malformed"),
        (FILES, ("--files", "."), "Is a directory"),
        (FILES, ("--files", "files.txt", *LOOSE, "--labels", "none"), "none: No such file"),
        (FILES, ("--files", "files.txt", *LOOSE, "--labels", "."), "has none of train.csv"),
        (FILES, (), "--files is missing"),
        (FILES, ("--files", "files.txt", "--source", "https://h/{id}.jpg"), "{name}"),
        (FILES, ("--source", "https://h/{name}"), "--files"),
        (FILES, ("--source", "rsync://h"), "rsync://h"),
        (FILES, ("--source", "rsync://h/m/{bucket}"), "rsync://h/m/{bucket}"),
        (FILES, ("--files", "files.txt", "--sizes", "256px"), "--sizes"),
        (FILES, ("--files", "files.txt", "--sizes", ","), "--sizes"),
        (
            FILES,
            ("--source", "rsync://h/m", "--sizes", "original,512px", "--small", "original"),
            "--small",
        ),
    ],
)
def test_a_file_or_flag_that_makes_no_sense_is_one_line_and_status_2(
    folder, files, flags, said
) -> None:
    (folder / "files.txt").unlink()
    if files is not None:
        (folder / "files.txt").write_text(files)
    done = lists(folder, *flags)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert not [*folder.glob("lists/*")]


def test_only_the_lists_command_fetches_names_from_a_list(folder) -> None:
    (folder / "faces.tsv").write_text("0001\\1.jpg\t1\t0.1, 0.1, 0.9, 0.9 0.95\n")
    flags = ("--faces", "faces.tsv", "--source", "https://h/{name}", "--min-images", 1)
    done = here("download", *flags, cwd=folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "lists" in done.stderr


def test_a_mirror_that_speaks_http_is_asked_for_the_same_names(folder) -> None:
    gif = encoded(smooth(40, 30), "GIF")
    (folder / "files.txt").write_text("./original/1/1.gif\n./original/0002/2.gif\n")
    with host() as served:
        served.files = {"/m/original/1/1.gif": gif, "/m/original/0002/2.gif": gif}
        source = f"{served.address}/m/{{name}}"
        done = lists(folder, "--files", "files.txt", "--source", source)
    assert done.returncode == 0, done.stderr
    assert sorted(served.asked) == sorted(served.files)
    assert tree(folder / "original") == {"0001/1.gif": gif, "0002/2.gif": gif}


def test_an_output_that_cannot_be_written_is_one_line_and_status_1(folder) -> None:
    (folder / "lists").touch()
    done = lists(folder, "--files", "files.txt", *LOOSE)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "lists/" in done.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published labels (../shared/dafre) are absent")
def test_all_images_of_the_published_splits_are_found_in_a_list_of_any_order(tmp_path) -> None:
    paths = [
        line.partition(",")[2]
        for split in ("val", "test")
        for line in (SHARED / f"{split}.csv").read_text().splitlines()
    ]
    files = [f"./512px/{path}\n" for path in paths]
    files += [f"./original/{path.removesuffix('jpg')}png\n" for path in paths]
    random.Random(0).shuffle(files)
    (tmp_path / "files.txt").write_text("".join(files))
    done = here("lists", "--labels", SHARED, "--files", "files.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = written(tmp_path)
    assert made["val_512jpg.txt"] + made["test_512jpg.txt"] == "".join(
        f"./512px/{path}\n" for path in paths
    )
    assert made["test_originalext.txt"].count(".png\n") == 94_440
    assert (made["val_missing.txt"], made["test_missing.txt"]) == ("", "")
