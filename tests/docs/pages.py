"""Pages of the documentation as text, and what stands in them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TOP = sorted(ROOT.glob("*.md"))
"""README, and what people look for beside it."""
PAGES = [*TOP, *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """The path of a page in the project."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a language in a page; `""` for those of none."""
    fences = re.findall(
        r"^ *```([^\n`]*)\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return [code for own, code in fences if own == language]


def table_below(page: Path, mark: str) -> list[list[str]]:
    """The cells of the table below a mark such as `<!-- table: manifest -->`, without its head."""
    _, _, text = page.read_text().partition(f"<!-- {mark} -->\n\n")
    assert text, f"{page} has no table {mark}"
    lines = text.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def in_code(cell: str) -> list[str]:
    """The parts of a cell that are code."""
    return re.findall(r"`([^`]+)`", cell)
