"""Find the originals of a folder, or of a text file with a path per line."""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dafre_fast.core.atomic import temporary
from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.core.paths import from_text, to_text
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.summaries import NAMED_LINES, Problem
from dafre_fast.core.walk import Walk
from dafre_fast.dataset.products import holds_products
from dafre_fast.tables.text import read_text


class Listing(NamedTuple):
    """Originals as pairs (path in the tree, path to read), those of them that are links, and lines
    of a list that were set aside.

    Paths are text (`core.paths.to_text`), because no table can hold a name that is not UTF-8, and a
    `Path` per file costs more than the rest of its planning.
    """

    files: list[tuple[str, str]]
    links: list[str]
    """Paths to read of those that are links."""
    problems: list[Problem]


def originals_in(tree_or_list: Path, tell: Tell = silent, manifest: Path | None = None) -> Listing:
    """Return every original of a folder or list, whatever its extension, but for the manifest.

    In a folder, subfolders with products of runs are left out, and those that cannot be listed
    stand among the originals, so that they have an outcome. A list is a text file with a path per
    line, relative to the current folder. The output of an absolute path gets that path without the
    root. A repeated path is set aside. Raises InputError if there is nothing to read, a path has
    `..` or names no file, or two outputs would have the same path.
    """
    found = _in_tree(tree_or_list, tell) if tree_or_list.is_dir() else _listed(tree_or_list)
    if manifest and manifest.resolve().is_relative_to(tree_or_list.resolve()):
        inside = to_text(str(manifest.resolve().relative_to(tree_or_list.resolve())))
        found = found._replace(files=[one for one in found.files if one[0] != inside])
    if not found.files:
        raise InputError(f"{tree_or_list}: holds no files")
    return found


def _in_tree(tree: Path, tell: Tell) -> Listing:
    walk = Walk(tree, leave_out=holds_products)
    names = [*walk]
    if "" in walk.met.unlisted:
        raise InputError(f"{tree}: {walk.met.unlisted['']}")
    for text in _notices(walk, tree):
        tell(Notice(text))
    prefix = to_text(str(tree))
    texts = map(to_text, [*names, *walk.met.unlisted])
    links = [f"{prefix}/{to_text(name)}" for name in walk.met.links]
    return Listing([(name, f"{prefix}/{name}") for name in texts], links, [])


def _notices(walk: Walk, tree: Path) -> Iterator[str]:
    """Say what the walk of a tree did not go into, with an example of each kind."""
    if walk.met.left_out:
        yield (
            f"left out: {_count(walk.met.left_out, 'folder')} with outputs of earlier runs, such"
            f" as {_named(tree, walk.met.left_out)}; to read it, give it as --input by itself"
        )
    if walk.met.loops:
        yield (
            f"left out: {_count(walk.met.loops, 'link')} to a folder that holds the link, such as"
            f" {_named(tree, walk.met.loops)}"
        )
    if walk.met.unlisted:
        name, error = min(walk.met.unlisted.items())
        yield (
            f"{_count([*walk.met.unlisted], 'folder')} cannot be listed and is refused as"
            f" unreadable_original, such as {_named(tree, [name])}: {error}"
        )


def _count(names: Sequence[str], noun: str) -> str:
    return f"{len(names):,} {noun}{'s' * (len(names) > 1)}"


def _named(tree: Path, names: Sequence[str]) -> str:
    return to_text(f"{tree}/{min(names)}")


def _listed(path: Path) -> Listing:
    lines: dict[str, tuple[int, str]] = {}
    repeats = []
    for number, line in enumerate(read_text(path).split(b"\n"), 1):
        if not line.strip(b" \t\r"):
            continue
        name = to_text(os.fsdecode(line.removesuffix(b"\r")))
        original = _checked(name, f"{path}: line {number}")
        key = original.lstrip("/")
        first, standing = lines.setdefault(key, (number, original))
        if standing != original:
            raise InputError(
                f"{path}: line {number} would have the same output as line {first}: "
                f"{original!r}, {standing!r}"
            )
        if first != number:
            repeats.append(number)
    files = [(key, original) for key, (_, original) in lines.items()]
    again = RowProblem.DUPLICATE_ROW.value
    problem = Problem(path.name, again, len(repeats), repeats[:NAMED_LINES])
    links = [original for _, original in files if os.path.islink(from_text(original))]  # noqa: PTH114
    return Listing(files, links, [problem] if repeats else [])


def _checked(line: str, place: str) -> str:
    """Return the path in its shortest form; raise InputError if it is none."""
    if "\0" in line:
        raise InputError(f"{place} has a NUL byte")
    if ".." in line.split("/"):
        raise InputError(f"{place} leads out of the output: {line!r}")
    original = os.path.normpath(line)
    if original in {"/", "//", "."}:
        raise InputError(f"{place} names no file: {line!r}")
    return original[1:] if original.startswith("//") else original


def remove_temporaries(output: Path) -> None:
    """Remove the half-written files that killed runs left in an output; those in folders within it
    that are outputs of their own, such as downloads, are left alone.
    """
    pattern = temporary(Path("*")).name
    for folder, folders, names in os.walk(output):
        folders[:] = [name for name in folders if not Path(folder, name, STATE).is_dir()]
        for name in fnmatch.filter(names, pattern):
            with suppress(OSError):
                Path(folder, name).unlink()
