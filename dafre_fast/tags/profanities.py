"""The words whose tags are removed: the user's list, or the short one of this package."""

from importlib.resources import files
from pathlib import Path

from dafre_fast.tables.text import read_text

_PACKAGED = files("dafre_fast.tags") / "profanities.txt"


def read_profanities(path: Path | None) -> list[str]:
    """Return the words of a file (one per line, UTF-8), sorted, or of the packaged list.

    Space around words and blank lines are ignored. Raises InputError if the file cannot be read or
    is empty.
    """
    text = read_text(path) if path else _PACKAGED.read_bytes()
    lines = text.decode(errors="replace").splitlines()
    return sorted({line.strip() for line in lines} - {""})
