import gzip
import lzma
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.tables import blocks
from dafre_fast.tables.row_problems import LONGEST

TEXT = b"./original/0001/1.jpg\n./original/0002/2.png\n"
LINES = [(1, "./original/0001/1.jpg"), (2, "./original/0002/2.png")]


def read(path: Path) -> list[tuple[int, str | None]]:
    return [row for block in blocks.read_lines(path) for row in block.rows()]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packed", [bytes, gzip.compress, lzma.compress])
def test_lines_may_be_compressed_whatever_the_file_is_called(tmp_path, packed) -> None:
    assert read(written(tmp_path / "list.txt", packed(TEXT))) == LINES


def test_lines_may_be_compressed_by_zstandard(tmp_path) -> None:
    if not shutil.which("zstd"):
        pytest.skip("zstd is not here to compress")
    path = written(tmp_path / "plain", TEXT)
    subprocess.run(["zstd", "-q", path, "-o", tmp_path / "packed"], check=True)
    assert read(tmp_path / "packed") == LINES


def test_several_compressed_streams_in_one_file_are_one_text(tmp_path) -> None:
    halves = TEXT.splitlines(keepends=True)
    assert read(written(tmp_path / "f", b"".join(map(gzip.compress, halves)))) == LINES


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + TEXT, TEXT[:-1]])
def test_a_byte_order_mark_and_a_missing_last_end_do_not_matter(tmp_path, text) -> None:
    assert read(written(tmp_path / "f", text)) == LINES


def test_a_line_that_is_not_utf8_is_null_and_those_around_it_are_read(tmp_path) -> None:
    path = written(tmp_path / "f", b"a\n\xff\xfe/b\n\n\xe6\xb6\xbc\n")
    assert read(path) == [(1, "a"), (2, None), (4, "涼")]


@pytest.mark.parametrize("size", [LONGEST, LONGEST + 1, 9 * LONGEST])
def test_a_line_without_end_is_held_only_up_to_the_limit(tmp_path, monkeypatch, size) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 12)
    (one,) = read(written(tmp_path / "f", b"x" * size))
    assert one == (1, "x" * min(size, LONGEST + 1))


def test_a_line_that_is_too_long_costs_none_behind_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 12)
    (_, long), second = read(written(tmp_path / "f", b"x" * 9 * LONGEST + b"\na\n"))
    assert long is not None
    assert LONGEST < len(long) < 2 * LONGEST
    assert second == (2, "a")


@given(
    text=st.lists(
        st.sampled_from([b"a", b"\r", b"\n", b" ", b"\t", b"\xff", b"\xe6\xb6\xbc", b"\0", b"\x0c"])
    ).map(b"".join),
    block_bytes=st.integers(1, 9),
)
def test_a_file_is_its_lines_wherever_blocks_end(text, block_bytes) -> None:
    def decoded(line: bytes) -> str | None:
        try:
            return line.decode()
        except UnicodeDecodeError:
            return None

    lines = enumerate(text.split(b"\n"), 1)
    plain = [(number, decoded(line)) for number, line in lines if line.strip(b" \t\r")]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block_bytes)
        patch.setattr(blocks, "something_else", lambda _: None)
        path = written(Path(folder, "f"), text)
        if not plain:
            with pytest.raises(InputError, match=r"has no rows|is empty"):
                read(path)
            return
        found = read(path)
    # A CR before the end may stand or not: whoever reads strips it.
    assert [(number, line and line.rstrip("\r")) for number, line in found] == [
        (number, line and line.rstrip("\r")) for number, line in plain
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n\r\n", "has no rows"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(TEXT * 99, mtime=0)[:-9], "cannot be read"),
        (lzma.compress(TEXT * 99)[:-9], "cannot be read"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "cannot be read"),
        (b"<!doctype html><p>gone", "an HTML page"),
        (b"PK\3\4" + bytes(30), "a zip archive"),
        ("a/b\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_without_lines_of_text_is_refused_by_name_and_reason(
    tmp_path, content, said
) -> None:
    with pytest.raises(InputError, match=rf"list\.txt: .*{said}"):
        read(written(tmp_path / "list.txt", content))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: No such file"):
        read(tmp_path / "none.txt")
