"""Damaged and hostile tables, through the commands as a user runs them."""

import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from tests.commands import here, tree

TABLES = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv")
BOX = "0.25, 0.25, 0.75, 0.75 0.95"


def row(path: str, tag: int = 5) -> bytes:
    return f"{path}\t{tag}\t{BOX}\n".encode()


GOOD = [row("0001\\1.jpg"), row("0002/2.jpg"), row("3.jpg")]
DAMAGED = [
    (b"\xff\xfe\n", "not_utf8"),
    (b"nonsense\n", "missing_columns"),
    (row("0004\\4.jpg", 77), "unknown_tag_id"),
    (b"0004\\4.jpg\t5\t" + f"{BOX}, {BOX}\n".encode(), "several_heads"),
    (row("0005\\4.jpg"), "wrong_folder"),
    (row("0001\\1.jpg"), "duplicate_row"),
]


@pytest.fixture
def work(tmp_path) -> Path:
    """Make the current folder of the commands, with four originals and a table of classes."""
    work = tmp_path / "a/b/work"
    for number in range(1, 5):
        path = work / f"originals/{number:04}/{number}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (300, 400), (30 * number, 80, 160)).save(path)
    (work / "tagIds.tsv").write_text("five\t5\n")
    return work


def run(work: Path, name: str, *flags: object):
    """Run a command with its tables, keeping classes of any size."""
    tables = TABLES if name in {"full", "labels"} else TABLES[:2]
    source = {"crop": "--input", "full": "--source", "download": "--source"}.get(name)
    originals = (source, "originals") if source else ()
    chosen = ("--min-images", 1, "--output", "out", "--json", *flags)
    return here(name, *tables, *originals, *chosen, cwd=work)


def listed(path: Path) -> list[tuple[str, int, str]]:
    return pl.read_csv(path).rows()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["full", "crop"])
def test_no_path_of_a_table_leads_out_of_the_output_and_each_is_counted(work, command) -> None:
    hostile = [
        "../../1.jpg",
        "..\\..\\1.jpg",
        "0001/../../1.jpg",
        "0001\\..\\..\\..\\1.jpg",
        "../0001/1.jpg",
        f"{work.parent}/1.jpg",
        "/1.jpg",
        "\\1.jpg",
        "C:\\1.jpg",
        "C:1.jpg",
        "C:/0001/1.jpg",
        "\\\\host\\share\\1.jpg",
        "//host/share/1.jpg",
        "\\\\?\\C:\\1.jpg",
        "~/1.jpg",
        "0001\\1\0.jpg",
        "\0",
        "0001/1.jpg/../../../1.jpg",
        "file:///1.jpg",
        "0001/1.jpg\0/../../x.jpg",
        "0001/CON.jpg",
        ".",
        "..",
    ]
    (work / "faces.tsv").write_bytes(b"".join([*GOOD, *map(row, hostile)]))
    before = tree(work.parents[1])
    done = run(work, command, "--max-bad-rows", 1)
    assert done.returncode == 0, done.stderr
    after = tree(work.parents[1])
    new = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert all(name.startswith("b/work/out/") for name in new)
    faces = {"full": "out/faces", "crop": "out"}[command]
    made = {"0001/1.jpg", "0002/2.jpg", "0003/3.jpg"}
    assert {name for name in tree(work / faces) if name.endswith(".jpg")} == made
    (problem,) = json.loads(done.stdout)["bad_rows"]
    first = [*range(4, 14)]
    assert problem == {
        "table": "faces.tsv",
        "problem": "bad_path",
        "rows": len(hostile),
        "lines": first,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("full", "out/bad_rows.csv"),
        ("labels", "out/bad_rows.csv"),
        # Trees of images alone: the list is none of them.
        ("crop", "out/.dafre_fast/bad_rows.csv"),
        ("download", "out/.dafre_fast/bad_rows.csv"),
    ],
)
def test_every_bad_row_is_listed_with_its_line_until_there_are_none(work, command, place) -> None:
    lines = [line for line, _ in DAMAGED]
    (work / "faces.tsv").write_bytes(b"".join([*GOOD, b"\n", *lines]))
    (work / "tagIds.tsv").write_text("five\t5\n5\n")
    done = run(work, command, "--max-bad-rows", 1)
    assert done.returncode == 0, done.stderr
    expected = [("faces.tsv", at, problem) for at, (_, problem) in enumerate(DAMAGED, 5)]
    if command in {"full", "labels"}:
        expected.append(("tagIds.tsv", 2, "missing_columns"))
    else:  # without names no tag is unknown
        expected.remove(("faces.tsv", 7, "unknown_tag_id"))
    summary = json.loads(done.stdout)
    assert listed(work / place) == expected
    assert summary["bad_rows_list"] == place
    assert sum(problem["rows"] for problem in summary["bad_rows"]) == len(expected)

    (work / "faces.tsv").write_bytes(b"".join(GOOD))
    (work / "tagIds.tsv").write_text("five\t5\n")
    done = run(work, command)
    assert json.loads(done.stdout)["bad_rows"] == []
    assert not (work / place).exists()


def test_label_files_hold_only_good_rows(work) -> None:
    (work / "faces.tsv").write_bytes(b"".join([*GOOD, *(line for line, _ in DAMAGED)]))
    assert run(work, "labels", "--max-bad-rows", 1).returncode == 0
    files = tree(work / "out")
    assert files.pop("bad_rows.csv")
    assert files.pop("funnel.json")
    assert files == {
        "train.csv": b"0,0001/1.jpg\n0,0002/2.jpg\n",
        "val.csv": b"",
        "test.csv": b"0,0003/3.jpg\n",
        "classid_classname.csv": b"0,five\n",
    }


def test_the_text_has_table_problem_and_lines_and_the_path_of_the_full_list(work) -> None:
    (work / "faces.tsv").write_bytes(b"".join([*GOOD, *[b"nonsense\n"] * 12, row("../4.jpg")]))
    done = run(work, "labels", "--max-bad-rows", 1, "--no-json")
    assert done.stdout.splitlines()[-3:] == [
        "faces.tsv: 12 rows set aside: missing_columns (line 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, …)",
        "faces.tsv: 1 row set aside: bad_path (line 16)",
        "all rows set aside: out/bad_rows.csv",
    ]


@pytest.mark.parametrize(("bad", "status"), [(1, 0), (2, 2)])
def test_more_than_one_row_in_a_hundred_stops_the_run_with_one_line(work, bad, status) -> None:
    good = [row(f"{number}.jpg") for number in range(1, 101 - bad)]
    (work / "faces.tsv").write_bytes(b"".join([*good, *[b"nonsense\n"] * bad]))
    done = run(work, "labels")
    assert done.returncode == status
    assert (work / "out").exists() is (status == 0)
    if status:
        (line,) = done.stderr.splitlines()
        assert "faces.tsv: 2 of 100 rows are malformed" in line
        assert "missing_columns, first in line 99" in line


@pytest.mark.parametrize("table", ["faces.tsv", "tagIds.tsv"])
def test_a_file_that_is_not_a_table_is_exit_status_2_and_one_line(work, table) -> None:
    (work / "faces.tsv").write_bytes(b"".join(GOOD))
    (work / table).write_bytes((work / table).read_text().encode("utf-16"))
    done = run(work, "labels")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"dafre-fast labels: {table}: is UTF-16 text; it must be lines of UTF-8 text\n"
    )


def test_a_list_of_originals_is_accounted_for_line_by_line(work) -> None:
    lines = (
        b"originals/0001/1.png\r\n\r\noriginals/0001/1.png\r\nnot-\xff-there.png\r\n/nowhere.png"
    )
    (work / "list").write_bytes(b"\xef\xbb\xbf" + lines)
    flags = ("--input", "list", "--output", "out", "--json")
    done = here("resize", *flags, cwd=work)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["success"], summary["refused"]) == (1, {"missing_original": 2})
    repeated = {"table": "list", "problem": "duplicate_row", "rows": 1, "lines": [3]}
    assert summary["bad_rows"] == [repeated]
    assert list(tree(work / "out")) == ["originals/0001/1.jpg"]
