"""Read the words whose tags are removed: the user's list, or a short built-in one."""

from importlib.resources import files
from pathlib import Path

from dafre_fast.tables.text import read_text

_OURS = files("dafre_fast.tags") / "profanities.txt"


def read_profanities(path: Path | None) -> list[str]:
    """Return the lines of a file that are not blank, stripped and sorted.

    Raises InputError if the file cannot be read or is empty.
    """
    text = read_text(path) if path else _OURS.read_bytes()
    lines = text.decode(errors="replace").splitlines()
    return sorted({line.strip() for line in lines} - {""})
