import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.tables.tag_ids import read_tags
from tests.tables import models

_pieces = st.one_of(
    st.sampled_from(["a", "\t", "5", "5\n", "a\t6\n", "\n", "\r\n", "\r", "\0", "é", "\u2028"]).map(
        str.encode
    ),
    st.binary(max_size=5),
)


@pytest.fixture
def read(tmp_path):
    def read(content: str | bytes) -> pl.DataFrame:
        path = tmp_path / "tagIds.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_tags(path)

    return read


def good(rows: pl.DataFrame) -> dict[int, str]:
    return dict(rows.filter(pl.col("problem").is_null()).select("tag_id", "class_name").iter_rows())


def test_a_row_is_a_name_and_a_tag_id(read):
    assert read("saber\t13\nrin\t014\n").rows(named=True) == [
        {"line": 1, "tag_id": 13, "class_name": "saber", "problem": None},
        {"line": 2, "tag_id": 14, "class_name": "rin", "problem": None},
    ]


def test_letters_of_a_name_stand_as_they_are(read):
    names = ['"nene"_neville_solstice', "it's", 'a"b', "fate/zero", "back\\slash", "a,b", "ö_凛"]
    names += ["two words", " padded ", "line\u2028separator", "next\x85line", "#hash", "=1+1"]
    assert [
        *good(read("".join(f"{name}\t{tag}\n" for tag, name in enumerate(names)))).values()
    ] == names


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param("\ufeffa\t1\nb\t2\n", [1, 2], id="byte order mark"),
        pytest.param("a\t1\r\nb\t2\r\n", [1, 2], id="CRLF"),
        pytest.param("a\t1\n\n \t\nb\t2", [1, 4], id="blank lines, no line end at the end"),
        pytest.param("a\t1 \nb\t2\t\n", [1, 2], id="trailing blank and tab"),
    ],
)
def test_good_rows_are_found_with_their_line_in_the_file(read, content, lines):
    rows = read(content)
    assert rows["line"].to_list() == lines
    assert good(rows) == {1: "a", 2: "b"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param(b"name", "missing_columns", id="name alone"),
        pytest.param(b"name\t", "missing_columns", id="empty tag id"),
        pytest.param(b"name\t5\tmore", "extra_columns", id="third column"),
        pytest.param(b"\t5", "empty_name", id="no name"),
        pytest.param(b"  \t5", "empty_name", id="name of blanks"),
        pytest.param(b"name\tfive", "bad_tag_id", id="tag id in words"),
        pytest.param(b"name\t-5", "bad_tag_id", id="negative tag id"),
        pytest.param(b"name\t5.0", "bad_tag_id", id="tag id with a point"),
        pytest.param(b"name\t1000000000000000000", "bad_tag_id", id="tag id of 19 digits"),
        pytest.param(b"n\0ame\t5", "bad_name", id="NUL"),
        pytest.param(b"n\rame\t5", "bad_name", id="CR"),
        pytest.param(b"n\x0bame\t5", "bad_name", id="vertical tab"),
        pytest.param(b"n\xffame\t5", "not_utf8", id="not UTF-8"),
        pytest.param(b"n" * 65_536 + b"\t5", "too_long", id="name without end"),
        pytest.param(b"last\t9", "duplicate_row", id="the same row again"),
        pytest.param(b"name\t9", "duplicate_tag_id", id="another name of a tag id"),
        pytest.param(b"name\t09", "duplicate_tag_id", id="and with a zero before it"),
    ],
)
def test_a_malformed_row_is_kept_with_its_problem(read, row, problem):
    rows = read(b"last\t9\n" + row + b"\nnext\t10\n")
    assert rows["problem"].to_list() == [None, problem, None]
    assert good(rows) == {9: "last", 10: "next"}


def test_a_malformed_row_takes_no_tag_id_from_a_good_one(read):
    assert good(read(b"\t5\nn\xffame\t5\nname\t5\n")) == {5: "name"}


def test_the_first_of_many_rows_of_a_tag_id_counts(read):
    rows = read("a\t1\nb\t2\nc\t1\na\t1\nc\t1\n")
    assert good(rows) == {1: "a", 2: "b"}
    marks = [None, None, "duplicate_tag_id", "duplicate_row", "duplicate_row"]
    assert rows["problem"].to_list() == marks


def test_a_file_without_a_row_is_an_input_error_with_its_name(read):
    with pytest.raises(InputError, match=r"tagIds\.tsv: has no rows"):
        read("\n\n")


@settings(max_examples=200)
@given(st.lists(_pieces, max_size=20).map(b"".join))
def test_every_line_of_any_bytes_is_blank_or_a_row_with_or_without_a_problem(content):
    lines, found = models.lines_and_rows(content, read_tags)
    if found is None:
        return
    assert good(found) == models.names_by_tag(lines)
