import bz2
import gzip
import json
import lzma
import re
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.tables import blocks
from dafre_fast.tables.json_texts import LONGEST_LINE, read_blocks
from dafre_fast.tables.kernels import json_documents
from tests.tables.archives import tar

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ONE, TWO, THREE = ({"id": number, "x": [{"y": '"],}\\'}]} for number in (1, 2, 3))
ALL = [ONE, TWO, THREE]

Line = tuple[str, int, bytes]
"""Name of the text, number, and the line itself."""


def lines(*paths: Path) -> list[Line]:
    """All lines that are not blank."""
    found, following = list[Line](), 1
    for block in read_blocks(paths):
        texts = block.text.removesuffix(b"\n").split(b"\n")
        if block.numbers is None:
            first = 1 if block.begins else following
            numbers, names = range(first, first + len(texts)), [block.names[0][0]] * len(texts)
        else:
            numbers = block.numbers.tolist()
            names = [name for name, height in block.names for _ in range(height)]
        found += zip(names, numbers, texts, strict=True)
        following = numbers[-1] + 1
    return [line for line in found if line[2].strip()]


def read(path: Path, content: bytes) -> list[tuple[int, object]]:
    """Numbers of the records of a file, and the records; None in place of what is no JSON."""
    path.write_bytes(content)
    return [(number, decoded(text)) for _, number, text in lines(path)]


def decoded(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "posts.json"


LAYOUTS = {
    "lines": ("".join(json.dumps(one) + "\n" for one in ALL), [1, 2, 3]),
    "array in one line": (json.dumps(ALL), [1, 2, 3]),
    "array, pretty-printed": (json.dumps(ALL, indent=2), [2, 10, 18]),
    "array, a record in each line": ("[\n" + ",\n".join(map(json.dumps, ALL)) + "\n]\n", [2, 3, 4]),
    "an array in each line": (f"[{json.dumps(ONE)}]\n{json.dumps([TWO, THREE])}", [1, 2, 2]),
    "pretty-printed records": ("\n".join(json.dumps(one, indent=1) for one in ALL), [1, 9, 17]),
    "lines that end in commas": ("".join(json.dumps(one) + ",\n" for one in ALL), [1, 2, 3]),
    "an array with a comma too many": (f"{json.dumps(ALL)[:-1]}, ]", [1, 2, 3]),
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(("text", "numbers"), LAYOUTS.values(), ids=LAYOUTS)
def test_records_in_any_layout_are_read_with_their_places(path, text, numbers, mark, ends) -> None:
    found = read(path, mark + text.replace("\n", ends).encode())
    assert found == [*zip(numbers, ALL, strict=True)]


@pytest.mark.parametrize("number", range(1, 400, 7))
def test_it_does_not_matter_where_blocks_of_a_layout_end(path, monkeypatch, number) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", number)
    text, numbers = LAYOUTS["array, pretty-printed"]
    assert read(path, text.encode()) == [*zip(numbers, ALL, strict=True)]


def test_what_is_no_record_in_an_array_has_a_line_of_its_own(path) -> None:
    text = b'[{"id": 1}, 5, null, "a", [{"id": 2}], {"id": 3]]'
    found = [{"id": 1}, 5, None, "a", [{"id": 2}], None]
    assert read(path, text) == [*enumerate(found, 1)]


def test_a_record_with_an_open_string_costs_no_other_line_of_an_array(path) -> None:
    text = b'[\n{"id": 1},\n{"id": 2, "x": {"y": "abc,\n{"id": 3}\n]'
    assert read(path, text) == [(2, {"id": 1}), (3, None), (4, {"id": 3})]


@pytest.mark.parametrize(
    "first", ["{", '{"id": 1,', '{"id": 1, "x": {', '{"id": 1, "x": [', '{"x": [{"y": "a{"}, {"y":']
)
def test_a_first_line_that_is_cut_off_costs_no_other_line(path, first) -> None:
    text = "".join(line + "\n" for line in (first, json.dumps(TWO), json.dumps(THREE)))
    assert read(path, text.encode()) == [(1, None), (2, TWO), (3, THREE)]


def test_a_list_of_objects_may_begin_in_the_second_line_of_a_record(path) -> None:
    text = '{"id": 1, "x": [\n{"y": 1},\n{"y": 2}\n]}\n{"id": 2, "x": [\n{"y": 1}\n]}\n'
    found = [{"id": 1, "x": [{"y": 1}, {"y": 2}]}, {"id": 2, "x": [{"y": 1}]}]
    assert read(path, text.encode()) == [*zip((1, 5), found, strict=True)]


def test_a_record_of_an_array_that_is_too_long_costs_no_other(path) -> None:
    long = b'{"id": 2, "x": "' + b"x" * LONGEST_LINE + b'"}'
    path.write_bytes(b'[{"id": 1},\n' + long + b',{"id": 3}]')
    first, second, third = lines(path)
    assert (first[2], third[2]) == (b'{"id": 1}', b'{"id": 3}')
    assert second[1] == 2
    assert len(second[2]) > LONGEST_LINE


def test_an_array_that_never_ends_is_held_only_up_to_the_limit(path) -> None:
    path.write_bytes(b'[{"id": 1},\n{"id": [' + b"[" * 3 * LONGEST_LINE)
    with pytest.raises(InputError, match="ends too early, at the record that begins in line 2"):
        lines(path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[{"id": 1},', "the end of an array"),
        ('[{"id": 1}', "record 1 of line 1"),
        ('[{"id": 1}, {"id": 2', "record 2 of line 1"),
        ('[\n{"id": 1},\n{"id": [2},\n{"id": 3}\n]\n', "the end of an array"),
        ('[\n{"id": 1},\n{"id": [2,\n{"id": 3}\n]', "the record that begins in line 3"),
        ('{\n"id": 1}\n{\n"id": 2', "the record that begins in line 3"),
    ],
)
def test_a_layout_that_ends_too_early_is_refused_with_the_place(path, text, where) -> None:
    with pytest.raises(InputError, match=rf"^{path}: ends too early, at {where}: it is cut off"):
        read(path, text.encode())


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ([[2, ONE], [3, "https://host/1.png", ONE]], "postprocessor metadata write jsonl"),
        ({"id": {"0": 1}}, "lines=True"),
        ({"posts": ALL}, "jq '.posts'"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_other_layouts_are_named_with_the_remedy(path, content, remedy, indent) -> None:
    with pytest.raises(InputError, match=f"^{path}: .*{re.escape(remedy)}"):
        read(path, json.dumps(content, indent=indent).encode())


PACKED = [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress]


@pytest.mark.parametrize("compress", PACKED)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive_is_read_member_by_member(path, compress, format) -> None:
    members = (
        ("metadata/._2018", b"\0\5\x16\7"),
        ("README.md", b"[![of](a)](dataset)"),
        ("metadata/2018", b'{"id": 1}\n{"id": 2}'),
        ("metadata/2019.json.gz", gzip.compress(b'\n[{"id": 3}]')),
    )
    path.write_bytes(compress(tar(*members, format=format)))
    assert [line[:2] for line in lines(path)] == [
        ("posts.json/metadata/2018", 1),
        ("posts.json/metadata/2018", 2),
        ("posts.json/metadata/2019.json.gz", 2),
    ]


def test_members_share_blocks(path) -> None:
    path.write_bytes(tar(*((f"{number}.json", json.dumps(ONE).encode()) for number in range(99))))
    assert [len(block.names) for block in read_blocks([path])] == [99]
    names = [f"posts.json/{number}.json" for number in range(99)]
    assert [name for name, *_ in lines(path)] == names


LINES = b"".join(json.dumps(one).encode() + b"\n" for one in ALL) * 99
WHOLE = tar(("a", LINES), ("b", LINES))
WITHOUT_END = WHOLE[: len(WHOLE) // 512 * 512].rstrip(b"\0") + b"\0" * 300


def archive_with_a_damaged_header() -> bytes:
    second = WHOLE.index(b"b\0\0\0")
    return WHOLE[:second] + b"?" + WHOLE[second + 1 :]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (WHOLE[: len(LINES)], "unexpected end"),
        (WHOLE[: WHOLE.index(b"b\0\0\0") + 100], "is cut off"),
        (archive_with_a_damaged_header(), "is damaged"),
        (WHOLE + tar(("c", LINES)), "another one follows it"),
        (gzip.compress(WHOLE)[:-20], "cannot be read"),
        (tar(("README.md", b"# Posts"), ("x.png", b"\x89PNG")), "it has README.md, x.png"),
        (tar(("a.json", LINES), ("b", b"PAR1")), "its member b is Parquet; unpack"),
        (tar(), "an archive without files"),
        (bytes(10_240), "an archive without files"),
    ],
)
def test_an_archive_that_is_damaged_or_has_no_metadata_is_refused(path, content, named) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: .*{named}"):
        lines(path)


def test_an_archive_may_lack_its_end_blocks(path) -> None:
    end = len(WHOLE.rstrip(b"\0"))
    path.write_bytes(WHOLE[: -(-end // 512) * 512])
    assert len(lines(path)) == 2 * 3 * 99


# Whatever the layout, nothing is lost

TEXTS = st.text("[]{},:\"'\\\né\t a", max_size=8)
RECORD = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.integers(-9, 9) | TEXTS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
        max_leaves=4,
    ),
    min_size=1,
    max_size=3,
)
JUNK = st.sampled_from([5, None, "a", "[", [1, [2]], [{"id": 1}], True])


def of_lines(records: list[object], dump: Callable[..., str]) -> str:
    return "\n".join(map(dump, records))


def of_array(records: list[object], dump: Callable[..., str]) -> str:
    return dump(records)


def of_arrays(records: list[object], dump: Callable[..., str]) -> str:
    return "\n".join(dump([one]) for one in records)


@given(
    records=st.lists(RECORD | JUNK, min_size=1, max_size=6),
    layout=st.sampled_from([of_lines, of_array, of_arrays]),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ascii_only=st.booleans(),
    block_bytes=st.sampled_from([1, 9, 64, 1 << 20]),
    archived=st.booleans(),
)
def test_every_record_comes_out_as_it_was_written(
    tmp_path_factory, records, layout, indent, ascii_only, block_bytes, archived
) -> None:
    # As gallery-dl's messages begin, and lists whose first line shows no record: see the remedies.
    records = [{"first": {}}, *records] if layout is not of_lines else [{"first": 1}, *records]
    if layout is of_lines and indent is not None:
        records = [one for one in records if isinstance(one, dict)]

    def dump(value: object) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_only)

    text = layout(records, dump).encode()
    path = tmp_path_factory.mktemp("texts") / "posts.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block_bytes)
        path.write_bytes(tar(("a.json", text)) if archived else text)
        found = lines(path)
    assert [msgspec.json.decode(line) for _, _, line in found] == records
    numbers = [number for _, number, _ in found]
    assert numbers == sorted(numbers)


BYTES = st.lists(st.sampled_from([*b'[]{},:"\\\n\r a1']), max_size=60).map(bytes)


@given(BYTES, st.integers(1, 60))
def test_a_text_is_rewritten_the_same_in_parts_and_loses_nothing(text, size) -> None:
    state, lines, numbers = json_documents.first_state(), b"", list[int]()
    for start in range(0, len(text), size):
        part = np.frombuffer(text[start : start + size], np.uint8)
        rewritten = json_documents.rewrite(part, state)
        lines += rewritten.text.tobytes()
        numbers += rewritten.numbers.tolist()
    whole = json_documents.first_state()
    at_once = json_documents.rewrite(np.frombuffer(text, np.uint8), whole)
    assert (at_once.text.tobytes(), at_once.numbers.tolist()) == (lines, numbers)
    assert (whole == state).all()
    assert lines.count(b"\n") == len(numbers)
    blanks_and_structure = bytes.maketrans(b"", b""), b"[], \r\n"
    assert lines.translate(*blanks_and_structure) == text.translate(*blanks_and_structure)
