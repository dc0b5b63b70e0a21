"""Any table is read as it is: Parquet, CSV, TSV, JSON lines or lines of addresses."""

import gzip
import io
import lzma
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.tables.any_table import Raw, read_any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def read(tmp_path):
    def read(data: bytes | str) -> Raw:
        path = tmp_path / "table"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_any(path)

    return read


def values(raw: Raw) -> list[tuple[object, ...]]:
    return raw.rows.select(raw.columns).rows()


def problems(raw: Raw) -> dict[int, str]:
    return dict(raw.rows.drop_nulls("problem").select("line", "problem").iter_rows())


CSV = "url,name\nhttp://h/1,a\nhttp://h/2,b\n"
JSON = '{"url": "http://h/1", "name": "a"}\n{"name": "b", "url": "http://h/2"}\n'
ROWS = [("http://h/1", "a"), ("http://h/2", "b")]


def parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame(ROWS, ["url", "name"], orient="row").write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        CSV.encode(),
        b"\xef\xbb\xbf" + CSV.encode(),
        CSV.replace("\n", "\r\n").encode(),
        CSV.replace(",", "\t").encode(),
        JSON.encode(),
        JSON.replace("\n", "\n\n").encode(),
        parquet(),
    ],
    ids=["csv", "mark", "crlf", "tsv", "json", "blank lines", "parquet"],
)
@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, zstd.compress, lzma.compress], ids=["", "gz", "zst", "xz"]
)
def test_the_content_shows_what_a_table_is(read, data, compress) -> None:
    raw = read(compress(data))
    assert raw.columns == ["url", "name"]
    assert values(raw) == ROWS
    assert problems(raw) == {}


def test_lines_that_begin_with_an_address_are_one_column(read) -> None:
    raw = read('http://h/a,b"c\n\nhttp://h/2\n')
    assert values(raw) == [('http://h/a,b"c',), ("http://h/2",)]
    assert raw.rows["line"].to_list() == [1, 3]


def test_a_quoted_field_of_csv_may_have_commas_quotes_and_lines(read) -> None:
    raw = read('url,text\nhttp://h/1,"a, ""b""\nc"\nhttp://h/2,d\n')
    assert values(raw) == [("http://h/1", 'a, "b"\nc'), ("http://h/2", "d")]
    assert raw.rows["line"].to_list() == [2, 4]


def test_a_field_of_tsv_may_be_quoted_as_a_whole_and_else_keeps_its_quotes(read) -> None:
    raw = read('url\ttext\nh1\t"a ""b"""\nh2\t"a" b\nh3\t"open\n')
    assert [row[1] for row in values(raw)] == ['a "b"', '"a" b', '"open']


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"http://h/1", "missing_columns"),
        (b"http://h/1,a,b", "extra_columns"),
        (b"http://h/1,\xff", "not_utf8"),
        (b'http://h/1,"a"b', "bad_quotes"),
        (b"http://h/1," + b"x" * 200_000, "too_long"),
    ],
)
def test_a_bad_row_of_csv_costs_no_other(read, row, problem) -> None:
    raw = read(b"url,name\nhttp://h/0,z\n" + row + b"\nhttp://h/2,b\n")
    assert problems(raw) == {3: problem}
    assert values(raw)[2] == ("http://h/2", "b")


@pytest.mark.parametrize("row", [b"{", b"[1]", b'{"a": "\\ud800"}x', b"\xff"])
def test_a_bad_line_of_json_costs_no_other(read, row) -> None:
    raw = read(b'{"url": "1"}\n' + row + b'\n{"url": "3"}\n')
    assert problems(raw) == {2: "bad_json"}
    assert [one[0] for one in values(raw)] == ["1", None, "3"]


def test_values_of_json_keep_their_kind_and_what_is_nested_is_json(read) -> None:
    raw = read('{"u": "a", "n": 1, "f": 1, "b": true, "l": [1, {"x": null}]}\n{"f": 0.5}\n')
    assert dict(raw.rows.select(raw.columns).schema) == {
        "u": pl.String,
        "n": pl.Int64,
        "f": pl.Float64,
        "b": pl.Boolean,
        "l": pl.String,
    }
    assert raw.rows["l"][0] == '[1,{"x":null}]'


def test_columns_of_parquet_become_plain_and_bytes_are_left_out(read) -> None:
    file = io.BytesIO()
    pl.DataFrame(
        {
            "url": ["a"],
            "small": pl.Series([1], dtype=pl.UInt8),
            "day": [date(2020, 1, 2)],
            "list": [[1, 2]],
            "jpg": [b"x"],
        }
    ).write_parquet(file)
    raw = read(file.getvalue())
    assert values(raw) == [("a", 1, "2020-01-02", "[1,2]")]
    assert raw.left_out == ["jpg"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"url,name\n", "has no rows"),
        (b"[{}]", "is a JSON array"),
        (b"a,a\n1,2\n", "two columns named a"),
        (b"a cat,http://h/1\n", "line 1 has an address"),
        (b'url,name\nx,"a\nb,c\n', "line 2: a quoted field does not end"),
        (b"<html>", "is an HTML page"),
        ("url\nx\n".encode("utf-16"), "is UTF-16 text"),
        (b"PAR1xxxx", "is a damaged Parquet file"),
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "cannot be read"),
    ],
)
def test_what_is_no_table_is_named(read, data, message) -> None:
    with pytest.raises(InputError, match=message):
        read(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_any(tmp_path / "none")
