"""Causes of refusals, of bad rows and of findings, put below their headings in pages.

A page has a heading such as "### `not_found`" and below it the remedy, which people write. Between
the two comes the cause, as the code has it, below a mark that says which set the headings are of.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from dafre_fast.core.findings import Flaw
from dafre_fast.core.reasons import Note, Proof, Reason, RowProblem
from docs.programs.commands import with_flags

SETS: Mapping[str, type[StrEnum]] = {
    "reasons": Reason,
    "notes": Note,
    "proofs": Proof,
    "row problems": RowProblem,
    "findings": Flaw,
}
"""The sets of causes, by the name in a mark such as `<!-- causes: reasons -->`."""
_MARK = re.compile(r"^<!-- causes: ([a-z ]+) -->\n", re.MULTILINE)
_HEADING = re.compile(r"^### `(\w+)`\n", re.MULTILINE)


def with_causes(markdown: str) -> str:
    """Return a page with the cause below each heading of a set; from its mark to the next mark."""
    before, *sections = _MARK.split(markdown)
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        before += _HEADING.sub(_adding(SETS[name]), text)
    return before


def headings(markdown: str) -> Iterator[tuple[str, str, str]]:
    """Yield each heading of a page: the set, the value, and the text below it."""
    _, *sections = _MARK.split(markdown)
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        _, *parts = _HEADING.split(text)
        for value, below in zip(parts[::2], parts[1::2], strict=True):
            yield name, value, re.split(r"^#+ ", below, flags=re.MULTILINE)[0].strip()


def _adding(kind: type[StrEnum]) -> Callable[[re.Match[str]], str]:
    def add(heading: re.Match[str]) -> str:
        return f"{heading[0]}\n{cause(kind(heading[1]))}\n"

    return add


def cause(member: StrEnum) -> str:
    """Return the cause of a member, and what the next run does about it."""
    if isinstance(member, Flaw):
        damage = " `--remove` removes the file." if member.damage else ""
        return f"{_documented(member)}{damage}"
    text = str(getattr(member, "cause", ""))
    if isinstance(member, Reason):
        return f"**{text}** {with_flags(member.next_run)}"
    return f"**{text}**"


def _documented(flaw: Flaw) -> str:
    """Return the text below a member in the source of its class, if it has one."""
    (body,) = ast.parse(inspect.getsource(Flaw)).body
    assert isinstance(body, ast.ClassDef)
    for one, below in zip(body.body, body.body[1:], strict=False):
        named = isinstance(one, ast.Assign) and ast.literal_eval(one.value) == flaw.value
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if named and is_text:
            return f"**{below.value.value}**"
    return ""
