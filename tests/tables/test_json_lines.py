import bz2
import gzip
import json
import lzma
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.json_lines import Shape, read_json
from dafre_fast.tables.json_texts import LONGEST_LINE
from dafre_fast.tables.record_fields import as_flag, as_names, as_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class Record(msgspec.Struct):
    id: Any = None
    flag: Any = None
    names: Any = None


def row(record: Record) -> tuple[object, ...]:
    id, flag = as_text(record.id, RowProblem.BAD_ID), as_flag(record.flag)
    return id, flag, as_names(record.names, commas=True)


SHAPE = Shape({"id": pl.String(), "flag": pl.Boolean(), "names": pl.List(pl.String())}, Record, row)


def read(path: Path) -> list[dict[str, object]]:
    """Rows of a file of JSON, without null fields and the name of the file."""
    rows = pl.concat(read_json([path], SHAPE), how="vertical").drop("file").to_dicts()
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "table"


def test_fields_stand_in_columns_and_lines_are_counted_from_one(path) -> None:
    path.write_text(
        '{"id": "a", "x": [1]}\n\n  \n{"id": 5, "flag": true, "names": ["b", "c d"]}\r\n'
    )
    assert read(path) == [
        {"line": 1, "id": "a"},
        {"line": 4, "id": "5", "flag": True, "names": ["b", "c d"]},
    ]


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zstd.compress, bytes]
)
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
        (b'{"names": ["\\ud800"]}', "bad_json"),
        (b'{"id": NaN, "x": nan}', "bad_json"),
        (b'{"id": [1]}', "bad_id"),
        (b'{"flag": 2}', "bad_flag"),
        (b'{"names": {}}', "bad_tags"),
        (b'{"names": ["a", 1]}', "bad_tags"),
        (b'{"x": ' + b"[" * 1100 + b"]" * 1100 + b"}", "too_deep"),
        (b'{"x": ' + b'{"x":' * 10**6 + b"1" + b"}" * 10**6 + b"}", "too_deep"),
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
    lines = [json.dumps({"id": number, "names": ["x" * number]}) for number in range(40)]
    lines[7] = "{"
    path.write_text("\n".join(lines))
    found = read(path)
    assert [row["line"] for row in found] == [*range(1, 41)]
    assert [row["line"] for row in found if "problem" in row] == [8]
    assert found[39] == {"line": 40, "id": "39", "names": ["x" * 39]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b'{"id": 1}\n' * 1000, mtime=0)[:-20], "cannot be read"),
        (lzma.compress(b'{"id": 1}\n' * 1000)[:-20], "cannot be read"),
        (zstd.compress(b'{"id": 1}\n' * 1000)[:-5], "cannot be read"),
        (b"<html>", "is an HTML page"),
        (b"PK\3\4", "is a zip archive"),
    ],
)
def test_a_file_that_is_no_json_lines_is_refused_by_name(path, content, reason) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {reason}"):
        read(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_python_writes_and_json_has_not_are_null(path, number) -> None:
    text = f'{{"id": {number}, "x": ["{number}", -5, {number}], "names": ["{number}\\\\"]}}'
    path.write_text(text)
    assert read(path) == [{"line": 1, "names": [f"{number}\\"]}]


def test_of_a_field_that_a_record_has_twice_the_last_counts(path) -> None:
    path.write_text('{"id": 1, "id": 2}\n{"id": 3}')
    assert [row["id"] for row in read(path)] == ["2", "3"]


def test_a_byte_order_mark_in_the_middle_does_not_matter(path) -> None:
    path.write_bytes(b'{"id": 1}\n\xef\xbb\xbf{"id": 2}\n')
    assert [row["id"] for row in read(path)] == ["1", "2"]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(max_size=3)),
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
    st.text(alphabet='{}[]": a1\\', max_size=12).map(str.encode),
    st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")),
)


def one_by_one(number: int, line: bytes) -> dict[str, object] | None:
    if not line.strip(b" \t\r\n\v\f"):
        return None
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError:
        return {"line": number, "problem": "not_utf8"}
    except ValueError:
        return {"line": number, "problem": "bad_json"}
    if not isinstance(record, dict):
        return {"line": number, "problem": "bad_json"}
    id, flag, names = (record.get(name) for name in ("id", "flag", "names"))
    if isinstance(id, list | dict):
        return {"line": number, "problem": "bad_id"}
    if not (flag is None or str(flag).lower() in {*"10tf", "true", "false", ""}):
        return {"line": number, "problem": "bad_flag"}
    listed = names if isinstance(names, list) else []
    if isinstance(names, dict) or not all(isinstance(name, str) for name in listed):
        return {"line": number, "problem": "bad_tags"}
    if names is not None and not isinstance(names, list):
        names = [name for name in re.split(r"[ \t\r\n]+", as_word(names)) if name]
    elif names is not None:
        names = [name for name in names if name]
    flag = None if flag in {None, ""} else str(flag).lower() in {"1", "t", "true"}
    found = {"line": number, "id": as_word(id), "flag": flag, "names": names}
    return {key: value for key, value in found.items() if value is not None}


def as_word(value: object) -> Any:
    return json.dumps(value) if isinstance(value, bool | int) else value


@given(st.lists(LINES, min_size=1, max_size=5))
def test_lines_are_read_as_one_by_one(tmp_path_factory, lines) -> None:
    path = tmp_path_factory.mktemp("lines") / "table"
    first = b'{"id": "first"}\n'  # a file that begins otherwise is another format
    path.write_bytes(first + b"\n".join(lines))
    expected = [one_by_one(number, line) for number, line in enumerate(lines, 2)]
    assert read(path)[1:] == [row for row in expected if row]
