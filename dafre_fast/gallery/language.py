"""The language of questions: `blue_hair -smile class:aoi width:>1000 order:-width`.

    smile                tag or class; `blue_hair`, `blue hair` and `bluehair` are the same
    -smile               without it; every term can be excluded so
    *_hair               any name of this form
    general:smile        a tag of this kind: general, series, character; so are class:, split: and
                         status: (`status:refused`: any but success)
    width:>1000          a column of the manifest: > >= < <=, a range 100..200 with its ends, text
                         with *, or `none` if it has no value
    date:2024-05         a day, month or year, with > >= < <= and .. as numbers have
    original:>=500       the shorter side of the original, or of the head crop (`head:`), in pixels
    answer:wrong         answers of a model: right, wrong, or a class; probability:<0.5
    mark:wrong_head      images with a mark of the gallery
    verdict:disputed     what people say together in reviews: right, wrong, disputed, none
    order:width          the order; order:-width begins with the largest
    "-_-"                quoted text is taken as it is; \\ goes before " and \\ in it

An image meets all terms. What names and columns a dataset has is known to `matching` alone, so that
every text is a question here, but one that is too long.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.errors import UsageError

MARK, VERDICT = "mark", "verdict"
NAMED = ("class", "split", "status", "answer", MARK, VERDICT, *TAG_KINDS)
"""Fields whose values are names, in which `_` and space are the same."""
ORDER = "order"
_MOST_TERMS, _MOST_LETTERS = 40, 2_000

_TERM = re.compile(
    r"""
    (?P<minus>-(?=\S))?
    (?:(?P<field>[A-Za-z]\w*):(?=\S))?
    (?(field)(?:(?P<operator>>=|<=|>|<|=)(?=\S))?)
    (?:"(?P<quoted>(?:[^"\\]|\\.)*)"(?=\s|$)|(?P<plain>\S+))
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Operator = Literal["=", "<", "<=", ">", ">=", "..", "~", "none"]


class Term(Struct, frozen=True):
    """One condition. `field` is one of `NAMED`, a column, or "" for a tag or class of any kind.

    The operator `..` has a range as value, `~` a form with `*`, and `none` no value. Names have `_`
    for spaces.
    """

    field: str
    value: str
    operator: Operator = "="
    excluded: bool = False

    @property
    def opposite(self) -> "Term":
        """The term that excludes what this one asks for, or asks for what it excludes."""
        return replace(self, excluded=not self.excluded)

    @property
    def is_word(self) -> bool:
        """True for a bare word, which may be part of a name of several words."""
        return not self.field and self.operator == "="

    def __str__(self) -> str:
        """Return the term as text that `read` reads as this term; in quotes if it needs them."""
        before = ("-" if self.excluded else "") + (f"{self.field}:" if self.field else "")
        before += self.operator if self.operator in {"<", "<=", ">", ">="} else ""
        plain = before + ("none" if self.operator == "none" else self.value)
        found = _TERM.fullmatch(plain)
        if found and _term(found) == self:
            return plain
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{before}"{escaped}"'


def named(field: str, name: str) -> Term:
    """Return the term for a name of a kind, or of any kind if `field` is ""."""
    return Term(field, name.replace(" ", "_"))


@lru_cache(maxsize=256)
def read(text: str) -> tuple[Term, ...]:
    """Read a line of terms; repeated ones count once. Raises UsageError if it is too long."""
    if len(text) > _MOST_LETTERS:
        raise UsageError(f"the question is longer than {_MOST_LETTERS:,} letters")
    terms = tuple(dict.fromkeys(map(_term, _TERM.finditer(text))))
    if len(terms) > _MOST_TERMS:
        raise UsageError(f"the question has more than {_MOST_TERMS} terms")
    return terms


def write(terms: Iterable[Term]) -> str:
    """Return terms as a line that `read` reads as the same terms."""
    return " ".join(map(str, terms))


def split_order(terms: Sequence[Term]) -> tuple[tuple[Term, ...], str | None]:
    """Return the terms without those that give an order, and that order. Raises UsageError if there
    are several.
    """
    orders = [term for term in terms if term.field == ORDER]
    if len(orders) > 1 or any(term.excluded or term.operator != "=" for term in orders):
        raise UsageError("order: give one column, as in order:width or order:-width")
    rest = tuple(term for term in terms if term.field != ORDER)
    return rest, orders[0].value if orders else None


def _term(found: re.Match[str]) -> Term:
    field, excluded = (found["field"] or "").lower(), bool(found["minus"])
    operator, quoted = found["operator"] or "", found["quoted"]
    value = found["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
    if not field or field in NAMED or field == ORDER:
        form = quoted is None and "*" in value
        return Term(field, (operator + value).replace(" ", "_"), "~" if form else "=", excluded)
    kind = operator or ("=" if quoted is not None else _operator(value))
    return Term(field, "" if kind == "none" else value, kind, excluded)  # type: ignore[arg-type]


def _operator(value: str) -> Operator:
    """Return the operator of the value of a column that is written without one."""
    if value == "none":
        return "none"
    if ".." in value.strip(".") or (".." in value and value.strip(".")):
        return ".."
    return "~" if "*" in value else "="
