import bz2
import gzip
import lzma
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.tables.faces import names_in, read_faces
from tests.tables import models

_ROW = b"0446\\332446.jpg\t13\t0, 0, 1, 1 0.9\n"
_pieces = st.one_of(
    st.sampled_from([b"0446\\332446.jpg", b"1.png", b"5", b"0, 0, 1, 1 0.9", _ROW]),
    st.sampled_from([b"\t", b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\0"]),
    st.binary(max_size=5),
)
NO_TEXT = "; it must be lines of UTF-8 text"
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
        pytest.param(f"{FIRST} \n{SECOND}\t\n", [1, 2], id="trailing blank and tab"),
        pytest.param(f"{FIRST}\t \t\r\n{SECOND} \r\r\n", [1, 2], id="trailing blanks of all kinds"),
        pytest.param(f"{FIRST}\n \t \r\n{SECOND}\r", [1, 3], id="line of blanks"),
        pytest.param(
            f"\n{FIRST}\n{SECOND}\n",
            [2, 3],
            id="blank first line",
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
        pytest.param("0001\\1.jpg", "missing_columns", id="path alone"),
        pytest.param("0001\\1.jpg\t5", "missing_columns", id="no box"),
        pytest.param("0001\\1.jpg\t5\t\t", "missing_columns", id="empty box"),
        pytest.param(f"0001\\1.jpg 5 {BOX}", "missing_columns", id="blanks for tabs"),
        pytest.param(f"{FIRST}\tmore", "extra_columns", id="fourth column"),
        pytest.param(f"{FIRST}\t\t\tmore", "extra_columns", id="sixth column"),
        pytest.param(f"{FIRST}{SECOND}", "extra_columns", id="two rows in one line"),
        pytest.param(f"{FIRST}\r{SECOND}", "extra_columns", id="two rows and CR between them"),
        pytest.param(f"0001\\1.jpg\t\t{BOX}", "bad_tag_id", id="empty tag id"),
        pytest.param(f"0001\\1.jpg\tfive\t{BOX}", "bad_tag_id", id="tag id in words"),
        pytest.param(f"0001\\1.jpg\t5.0\t{BOX}", "bad_tag_id", id="tag id with a point"),
        pytest.param(f"0001\\1.jpg\t{2**63}\t{BOX}", "bad_tag_id", id="tag id beyond 64 bits"),
        pytest.param(f"0001\\1.jpg\t{10**18}\t{BOX}", "bad_tag_id", id="tag id of 19 digits"),
        pytest.param(f"0001\\1.jpg\t-5\t{BOX}", "bad_tag_id", id="negative tag id"),
        pytest.param(f"0001\\1.jpg\t+5\t{BOX}", "bad_tag_id", id="tag id with a sign"),
        pytest.param(f"0001\\1.jpg\t1_0\t{BOX}", "bad_tag_id", id="tag id with an underscore"),
        pytest.param(f"0001\\1.jpg\t\uff15\t{BOX}", "bad_tag_id", id="full-width tag id"),
        pytest.param(f"0001\\1.jpg\t 5\t{BOX}", "bad_tag_id", id="blank before the tag id"),
        pytest.param("0001\\1.jpg\t5\t0.1, 0.2", "bad_box_text", id="half a box"),
        pytest.param("0001\\1.jpg\t5\tnan, 0, 1, 1 0.9", "bad_box_text", id="nan"),
        pytest.param("0001\\1.jpg\t5\t0, 0, 1, 1 nan", "bad_box_text", id="confidence nan"),
        pytest.param("0001\\1.jpg\t5\t0_1, 0, 1, 1 0.9", "bad_box_text", id="underscore"),
        pytest.param("0001\\1.jpg\t5\t0, 0, 1, 1 \uff10", "bad_box_text", id="full-width digits"),
        pytest.param("0001\\1.jpg\t5\t0, 0, 1e31, 1 0.9", "bad_box_text", id="edge beyond range"),
        pytest.param(f"0001\\1.jpg\t5\t{BOX}\0", "bad_box_text", id="NUL behind the box"),
        pytest.param("0001\\1.jpg\t5\t0, 0, 1, 1 1.5", "bad_confidence", id="confidence above 1"),
        pytest.param("0001\\1.jpg\t5\t0, 0, 1, 1 -0.5", "bad_confidence", id="below 0"),
        pytest.param("0001\\1.jpg\t5\t0, 0, 1, 1 1e400", "bad_confidence", id="far above 1"),
        pytest.param(f"0001\\1.jpg\t5\t{BOX}, {BOX}", "several_heads", id="two heads"),
        pytest.param(f"0001\\1.jpg\t5\t{BOX};{BOX};{BOX}", "several_heads", id="three heads"),
        pytest.param(f"0001\\1.jpg\t5\t{BOX} {BOX}", "several_heads", id="heads and blanks"),
        pytest.param(f"0001\\1.jpg\t5\t{BOX} 0.1 0.2", "bad_box_text", id="a head and a half"),
        pytest.param(f"0002\\1.jpg\t5\t{BOX}", "wrong_folder", id="folder of another id"),
        pytest.param(f"1001\\1.jpg\t5\t{BOX}", "wrong_folder", id="folder beyond 999"),
        pytest.param(f"{'9' * 5000}\\1.jpg\t5\t{BOX}", "wrong_folder", id="folder without end"),
        pytest.param(f"{'9' * 5000}.jpg\t5\t{BOX}", "bad_path", id="id without end"),
        pytest.param(f"{2**63}.jpg\t5\t{BOX}", "bad_path", id="id beyond 64 bits"),
        pytest.param(f"0001\\-1.jpg\t5\t{BOX}", "bad_path", id="negative id"),
        pytest.param(f"0001\\1\t5\t{BOX}", "bad_path", id="no extension"),
        pytest.param(f"0001\\.jpg\t5\t{BOX}", "bad_path", id="no id"),
        pytest.param(f"0001\\1.jpg \t5\t{BOX}", "bad_path", id="blank behind the path"),
        pytest.param(f"\ufeff{FIRST}", "bad_path", id="byte order mark within the file"),
        pytest.param(f"\t5\t{BOX}", "bad_path", id="empty path"),
        pytest.param("nonsense", "missing_columns", id="nonsense"),
        pytest.param("\0" * 50, "missing_columns", id="NULs alone"),
        pytest.param(f"{FIRST}{' ' * 65_536}", "too_long", id="blanks without end"),
        pytest.param("0001\\1.jpg\t5\t" + "1 " * 40_000, "too_long", id="numbers without end"),
        pytest.param("x" * 5_000_000, "too_long", id="longer than a slice"),
        pytest.param(f"path\ttag_id\tbox\n{SECOND}", "bad_path", id="header"),
    ],
)
def test_a_malformed_row_is_kept_with_its_problem(read, row, problem):
    assert read(f"{SECOND}\n{row}\n")["problem"].to_list()[:2] == [None, problem]


def test_a_malformed_row_may_be_the_first(read):
    assert read(f"0001\\1.jpg\t5\n{SECOND}\n")["problem"].to_list() == ["missing_columns", None]


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
        pytest.param(b"\\\\host\\332446.jpg", id="UNC"),
        pytest.param(b"0446\\332446\0.jpg", id="NUL"),
        pytest.param(b"0446\\332446.jpg\0", id="NUL at the end"),
        pytest.param(b"C:332446.jpg", id="drive letter without slash"),
        pytest.param(b"~/332446.jpg", id="home folder"),
        pytest.param(b"0446\\332446.jpg/../../x.jpg", id="parent folder behind"),
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


def test_a_row_that_is_not_utf8_is_a_problem_of_its_own(read):
    rows = read(f"0001\\1.jpg\t5\t{BOX}\xff\n{SECOND}\n".encode("latin-1"))
    assert rows["problem"].to_list() == ["not_utf8", None]


@pytest.mark.parametrize("letter", ["\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\x1c", "\r", "\0"])
def test_no_other_letter_ends_a_line(read, letter):
    rows = read(f"{FIRST}{letter}{SECOND}\n{FIRST}\n")
    assert rows["line"].to_list() == [1, 2]
    assert rows["problem"].to_list() == ["extra_columns", None]


@settings(max_examples=200)
@given(st.lists(_pieces, max_size=20).map(b"".join))
def test_every_line_of_any_bytes_is_blank_or_a_row_with_or_without_a_problem(content):
    lines, found = models.lines_and_rows(content, read_faces)
    if found is None:
        return
    for line, problem, image, tag in found.select("line", "problem", "id", "tag_id").rows():
        expected = models.face(lines[line - 1])
        assert (problem is None) == (expected is not None)
        assert (image, tag) == (expected[:2] if expected else (-1, -1))


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


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(f"{FIRST}\n".encode("utf-16"), "UTF-16 text", id="UTF-16"),
        pytest.param(f"{FIRST}\n".encode("utf-16-le"), "UTF-16 text", id="UTF-16 without mark"),
        pytest.param(f"{FIRST}\n".encode("utf-16-be"), "UTF-16 text", id="big-endian"),
        pytest.param(f"{FIRST}\n".encode("utf-32"), "UTF-32 text", id="UTF-32"),
        pytest.param(gzip.compress(FIRST.encode()), "gzip data", id="gzip"),
        pytest.param(bz2.compress(FIRST.encode()), "bzip2 data", id="bzip2"),
        pytest.param(lzma.compress(FIRST.encode()), "xz data", id="xz"),
        pytest.param(b"PK\3\4\x14\0", "a zip archive or a spreadsheet", id="zip"),
        pytest.param(b"PAR1\x15\4", "a Parquet file", id="Parquet"),
        pytest.param(b"\n <!DOCTYPE HTML><title>404</title>", "an HTML page", id="HTML"),
        pytest.param(b"<html lang=en>", "an HTML page", id="HTML without doctype"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a pointer of Git LFS, not the file itself",
            id="Git LFS",
        ),
        pytest.param(
            f"{FIRST}\r{SECOND}\r".encode(), "text whose lines end in CR alone", id="CR alone"
        ),
    ],
)
def test_a_file_that_is_something_else_is_an_input_error_that_says_what(read, content, kind):
    with pytest.raises(InputError, match=rf"faces\.tsv: is {kind}{NO_TEXT}"):
        read(content)


def test_the_names_of_originals_are_those_of_the_first_rows(tmp_path) -> None:
    rows = (
        "0001\\1.PNG\t5",
        "2.gif \t6",
        "0001\\1.jpg\t7",
        "",
        "no.jpg\t8",
        "0003/3.webp\t9\r",
        "4.png",
    )
    (tmp_path / "faces.tsv").write_text("\n".join(rows))
    names = names_in(tmp_path / "faces.tsv").sort("key").collect()
    assert dict(names.iter_rows()) == {"1": "1.PNG", "2": "2.gif", "3": "3.webp"}
