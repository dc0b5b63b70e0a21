import gzip
import json
import lzma
import sys
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.tables.json_lines import LONGEST_LINE, Shape, Text, read_json_lines

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Name(msgspec.Struct):
    name: Text = None


class Record(msgspec.Struct):
    id: Text = None
    flag: bool | None = None
    names: list[Name | None] | None = None


NAMES = pl.List(pl.Struct({"name": pl.String()}))
SHAPE = Shape({"id": pl.String(), "flag": pl.Boolean(), "names": NAMES}, Record)


def read(path: Path) -> list[dict[str, object]]:
    """Rows of a file of JSON lines, without null fields."""
    rows = pl.concat(read_json_lines(path, SHAPE), how="vertical").to_dicts()
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "table"


def test_fields_stand_in_columns_and_lines_are_counted_from_one(path) -> None:
    path.write_text(
        '{"id": "a", "x": [1]}\n\n  \n{"id": 5, "flag": true, "names": [{"name": "b"}, {}]}\r\n'
    )
    assert read(path) == [
        {"line": 1, "id": "a"},
        {"line": 4, "id": "5", "flag": True, "names": [{"name": "b"}, {"name": None}]},
    ]


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstd.compress, bytes])
def test_the_content_tells_how_it_is_compressed(path, compress) -> None:
    path.write_bytes(compress(b'{"id": 1}\n{"id": 2}'))
    assert read(path) == [{"line": 1, "id": "1"}, {"line": 2, "id": "2"}]


def test_a_byte_order_mark_does_not_matter(path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"id": 1}\n')
    assert read(path) == [{"line": 1, "id": "1"}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": 1', "bad_json"),
        (b'{"id": 1} 5', "bad_json"),
        (b"5", "bad_json"),
        (b"null", "bad_json"),
        (b'{"id": 1}, {"id": 2}', "bad_json"),
        (b'{"names": [{"name": "\\ud800"}]}', "bad_json"),
        (b'{"id": [1]}', "bad_field"),
        (b'{"flag": 1}', "bad_field"),
        (b'{"names": {}}', "bad_field"),
        (b'{"id": "\xff"}', "not_utf8"),
        (zstd.compress(b'{"id": 3}'), "not_utf8"),
        (b'{"id": "' + b"x" * LONGEST_LINE + b'"}', "too_long"),
    ],
)
def test_a_bad_line_is_named_by_its_problem_and_costs_no_other(path, line, problem) -> None:
    path.write_bytes(b'{"id": 1}\n' + line + b'\n{"id": 2}\n')
    assert read(path) == [
        {"line": 1, "id": "1"},
        {"line": 2, "problem": problem},
        {"line": 3, "id": "2"},
    ]


def test_lines_that_are_objects_only_together_are_none(path) -> None:
    path.write_text('{"names": [{"name": "a"}\n{"name": "b"}]}\n{"x": {}\n')
    assert [row["problem"] for row in read(path)] == ["bad_json"] * 3


def test_a_block_that_begins_like_compressed_data_is_lines(path, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.tables.blocks.BLOCK_BYTES", 10)
    path.write_bytes(b'{"id": 1}\n' + zstd.compress(b'{"id": 3}') + b"\n")
    assert [row.get("problem") for row in read(path)] == [None, "not_utf8"]


def test_one_character_of_two_escapes_is_one(path) -> None:
    path.write_text('{"id": "\\ud83d\\ude00"}\n')
    assert read(path) == [{"line": 1, "id": "😀"}]


def test_blocks_do_not_matter(path, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.tables.blocks.BLOCK_BYTES", 16)
    lines = [json.dumps({"id": number, "names": [{"name": "x" * number}]}) for number in range(40)]
    lines[7] = "{"
    path.write_text("\n".join(lines))
    found = read(path)
    assert [row["line"] for row in found] == [*range(1, 41)]
    assert [row["line"] for row in found if "problem" in row] == [8]
    assert found[39] == {"line": 40, "id": "39", "names": [{"name": "x" * 39}]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b'{"id": 1}\n' * 1000, mtime=0)[:-20], "cannot be read"),
        (lzma.compress(b'{"id": 1}\n' * 1000)[:-20], "cannot be read"),
        (zstd.compress(b'{"id": 1}\n' * 1000)[:-5], "cannot be read"),
        (b'[{"id": 1}]', "is an array"),
        (b"<html>", "is an HTML page"),
        (b"PK\3\4", "is a zip archive"),
    ],
)
def test_a_file_that_is_no_json_lines_is_refused_by_name(path, content, reason) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {reason}"):
        read(path)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.one_of(st.just("name"), st.text(max_size=2)), inner, max_size=2),
    ),
    max_leaves=4,
)
LINES = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "flag", "names"), VALUES)).map(
        lambda record: json.dumps(record).encode()
    ),
    st.text(alphabet='{}[]",: a1\\', max_size=12).map(str.encode),
    st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")),
)


def as_text(value: object) -> object:
    return json.dumps(value) if isinstance(value, bool | int) else value


def one_by_one(number: int, line: bytes) -> dict[str, object] | None:
    if not line.strip(b" \t\r\n\v\f"):
        return None
    try:
        record = msgspec.json.decode(line.decode(), type=Record)
    except UnicodeDecodeError:
        return {"line": number, "problem": "not_utf8"}
    except msgspec.DecodeError as error:
        of_type = isinstance(error, msgspec.ValidationError) and line.lstrip().startswith(b"{")
        return {"line": number, "problem": "bad_field" if of_type else "bad_json"}
    names = record.names and [one and {"name": as_text(one.name)} for one in record.names]
    found = {"line": number, "id": as_text(record.id), "flag": record.flag, "names": names}
    return {key: value for key, value in found.items() if value is not None}


@given(st.lists(LINES, min_size=1, max_size=5))
def test_lines_are_read_as_one_by_one(tmp_path_factory, lines) -> None:
    path = tmp_path_factory.mktemp("lines") / "table"
    first = b'{"id": "first"}\n'  # a file that begins otherwise is another format
    path.write_bytes(first + b"\n".join(lines))
    expected = [one_by_one(number, line) for number, line in enumerate(lines, 2)]
    assert read(path)[1:] == [row for row in expected if row]
