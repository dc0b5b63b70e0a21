"""Read texts of JSON as lines, in blocks: files as they are, members of tar archives one by one.

A text is JSON lines, or records in another layout (`kernels.json_documents`): arrays, also several
in a row, and pretty-printed records. Each block has a line per record, and knows from which text
and line it came. Small texts share blocks: a folder may hold a file for each of a million posts.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.errors import InputError
from dafre_fast.tables import blocks
from dafre_fast.tables.bad_rows import table_name
from dafre_fast.tables.blocks import check_text, whole_lines
from dafre_fast.tables.streams import COMPRESSED, Readable, Stream, is_tar, members_of, opened
from dafre_fast.tables.text import BOM

LONGEST_LINE = 1 << 24
"""Bytes of the longest line that is read; a post with a thousand tags has 100 kB."""
PARQUET = b"PAR1"
"""First bytes of a Parquet file."""

_WANTED = "JSON with a record for each image, or Parquet"
_NAMED = re.compile(
    r"\.(?:json|jsonl|ndjson|parquet)(?:\.tar)?(?:\.(?:gz|zst|xz|bz2))?$|^[0-9]+$", re.IGNORECASE
)
"""Names that files of records have; Danbooru's archives have numbers."""
_MEMBERS_LOOKED_AT = 8
_OTHERS = re.compile(r"^(?:dataset_infos?|state)\.json$")
"""Names of Hugging Face's own files."""
_BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*(?:\{\s*["}]|\]|\[\s*[0-9{]))|PAR1')
_NOT_LINES = re.compile(rb"\s*(?:\[|[^\n]*[{\[,][ \t\r]*\n)")
"""The beginning of records in another layout: a line with a whole record ends in a brace."""
_STRINGS = re.compile(rb'"(?:[^"\\\n]|\\.)*"')
_PAIR = re.compile(rb"\{[^][{}]*\}|\[[^][{}]*\]")
_REMEDIES = (
    (
        re.compile(rb'\s*\[\s*(?:\[\s*)?[0-9]+\s*,\s*["{]'),
        "is gallery-dl's list of messages; let its postprocessor metadata write jsonl",
    ),
    (
        re.compile(rb'\s*\{\s*"[a-z_]+"\s*:\s*\{\s*"[0-9]+"\s*:'),
        "has columns, not records; let pandas write to_json(…, orient='records', lines=True)",
    ),
    (
        re.compile(rb'\s*\{\s*"(?:posts|data|results|items|rows)"\s*:\s*\['),
        "is an object around a list; it must be the list itself (jq '.posts')",
    ),
)
"""Beginnings of other layouts, and what to do with them."""


class Block(NamedTuple):
    """Lines of JSON. `text` has their ends; `names` has each text's name, and how many of the lines
    are its. `numbers` uint32 has a number for each line, that in its own text (from 1).

    Most blocks are of one long text and need not be counted: `numbers` is None, the only height is
    0, and the lines follow those of the block before, or are the first if it `begins` the text.
    """

    text: bytes
    numbers: NDArray[np.uint32] | None
    names: list[tuple[str, int]]
    begins: bool = True


def looks_like_records(path: Path) -> bool:
    """Return whether a file is named like records, or begins like them.

    Raises InputError if it cannot be read.
    """
    if _OTHERS.match(path.name):
        return False
    if _NAMED.search(path.name):
        return True
    with opened(path) as stream:
        if is_tar(stream.head):
            first = islice(members_of(stream), _MEMBERS_LOOKED_AT)
            return any(_are_records(name, member) for name, member in first)
        return _are_records(path.name, stream)


def may_be_records(head: bytes) -> bool:
    """Return whether a file that begins like this may have records of JSON: also if compressed, or
    in an archive.
    """
    return head.startswith(COMPRESSED) or is_tar(head) or bool(_BEGINS.match(head))


def is_single(path: Path, at_most: int) -> bool:
    """Return whether a file has at most so many bytes and looks like one record of JSON, as
    gallery-dl writes beside each picture; or is empty, where it was to write one.

    Raises InputError if it cannot be read.
    """
    if path.suffix.lower() != ".json":
        return False
    with opened(path) as stream:
        text = stream.read(at_most + 1).removeprefix(BOM).strip()
    if not text:
        return True
    whole = b"\n" not in text or _NOT_LINES.match(text)
    return bool(whole) and text.startswith(b"{") and len(text) <= at_most


def read_blocks(paths: Iterable[Path]) -> Iterator[Block]:
    """Yield the lines of all files in blocks of about 8 MB.

    Raises InputError if a file cannot be read, has no records of JSON, or ends within an array.
    """
    paths = [*paths]
    parts = (part for path in paths for part in (_of_file if len(paths) == 1 else _of_single)(path))
    waiting, size = list[Block](), 0
    for part in parts:
        alone = len(part.text) >= blocks.BLOCK_BYTES // 2 or not part.begins
        if waiting and (alone or size >= blocks.BLOCK_BYTES // 2):
            yield _joined(waiting)
            waiting, size = [], 0
        if alone:
            yield part
        else:
            waiting.append(part)
            size += len(part.text)
    if waiting:
        yield _joined(waiting)


def _of_single(path: Path) -> Iterator[Block]:
    """Yield the record of a file that is one of many; if it is empty, a bad one in its place."""
    empty = True
    for block in _of_file(path):
        empty = empty and not block.text.strip()
        yield block
    if empty:
        yield Block(b"null\n", np.ones(1, np.uint32), [(table_name(path), 1)])


def _joined(parts: list[Block]) -> Block:
    if len(parts) == 1:
        return parts[0]
    counted = [*map(_counted, parts)]
    numbers = np.concatenate([part.numbers for part in counted if part.numbers is not None])
    text = b"".join(part.text for part in counted)
    return Block(text, numbers, [name for part in counted for name in part.names])


def _counted(part: Block) -> Block:
    text = part.text if part.text.endswith(b"\n") else part.text + b"\n"
    if part.numbers is not None:
        return part._replace(text=text)
    height = text.count(b"\n")
    return Block(text, np.arange(1, height + 1, dtype=np.uint32), [(part.names[0][0], height)])


def _of_file(path: Path) -> Iterator[Block]:
    with opened(path) as stream:
        if not is_tar(stream.head):
            check_text(path, stream, _WANTED)
            yield from _of_text(str(path), table_name(path), stream)
            return
        others = list[str]()
        taken = False
        for name, member in members_of(stream):
            if not _are_records(name, member):
                others.append(name)
                continue
            taken = True
            if member.head.startswith(PARQUET):
                raise InputError(f"{path}: its member {name} is Parquet; unpack the archive")
            yield from _of_text(f"{path}: {name}", f"{table_name(path)}/{name}", member)
    if not taken:
        raise InputError(f"{path}: {_nothing_in(others)}")


def _nothing_in(others: list[str]) -> str:
    if not others:
        return "is an archive without files"
    more = ", …" if len(others) > 3 else ""
    return f"is an archive without metadata (it has {', '.join(others[:3])}{more})"


def _are_records(name: str, stream: Stream) -> bool:
    last = name.rsplit("/", 1)[-1]
    if last.startswith(".") or _OTHERS.match(last):
        return False
    return bool(_NAMED.search(last) or _BEGINS.match(stream.head))


def _of_text(path: str, name: str, stream: Stream) -> Iterator[Block]:
    """Yield the blocks of one text. Messages call it `path`, bad rows `name`."""
    stream.skip(BOM)
    begin = stream.head
    for pattern, remedy in _REMEDIES:
        if pattern.match(begin):
            raise InputError(f"{path}: {remedy}")
    if _NOT_LINES.match(begin) and not _first_is_cut_off(begin):
        yield from _of_documents(path, name, stream)
        return
    begins = True
    for text in whole_lines(stream, LONGEST_LINE):
        yield Block(text, None, [(name, 0)], begins)
        begins = False


def _first_is_cut_off(begin: bytes) -> bool:
    """Return whether the first line ends within its record and another record begins in the next:
    lines, the first of them bad.
    """
    line, _, rest = begin.lstrip().partition(b"\n")
    second, _, third = rest.lstrip().partition(b"\n")
    if not (line.startswith(b"{") and second.startswith(b"{")):
        return False
    bracket = _innermost(line)
    if bracket == b"[":
        # Objects of a list have commas between them, and a bracket behind them.
        whole = second.rstrip().endswith(b"}") and not _innermost(second)
        return whole and third.lstrip()[:1] in (b"", b"{")
    return bracket == b"{"


def _innermost(line: bytes) -> bytes:
    """Return the last bracket that a line opens and does not close; b"" if it closes all."""
    left = _STRINGS.sub(b"", line)
    while (fewer := _PAIR.sub(b"", left)) != left:
        left = fewer
    still_open = re.findall(rb"[{[]", left)
    return still_open[-1] if still_open else b""


def _of_documents(path: str, name: str, stream: Stream) -> Iterator[Block]:
    lines = _Rewriting(path, stream)
    for text in whole_lines(lines, LONGEST_LINE):
        height = text.count(b"\n")
        numbers = lines.numbers(height)
        if not text.endswith(b"\n"):
            height, numbers = height + 1, np.append(numbers, np.uint32(lines.check_end()))
        yield Block(text, numbers, [(name, height)])
    lines.check_end()


class _Rewriting:
    """A text of any layout, read as lines with a record in each."""

    def __init__(self, path: str, stream: Readable) -> None:
        # Imported here, so that only those who need it wait for the compiler.
        from dafre_fast.tables.kernels import json_documents as kernel

        self._path, self._stream, self._kernel = path, stream, kernel
        self._state = kernel.first_state()
        self._numbers = np.empty(0, np.uint32)

    def read(self, _size: int = -1, /) -> bytes:
        """Return the lines of the next part of the text, nothing at its end."""
        while part := self._stream.read(blocks.BLOCK_BYTES // 8 or 1):
            rewritten = self._kernel.rewrite(np.frombuffer(part, np.uint8), self._state)
            self._numbers = np.concatenate([self._numbers, rewritten.numbers])
            if len(rewritten.text):
                return rewritten.text.tobytes()
        return b""

    def numbers(self, lines: int) -> NDArray[np.uint32]:
        """Return the numbers of the next lines."""
        numbers, self._numbers = self._numbers[:lines], self._numbers[lines:]
        return numbers

    def check_end(self) -> int:
        """Return the number of the last record. Raises InputError if the text is cut off; one
        record that is cut off is a bad record.
        """
        kernel, state = self._kernel, self._state
        record = int(state[kernel.OPEN])
        if state[kernel.IN_ARRAY] or (record and state[kernel.DEPTH] and state[kernel.RECORDS]):
            of_line = f"the record that begins in line {record}"
            where = f"record {record} of line 1" if state[kernel.LINE] == 1 else of_line
            raise InputError(
                f"{self._path}: ends too early, at {where if record else 'the end of an array'}:"
                " it is cut off, or a bracket is missing"
            )
        return record
