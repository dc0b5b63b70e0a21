import re
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.lists.file_lists import (
    FileList,
    judge_files,
    read_file_list,
    write_lists,
)
from dafre_fast.tables.labels import Split, judge_labels, read_splits
from dafre_fast.tables.row_problems import LONGEST


def lines(*texts: str | None) -> pl.LazyFrame:
    schema = {"line": pl.UInt32, "text": pl.String}
    return pl.LazyFrame({"line": range(1, len(texts) + 1), "text": texts}, schema=schema)


def listed(*texts: str | None) -> list[tuple[object, ...]]:
    """Tree, id, extension, name and problem."""
    return judge_files(lines(*texts)).drop("line").collect().rows()


def labelled(*texts: str | None) -> list[tuple[object, ...]]:
    """Class id, id and problem."""
    return judge_labels(lines(*texts)).select("class_id", "id", "problem").collect().rows()


@pytest.mark.parametrize(
    ("text", "name", "known"),
    [
        ("./original/0000/1025000.jpg", "original/0000/1025000.jpg", ("original", 1025000, "jpg")),
        ("original/0446/332446.png", "original/0446/332446.png", ("original", 332446, "png")),
        ("./512px/0007/7.jpg\r", "512px/0007/7.jpg", ("512px", 7, "jpg")),
        (" \t./512px/0007/7.jpg \t ", "512px/0007/7.jpg", ("512px", 7, "jpg")),
        ("original/007/1007.JPG", "original/007/1007.JPG", ("original", 1007, "jpg")),
        ("original/7/1007.jpg", "original/7/1007.jpg", ("original", 1007, "jpg")),
        ("original/00007/1007.jpg", "original/00007/1007.jpg", ("original", 1007, "jpg")),
        ("256px/0007/7.jpg", "256px/0007/7.jpg", ("256px", 7, "jpg")),
    ],
)
def test_a_line_tells_tree_and_image_and_keeps_its_path_as_it_is(text, name, known) -> None:
    assert listed(text) == [(*known, name, None)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("./original", "bad_path"),
        ("./original/0007", "bad_path"),
        ("./original/0007/7", "bad_path"),
        ("./original/0007/7.", "bad_path"),
        ("./original/0007/7.jpg.part", "bad_path"),
        ("./original/0007/.7.jpg", "bad_path"),
        ("./original/0007/7 .jpg", "bad_path"),
        ("./original/0007/seven.jpg", "bad_path"),
        ("./original/7.jpg", "bad_path"),
        ("./original/0007/0007/7.jpg", "bad_path"),
        ("/original/0007/7.jpg", "bad_path"),
        ("../original/0007/7.jpg", "bad_path"),
        (".//original/0007/7.jpg", "bad_path"),
        ("original\\0007\\7.jpg", "bad_path"),
        ("./original/0007/٧.jpg", "bad_path"),
        ("./original/0007/7.jpg\0", "bad_path"),
        (f"./original/0000/{10**18}.jpg", "bad_path"),
        ("nonsense", "bad_path"),
        ("./original/0008/7.jpg", "wrong_folder"),
        ("./512px/0007/1008.jpg", "wrong_folder"),
        (f"./original/0007/7.{'j' * LONGEST}", "too_long"),
        (None, "not_utf8"),
    ],
)
def test_a_line_that_names_no_image_is_set_aside_for_its_reason(text, problem) -> None:
    ((*_, found),) = listed(text)
    assert found == problem


PIECES = ["./", "original", "512px", "/", "0007", "7", "1007", "8", ".", "jpg", "PNG", " ", "\t"]
PLAIN = re.compile(r"(?:\./)?([^/\\\n]+)/([0-9]+)/([0-9]+)\.([0-9A-Za-z]{1,5})")


def plainly(text: str) -> tuple[object, ...]:
    """The rule in Python."""
    match = PLAIN.fullmatch(text.strip(" \t\r"))
    if not match:
        return (None, RowProblem.BAD_PATH)
    tree, folder, image_id, extension = match.groups()
    known = (tree, int(image_id), extension.lower(), match[0].removeprefix("./"))
    return (known, None if int(folder) == int(image_id) % 1000 else RowProblem.WRONG_FOLDER)


@given(
    st.lists(
        st.lists(st.sampled_from([*PIECES, "\0", "é", "\\", "-"]), max_size=9).map("".join)
        | st.builds("./{}/{:04}/{}.{}".format, *map(st.sampled_from, (PIECES, [7, 8], [7], PIECES)))
    )
)
def test_lines_are_judged_as_by_the_plain_rule(texts) -> None:
    found = [(row[:-1] if row[-1] != "bad_path" else None, row[-1]) for row in listed(*texts)]
    assert found == [plainly(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("0,0446/332446.jpg", (0, 332446, None)),
        ("3262,./0446/332446.jpg\r", (3262, 332446, None)),
        (" 1 , 0446\\332446.jpg ", (1, 332446, None)),
        ("1,332446.jpg", (1, 332446, None)),
        ("0446/332446.jpg", (None, None, "missing_columns")),
        ("x,0446/332446.jpg", (None, 332446, "bad_class_id")),
        ("-1,0446/332446.jpg", (None, 332446, "bad_class_id")),
        ("1,0446/332446", (1, None, "bad_path")),
        ("1,0446/332446.jpg,2", (1, None, "bad_path")),
        ("class_id,path", (None, None, "bad_class_id")),
        ("1,0447/332446.jpg", (1, 332446, "wrong_folder")),
        (None, (None, None, "not_utf8")),
    ],
)
def test_a_line_of_a_label_file_tells_its_image_or_what_is_wrong(text, row) -> None:
    assert labelled(text) == [row]


def written(path: Path, *texts: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def test_of_a_folder_the_splits_that_are_there_are_read_in_their_order(tmp_path) -> None:
    written(tmp_path / "test.csv", "0,0001/1.jpg")
    written(tmp_path / "train.csv", "0,0003/3.jpg", "0,0002/2.jpg")
    written(tmp_path / "classid_classname.csv", "0,name")
    found = read_splits([tmp_path], 0.0)
    assert [(one.name, one.images["id"].to_list()) for one in found] == [
        ("train", [3, 2]),
        ("test", [1]),
    ]


def test_files_may_be_named_one_by_one_and_be_called_anything(tmp_path) -> None:
    paths = [written(tmp_path / name, "0,0001/1.jpg") for name in ("mine.csv.txt", "yours")]
    assert [one.name for one in read_splits(paths, 0.0)] == ["mine", "yours"]


def test_splits_of_one_name_are_wrong_usage_and_a_folder_without_any_has_none(tmp_path) -> None:
    one = written(tmp_path / "a/val.csv", "0,0001/1.jpg")
    other = written(tmp_path / "b/val.txt", "0,0001/1.jpg")
    with pytest.raises(UsageError, match="the same name"):
        read_splits([one, other], 0.0)
    with pytest.raises(InputError, match=r"none of train\.csv, val\.csv, test\.csv"):
        read_splits([tmp_path], 0.0)


def test_an_image_that_stands_twice_in_a_split_counts_once(tmp_path) -> None:
    texts = ("0,0001/1.jpg", "0,0002/2.jpg", "0,0001/1.jpg", "1,0002/2.jpg")
    (split,) = read_splits([written(tmp_path / "val.csv", *texts)], 0.5)
    assert split.images["id"].to_list() == [1, 2]
    assert split.bad_rows.rows() == [
        ("val.csv", 3, "duplicate_row"),
        ("val.csv", 4, "duplicate_id"),
    ]


def read(path: Path, *wanted: int, at_most: float = 1.0) -> FileList:
    return read_file_list(path, pl.Series(wanted, dtype=pl.Int64), at_most)


FILES = (
    "./512px/0001/1.jpg",
    "./512px/0002/2.jpg",
    "./256px/0001/1.jpg",
    "./original/0001/1.png",
    "",
    "./original/0001/1.png",
    "./original/0001/1.gif",
    "./original/0003/3.jpg",
    "./original/0004/5.jpg",
    "readme",
)


def test_every_line_is_listed_or_of_another_image_or_elsewhere_or_set_aside(tmp_path) -> None:
    found = read(written(tmp_path / "list.txt", *FILES), 1, 9)
    assert found.rows["name"].to_list() == ["512px/0001/1.jpg", "original/0001/1.png"]
    assert (found.lines, found.unwanted, found.elsewhere) == (9, 2, 1)
    assert found.bad_rows.rows() == [
        ("list.txt", 6, "duplicate_row"),
        ("list.txt", 7, "duplicate_id"),
        ("list.txt", 9, "wrong_folder"),
        ("list.txt", 10, "bad_path"),
    ]


@given(st.lists(st.sampled_from([*FILES, "./original/0007/7.jpg"]), min_size=1), st.integers(1, 99))
def test_lines_in_are_outcomes_out_wherever_blocks_end(texts, block_bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("dafre_fast.tables.blocks.BLOCK_BYTES", block_bytes)
        path = written(Path(folder, "list.txt"), *texts, "./512px/0009/9.jpg")
        found = read(path, 1, 9)
    assert found.lines == sum(map(bool, texts)) + 1
    outcomes = found.rows.height + found.unwanted + found.elsewhere + found.bad_rows.height
    assert outcomes == found.lines
    assert found.rows.select("tree", "id").is_unique().all()


def test_more_bad_lines_than_allowed_are_an_error_with_the_first_of_the_worst(tmp_path) -> None:
    path = written(tmp_path / "list.txt", *FILES)
    assert read(path, 1, at_most=4 / 9).bad_rows.height == 4
    with pytest.raises(InputError, match=r"list\.txt: 4 of 9 rows are malformed .* first in line"):
        read(path, 1, at_most=3 / 9)


def files(*names: str) -> FileList:
    read = judge_files(lines(*names)).drop("line", "problem").collect()
    return FileList(read, len(names), 0, 0, pl.DataFrame())


def texts_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_lists_name_the_files_of_a_split_in_its_order_and_what_is_not_there(tmp_path) -> None:
    split = Split("val", pl.DataFrame({"id": [1001, 3, 2]}), pl.DataFrame())
    there = files("original/0002/2.gif", "original/0001/1001.png", "512px/002/2.jpg")
    assert write_lists(split, there, tmp_path) == {"original": 2, "512px": 1}
    assert texts_in(tmp_path) == {
        "val_originalext.txt": "./original/0001/1001.png\n./original/0002/2.gif\n",
        "val_512jpg.txt": "./512px/002/2.jpg\n",
        "val_missing.txt": "./original/0003/3.*\n./512px/0001/1001.jpg\n./512px/0003/3.jpg\n",
    }


def test_lists_that_cannot_be_written_are_an_output_error(tmp_path) -> None:
    (tmp_path / "val_512jpg.txt").mkdir()
    split = Split("val", pl.DataFrame({"id": [1]}), pl.DataFrame())
    with pytest.raises(OutputError, match=r"val_512jpg\.txt"):
        write_lists(split, files("512px/0001/1.jpg"), tmp_path)
