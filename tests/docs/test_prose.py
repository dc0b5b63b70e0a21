"""The pages are plain to read: short sentences, no words of the trade without need."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name_of

MOST_WORDS_IN_THE_MEAN = 20
MOST_WORDS = 50
_WORD = re.compile(r"[\w'’]+(?:[-.,/]\w+)*")
_NO_END = re.compile(r"\b(?:e\.g|i\.e|etc|vs|al|ca|approx)\.", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    """The sentences of a page, without code, tables, headings, links' addresses and pictures.

    Code within a sentence counts as one word, and an item of a list as a sentence.
    """
    text = re.sub(r"^(```|~~~).*?^\1\s*$", "\n", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^(:::.*(\n .*)*|\|.*|#+ .*|<.*>|!\[.*)$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^\s*(?:[-*]|\d+\.) ", "\n\n", text, flags=re.MULTILINE)
    text = _NO_END.sub(lambda found: found[0].replace(".", ""), re.sub(r"[*_]", "", text))
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        parts = re.split(r"(?<=[.!?:])\s+(?=[\"(A-Z0-9a-z])", " ".join(paragraph.split()))
        found += [part for part in parts if len(_WORD.findall(part)) > 1]
    return found


def lengths(page: Path) -> list[int]:
    return [len(_WORD.findall(sentence)) for sentence in sentences(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_sentences_are_short_in_the_mean(page) -> None:
    words = lengths(page)
    assert not words or sum(words) / len(words) <= MOST_WORDS_IN_THE_MEAN


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_sentence_is_very_long(page) -> None:
    too_long = [one for one in sentences(page.read_text()) if len(_WORD.findall(one)) > MOST_WORDS]
    assert too_long == []


def test_lengths_are_counted_without_code_tables_and_links() -> None:
    text = "One two `a b c` [three](x.md)."
    page = f"# A head\n\n{text}\n\n| a b c d |\n\n- An item.\n- More: than it.\n"
    assert sentences(page) == ["One two code three.", "An item.", "than it."]


def test_the_readme_is_read_within_minutes() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1000
