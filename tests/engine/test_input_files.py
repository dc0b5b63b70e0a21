import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.core.paths import from_text
from dafre_fast.core.summaries import Problem
from dafre_fast.engine.input_files import Listing, originals_in


@pytest.fixture
def listed(tmp_path):
    def listed(content: str | bytes) -> Listing:
        path = tmp_path / "list"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return originals_in(path)

    return listed


def test_a_list_names_originals_line_by_line(listed) -> None:
    assert listed("./original/0000/1000.jpg\n\n/x//y.png\n//x/z.png") == Listing(
        [
            ("original/0000/1000.jpg", "original/0000/1000.jpg"),
            ("x/y.png", "/x/y.png"),
            ("x/z.png", "/x/z.png"),
        ],
        links=[],
        problems=[],
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\ufeffa.jpg\nb.jpg\n", id="byte order mark"),
        pytest.param("a.jpg\r\nb.jpg\r\n", id="CRLF"),
        pytest.param("a.jpg\n\n \t\r\nb.jpg\n", id="blank lines"),
        pytest.param("a.jpg\nb.jpg", id="no line end at the end"),
    ],
)
def test_marks_and_line_ends_are_no_part_of_a_path(listed, content) -> None:
    assert [name for name, _ in listed(content).files] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "name", [" a.jpg", "a.jpg ", "a\tb.jpg", "a\u2028b.jpg", "a\rb.jpg", r"..\b", "..."]
)
def test_all_other_letters_are_part_of_a_path(listed, name) -> None:
    assert listed(f"{name}\nx.jpg\n").files[0] == (name, name)


def test_a_path_that_was_there_before_is_set_aside_and_counted(listed) -> None:
    found = listed("a.jpg\n\nb.jpg\n./a.jpg\nb.jpg\na.jpg\n")
    assert [name for name, _ in found.files] == ["a.jpg", "b.jpg"]
    assert found.problems == [Problem("list", "duplicate_row", rows=3, lines=[4, 5, 6])]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("../../b.jpg", "leads out of the output"),
        ("a/../../b.jpg", "leads out of the output"),
        ("/..", "leads out of the output"),
        ("a\0.jpg", "has a NUL byte"),
        ("a\0/../b.jpg", "has a NUL byte"),
        (".", "names no file"),
        ("//", "names no file"),
        ("/x/a.jpg", "would have the same output as line 1"),
    ],
)
def test_a_line_that_is_no_original_is_refused_with_its_number_in_the_file(
    listed, line, cause
) -> None:
    with pytest.raises(InputError, match=f"list: line 4 {cause}") as raised:
        listed(f"x/a.jpg\n\nx/a.jpg\n{line}\n")
    assert "\n" not in str(raised.value)


def test_a_list_that_is_no_text_is_refused_by_what_it_is(listed) -> None:
    with pytest.raises(InputError, match="list: is UTF-16 text"):
        listed("a.jpg\nb.jpg\n".encode("utf-16"))


@given(st.lists(st.text("a./\\\r \0", max_size=6), max_size=6))
def test_whatever_stands_in_a_list_no_path_leads_out_and_each_has_a_place_of_its_own(
    tmp_path_factory, lines
) -> None:
    path = tmp_path_factory.mktemp("lists") / "list"
    path.write_text("\n".join(lines))
    try:
        files, _, problems = originals_in(path)
    except InputError:
        return
    keys = [key for key, _ in files]
    assert len({os.path.normpath(f"/out/{key}") for key in keys}) == len(keys)
    assert all(os.path.normpath(f"/out/{key}") == f"/out/{key}" for key in keys)
    rows = [line for line in lines if line.strip(" \t\r")]
    assert len(rows) == len(files) + sum(problem.rows for problem in problems)


def test_hidden_files_are_no_originals(tmp_path) -> None:
    for name in ("a.jpg", ".a.jpg.part", ".dafre_fast/ledger.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [name for name, _ in originals_in(tmp_path).files] == ["a.jpg"]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_a_name_that_is_not_utf8_stands_escaped_in_a_tree_and_in_a_list(tmp_path, listed) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    Path(os.fsdecode(os.fsencode(tree) + b"/a\xff.png")).write_text("bytes")
    (tree / "a\\xff.png").write_text("letters")
    files = dict(originals_in(tree).files)
    assert {key: Path(from_text(path)).read_text() for key, path in files.items()} == {
        "a\\xff.png": "bytes",
        "a\\x5cxff.png": "letters",
    }
    assert listed(b"a\xff.png\n").files == [("a\\xff.png", "a\\xff.png")]


@pytest.mark.parametrize("missing", ["nowhere", "."])
def test_an_empty_or_missing_input_is_an_error_that_names_it(tmp_path, missing) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        originals_in(tmp_path / missing)
