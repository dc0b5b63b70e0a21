import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.tables import json_lines, post_shape, posts
from dafre_fast.tables.kernels.post_lines import (
    BLANK,
    COLUMNS,
    GOOD,
    UNREAD,
    PostLines,
    parse_posts,
)

CAREFUL = post_shape.SHAPE._replace(plain=None)
LONGEST = 10_000
NAMES = COLUMNS[-3:]
EMPTY = '{"tag_string_general": ""}'
SOLO = '{"name": "solo", "category": "0"}'


def parse(*lines: bytes | str) -> PostLines:
    whole = b"".join((one.encode() if isinstance(one, str) else one) + b"\n" for one in lines)
    return parse_posts(np.frombuffer(whole, np.uint8), LONGEST)


def columns(line: str) -> dict[str, str]:
    """Values of a line that the kernel reads, by column, without nulls."""
    read = parse(line)
    assert read.states.tolist() == [GOOD]
    values = read.text.tobytes().decode().removesuffix("\n").split("\x1f")
    named = zip(COLUMNS, values, strict=True)
    return {name: value for name, value in named if value != "\x1e"}


def state(line: bytes | str) -> int:
    before, found, after = parse(EMPTY, line, EMPTY).states.tolist()
    assert before == after == GOOD
    return found


def test_numbers_and_texts_are_written_as_they_stand_flags_as_literals() -> None:
    line = '{"id": 5, "x": [{"id": 6}], "rating":"","is_banned":true ,"image_width":"07" }'
    expected = {"is_banned": "true", "id": "5", "image_width": "07", "rating": ""}
    found = columns(line.replace("{", '{"tag_string_general": "", ', 1))
    assert found == expected | {"tag_string_general": ""}


def test_names_of_the_old_shape_become_texts_of_the_new_one() -> None:
    tags = [("a", "0"), ("someone", "1"), ("b", 3), ("c", "4"), ("meta", "5"), ("d", 0)]
    listed = [{"id": "1", "name": name, "category": category} for name, category in tags]
    expected = {"tag_string_general": "a d", "tag_string_copyright": "b"}
    for separators in ((",", ":"), (" , ", " : ")):
        line = json.dumps({"tags": listed}, separators=separators)
        assert columns(line) == expected | {"tag_string_character": "c"}


def test_names_of_other_categories_are_three_empty_texts_and_null_is_nothing() -> None:
    assert columns('{"tags": [{"name": "a", "category": "1"}]}') == dict.fromkeys(NAMES, "")
    assert columns('{"tags": null, "tag_string_general": "a"}') == {"tag_string_general": "a"}
    null = '{"id": null, "is_banned": null, "tag_string_general": null, "tag_string_copyright": ""}'
    assert columns(null) == {"tag_string_copyright": ""}


@pytest.mark.parametrize("tags", ['["a", "b"]', ' [ "a"]', '"a b"', "null", "[ ]"])
def test_names_without_categories_beside_the_texts_are_passed_over(tags) -> None:
    line = f'{{"tags": {tags}, "tag_string_general": "a", "media_asset": null}}'
    assert columns(line) == {"tag_string_general": "a"}


def test_fields_of_the_file_are_passed_over_where_the_post_has_them() -> None:
    own = {"file_ext": "png", "image_width": 5, "image_height": "6"}
    line = json.dumps({"media_asset": {"file_ext": "jpg"}, "tag_string_general": "", **own})
    texts = {"file_ext": "png", "image_width": "5", "image_height": "6"}
    assert columns(line) == texts | {"tag_string_general": ""}


def test_escapes_stand_for_their_letters() -> None:
    tags = r'[{"name": "\"\\\/<\u003eé\u00e9\u3042\ufeff", "category": "4"}]'
    assert columns(f'{{"tags": {tags}}}')["tag_string_character"] == '"\\/<>éé\u3042\ufeff'


@pytest.mark.parametrize("length", [*range(40)])
def test_strings_of_every_length_are_read_wherever_they_stand(length) -> None:
    for text in ("x" * length, "é" * length, '"' * length):
        record = {"y": text, "rating": text, "tag_string_general": text}
        for line in (json.dumps(record), json.dumps(record, ensure_ascii=False)):
            assert columns(line) == {"rating": text, "tag_string_general": text}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(r'{"tag_string_general": "a\nb"}', id="an escape of a control"),
        pytest.param(r'{"tag_string_general": "\u0020"}', id="an escape of a blank"),
        pytest.param(
            r'{"tag_string_general": "", "x": "\ud83d\ude00"}', id="a letter of two escapes"
        ),
        pytest.param(r'{"tag_string_general": "", "i\u0064": 5}', id="an escape in a key"),
        pytest.param('{"tag_string_general": "", "id": 5, "id": 5}', id="a field twice"),
        pytest.param('{"tag_string_general": "", "id": 5.0}', id="no whole number"),
        pytest.param('{"tag_string_general": "", "id": 1e3}', id="an exponent"),
        pytest.param('{"tag_string_general": "", "id": -0}', id="minus zero"),
        pytest.param('{"tag_string_general": "", "id": 1234567890123456789}', id="too many digits"),
        pytest.param('{"tag_string_general": "", "id": true}', id="a flag where a text should be"),
        pytest.param(
            '{"tag_string_general": "", "is_banned": "true"}', id="a text where a flag should be"
        ),
        pytest.param('{"tag_string_general": 5}', id="a number for names"),
        pytest.param(f'{{"tag_string_general": "a", "tags": [{SOLO}]}}', id="both shapes"),
        pytest.param('{"tags": {}}', id="no list of tags"),
        pytest.param('{"id": 5}', id="no tags"),
        pytest.param('{"tags": ["a"]}', id="names without categories"),
        pytest.param('{"tags": "a"}', id="a text without categories"),
        pytest.param('{"tags": [], "tags_general": []}', id="another tool's lists"),
        pytest.param(
            '{"tag_string_general": "", "media_asset": {"file_ext": "png"}}',
            id="a file's own fields",
        ),
        pytest.param('{"tags": [null]}', id="no tag"),
        pytest.param('{"tags": [{}]}', id="an empty tag"),
        pytest.param('{"tags": [{"name": "a"}]}', id="a tag without a category"),
        pytest.param('{"tags": [{"category": "0"}]}', id="a tag without a name"),
        pytest.param('{"tags": [{"name": "", "category": "0"}]}', id="an empty name"),
        pytest.param('{"tags": [{"name": "a b", "category": "0"}]}', id="a name with a space"),
        pytest.param('{"tags": [{"name": 5, "category": "0"}]}', id="a name that is a number"),
        pytest.param('{"tags": [{"name": "a", "category": "2"}]}', id="an unknown category"),
        pytest.param('{"tags": [{"name": "a", "category": "00"}]}', id="a category of two digits"),
        pytest.param('{"tags": [{"name": "a", "category": 10}]}', id="a number of two digits"),
        pytest.param('{"tags": [{"name":"a","name":"b","category":"0"}]}', id="two names"),
        pytest.param(f'{{"tags": [{", ".join([SOLO] * 2049)}]}}', id="too many tags"),
        pytest.param(f'{{"tag_string_general": "", "x": {"[" * 70}{"]" * 70}}}', id="too deep"),
        pytest.param(f'{{"tag_string_general": "", "x": "{"x" * LONGEST}"}}', id="too long"),
        pytest.param(b'{"tag_string_general": "", "x": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"tag_string_general": "", "x": "\xed\xa0\x80"}', id="half a character"),
        pytest.param('{"tag_string_general": "", "x": "\t"}', id="a bare control"),
        pytest.param('{"tag_string_general": "", "x": 01}', id="a leading zero"),
        pytest.param('{"tag_string_general": "", "x": .5}', id="no digit before the point"),
        pytest.param('{"tag_string_general": "", "x": 5.}', id="no digit behind the point"),
        pytest.param('{"tag_string_general": "", "x": [1,]}', id="a comma too many"),
        pytest.param(
            '{"tag_string_general": "", "x": {"a": 1,}}', id="a comma too many in an object"
        ),
        pytest.param('{"tag_string_general": "", "x": [1}', id="a bracket for another"),
        pytest.param('{"tag_string_general": "", "x": nul}', id="half a literal"),
        pytest.param('{"tag_string_general": "", "x" 5}', id="no colon"),
        pytest.param('{"tag_string_general": "", "x": 5,}', id="a comma too many at the end"),
        pytest.param('{"tags": []} {}', id="two objects"),
        pytest.param("[]", id="no object"),
        pytest.param("\v", id="a blank that is none to JSON"),
    ],
)
def test_a_line_that_is_not_plain_is_left_to_the_careful_reader_and_its_neighbours_are_not(
    line,
) -> None:
    assert state(line) == UNREAD


def test_every_beginning_of_a_line_is_left_to_others() -> None:
    line = f'{{"a":[-1.5,{{"b":null}},"\\u00e9\\n"],"is_banned":false,"tags":[{SOLO}]}}'
    assert state(line) == GOOD
    assert {state(line[:end]) for end in range(1, len(line))} == {UNREAD}


def test_blank_lines_are_told_apart_and_lines_may_end_in_carriage_returns() -> None:
    lines = ("", " \t\r", f"{EMPTY}\r", ' { "tag_string_general" : "" } ')
    assert parse(*lines).states.tolist() == [BLANK, BLANK, GOOD, GOOD]


def test_starts_are_those_of_the_lines_and_what_has_no_end_is_no_line() -> None:
    text = f"{EMPTY}\n\n{{\n{EMPTY}".encode()
    read = parse_posts(np.frombuffer(text, np.uint8), LONGEST)
    assert read.states.tolist() == [GOOD, BLANK, UNREAD]
    assert read.starts.tolist() == [0, 27, 28, 30]
    assert parse_posts(np.frombuffer(b"", np.uint8), LONGEST).starts.tolist() == [0]


@pytest.mark.slow
def test_the_kernel_stays_within_its_arrays(tmp_path) -> None:
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    others = ["-k", "not test_the_kernel_stays_within_its_arrays", __file__]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *others]
    run = subprocess.run(command, env=checked, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


# Comparison with the careful reader

ODD = st.sampled_from(
    ["", " ", "a", "a  b", '"', "\\", "\n", "\x1e", "\x1f", "\0", "é", "あ", "😀"]
)
ODDER = st.sampled_from(
    ["\ufeff5", "\u00a0", "\u2028", "5", "007", "-5", "x" * 30, "tags", "1girl"]
)
TEXT = st.one_of(ODD, ODDER, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
NUMBER = st.one_of(
    st.integers(-5, 12),
    st.integers(-(10**19), 10**19),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALAR = st.one_of(st.none(), st.booleans(), NUMBER, TEXT)
JUNK = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
NAME = st.one_of(
    st.sampled_from(["solo", "long_hair", ">:)", "\\m/", '"x"', "\ufeff5", "x" * 30]),
    st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=20),
)


def mostly(good: st.SearchStrategy, odd: st.SearchStrategy) -> st.SearchStrategy:
    return st.integers(0, 19).flatmap(lambda number: odd if number == 7 else good)


TAG = mostly(
    st.fixed_dictionaries(
        {"name": NAME, "category": st.sampled_from(["0", "1", "3", "4", "5", 0, 3])},
        optional={"id": st.one_of(st.just("1"), NUMBER), "x": JUNK},
    ),
    st.dictionaries(st.sampled_from(["name", "category", "x"]), SCALAR),
)
FIELDS = {
    **dict.fromkeys(COLUMNS[:4], mostly(st.one_of(st.booleans(), st.none()), SCALAR)),
    **dict.fromkeys(COLUMNS[4:9], mostly(st.one_of(NAME, st.integers(-5, 10**9)), SCALAR)),
    "x": JUNK,
    "is_odd": JUNK,
    "media_asset": mostly(st.fixed_dictionaries({}, optional={"file_ext": NAME}), JUNK),
    **dict.fromkeys(("tags_general", "general"), mostly(st.lists(NAME, max_size=2), JUNK)),
}
OLD = {"tags": mostly(st.lists(TAG, max_size=5), SCALAR)}
FLAT = {"tags": mostly(st.lists(NAME, max_size=3), TEXT)}
NEW = dict.fromkeys(NAMES, mostly(st.lists(NAME, max_size=3).map(" ".join), SCALAR))
RECORDS = mostly(
    st.one_of(
        *(st.fixed_dictionaries({}, optional=FIELDS | shape) for shape in (OLD, NEW, NEW | FLAT))
    ),
    st.fixed_dictionaries(OLD | NEW),
)


@st.composite
def lines(draw) -> bytes:
    """Records as they are written here and there, fields in any order, now and then damaged."""
    fields = [*draw(RECORDS).items()]
    twice = draw(mostly(st.just(0), st.just(1)))
    fields = draw(st.permutations(fields + fields[:twice]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" \t, ", "\r :  ")]))
    ascii_only = draw(st.booleans())
    dumped = (
        json.dumps({key: value}, separators=separators, ensure_ascii=ascii_only)[1:-1]
        for key, value in fields
    )
    line = f"{{{separators[0].join(dumped)}}}".encode()
    if draw(st.integers(0, 2)) > 0:
        return line
    at = draw(st.integers(0, len(line)))
    piece = draw(st.sampled_from([b"", b" ", b"\\", b'"', b"\xff", b"{", b"]", b",", b"0", b"\\u"]))
    return line[:at] + piece + line[at + draw(st.integers(0, 3)) :]


def organised(block: bytes, shape: json_lines.Shape) -> pl.DataFrame:
    rows, _ = json_lines.decoded(block, shape)
    return posts.organise(rows.lazy().with_columns(file=pl.lit("a"))).collect()


@given(lines())
def test_every_line_that_is_read_is_read_as_the_careful_reader_does(line) -> None:
    if state(line) == GOOD:
        assert organised(line, post_shape.SHAPE).equals(organised(line, CAREFUL))


@given(
    st.lists(st.one_of(lines(), st.binary(max_size=20)), max_size=5), st.sampled_from([b"", b"\n"])
)
def test_lines_that_are_left_to_others_come_in_their_places(some, end) -> None:
    block = b"\n".join(some) + end
    alone = [organised(line, post_shape.SHAPE) for line in block.split(b"\n")]
    placed = (one.with_columns(line=pl.lit(number, pl.UInt32)) for number, one in enumerate(alone))
    assert organised(block, post_shape.SHAPE).equals(pl.concat(placed))
