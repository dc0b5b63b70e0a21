from pathlib import Path

import polars as pl
import pytest

from dafre_fast.model.errors import InputError
from dafre_fast.tables.faces import read_faces, scan_tsv

BOX = "0.25, 0.5, 0.75, 1.0 0.875"
FIRST, SECOND = f"0001\\1.jpg\t5\t{BOX}", f"0002\\2.jpg\t6\t{BOX}"


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes) -> pl.DataFrame:
        path = tmp_path / "faces.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_faces(path)

    return read


def test_a_good_row_becomes_numbers(read):
    rows = read(f"0446\\332446.jpg\t13\t{BOX}\n")
    assert rows.rows(named=True) == [
        {
            "line": 1,
            "id": 332446,
            "tag_id": 13,
            "left": 0.25,
            "top": 0.5,
            "right": 0.75,
            "bottom": 1.0,
            "confidence": 0.875,
            "problem": None,
        }
    ]
    assert rows.schema["confidence"] == pl.Float32


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(f"{FIRST}\n{SECOND}\n", [1, 2], id="as it should be"),
        pytest.param(f"{FIRST}\n{SECOND}", [1, 2], id="no line end at the end"),
        pytest.param(f"\ufeff{FIRST}\n{SECOND}\n", [1, 2], id="byte order mark"),
        pytest.param(f"{FIRST}\r\n{SECOND}\r\n", [1, 2], id="CRLF"),
        pytest.param(f"{FIRST}\n\n\n{SECOND}\n\n", [1, 4], id="blank lines"),
        pytest.param(f"{FIRST}\r\n\r\n{SECOND}\r\n\r\n", [1, 3], id="blank lines with CRLF"),
        pytest.param(f"{FIRST}\n{SECOND}\tmore\tand more\n", [1, 2], id="further columns"),
        pytest.param(
            f"\n{FIRST}\n{SECOND}\n",
            [2, 3],
            id="blank first line",
        ),
        pytest.param(
            f"{FIRST}\tmore\n{SECOND}\n",
            [1, 2],
            id="further columns in the first line",
        ),
    ],
)
def test_good_rows_are_found_with_their_line_in_the_file(read, content, lines):
    rows = read(content)
    assert rows["line"].to_list() == lines
    assert rows["id"].to_list() == [1, 2]
    assert rows["confidence"].to_list() == [0.875, 0.875]
    assert rows["problem"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param("0001\\1.jpg", "bad_tag_id", id="path alone"),
        pytest.param("0001\\1.jpg\t5", "bad_box_text", id="no box"),
        pytest.param(f"0001\\1.jpg\t\t{BOX}", "bad_tag_id", id="empty tag id"),
        pytest.param(f"0001\\1.jpg\tfive\t{BOX}", "bad_tag_id", id="tag id in words"),
        pytest.param(f"0001\\1.jpg\t5.0\t{BOX}", "bad_tag_id", id="tag id with a point"),
        pytest.param(f"0001\\1.jpg\t{2**63}\t{BOX}", "bad_tag_id", id="tag id beyond 64 bits"),
        pytest.param("0001\\1.jpg\t5\t0.1, 0.2", "bad_box_text", id="half a box"),
        pytest.param(f"\t5\t{BOX}", "bad_path", id="empty path"),
        pytest.param("nonsense", "bad_path", id="nonsense"),
        pytest.param(f"path\ttag_id\tbox\n{SECOND}", "bad_path", id="header"),
    ],
)
def test_a_malformed_row_is_kept_with_its_problem(read, row, problem):
    assert read(f"{SECOND}\n{row}\n")["problem"].to_list()[:2] == [None, problem]


def test_a_malformed_row_may_be_the_first(read):
    assert read(f"0001\\1.jpg\t5\n{SECOND}\n")["problem"].to_list() == ["bad_box_text", None]


@pytest.mark.parametrize("path", ["0446\\332446.jpg", "0446/332446.jpg", "332446.jpg"])
def test_a_path_may_have_either_slash_or_no_folder(read, path):
    assert read(f"{path}\t5\t{BOX}")["id"].to_list() == [332446]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(b"..\\332446.jpg", id="parent folder"),
        pytest.param(b"0446/../332446.jpg", id="parent folder inside"),
        pytest.param(b"C:\\332446.jpg", id="drive letter"),
        pytest.param(b"/332446.jpg", id="absolute"),
        pytest.param(b"\\\\host\\332446.jpg", id="host"),
        pytest.param(b"0446\\332446\0.jpg", id="NUL"),
        pytest.param(b"0446\\332446.jpg\0", id="NUL at the end"),
        pytest.param(b"0446\\33\xff2446.jpg", id="not UTF-8"),
        pytest.param(b'"0446\\332446.jpg"', id="quoted"),
        pytest.param(b"https://host/332446.jpg", id="URL"),
    ],
)
def test_a_path_that_is_not_a_plain_one_is_a_problem(read, path):
    rows = read(path + f"\t5\t{BOX}\n{SECOND}\n".encode())
    assert rows["problem"].to_list() == ["bad_path", None]
    assert rows["id"].to_list() == [-1, 2]


def test_a_lone_quote_does_not_swallow_the_lines_after_it(read):
    rows = read(f'{FIRST}\n"0003\\3.jpg\t5\t{BOX}\n{SECOND}\n')
    assert rows["id"].to_list() == [1, -1, 2]


def test_lines_are_counted_across_slices_in_the_order_of_the_file(read):
    ids = range(1, 70_001)
    lines = [f"{image % 1000:04d}\\{image}.jpg\t{image}\t{BOX}" for image in ids]
    blank = (10, 65_536, 65_540)  # places in the list, before and behind the first slice
    for place in blank:
        lines[place] = ""
    rows = read("\n".join(lines))
    expected = [image for image in ids if image - 1 not in blank]
    assert rows["line"].to_list() == expected
    assert rows["id"].to_list() == expected
    assert rows["tag_id"].to_list() == expected
    assert rows["problem"].null_count() == rows.height


def test_a_malformed_row_behind_the_first_slice_is_named_by_its_line(read):
    rows = read("\n".join([FIRST] * 65_536 + ["nonsense"] + [FIRST] * 10))
    assert rows.drop_nulls("problem")["line"].to_list() == [65_537]


def test_letters_of_a_name_stand_as_they_are(tmp_path):
    path = tmp_path / "tagIds.tsv"
    names = ['"nene"_neville_solstice', "it's", 'a"b', "fate/zero", "back\\slash", "a,b", "ö_凛"]
    path.write_text("".join(f"{name}\t{tag}\n" for tag, name in enumerate(names)))
    assert scan_tsv(path, "name", "tag_id").collect()["name"].to_list() == names


def test_a_file_name_is_no_pattern(tmp_path):
    (tmp_path / "faces[1]*.tsv").write_text(FIRST)
    (tmp_path / "faces1.tsv").write_text(SECOND)
    assert read_faces(tmp_path / "faces[1]*.tsv")["id"].to_list() == [1]


@pytest.mark.parametrize(
    ("create", "cause"),
    [
        pytest.param(lambda _: None, "No such file", id="missing"),
        pytest.param(Path.touch, "is empty", id="empty"),
        pytest.param(Path.mkdir, "directory", id="folder"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_input_error_with_its_name(tmp_path, create, cause):
    create(tmp_path / "faces.tsv")
    with pytest.raises(InputError, match=f"faces\\.tsv: .*{cause}"):
        read_faces(tmp_path / "faces.tsv")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\n", id="line end"),
        pytest.param("\r\n\r\n", id="CRLFs"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param("\t\t\n", id="tabs"),
    ],
)
def test_a_file_without_a_row_is_an_input_error_with_its_name(read, content):
    with pytest.raises(InputError, match=r"faces\.tsv"):
        read(content)
