"""Words whose tags are left out: a list of the user's, or a short one of ours."""

from importlib.resources import files
from pathlib import Path

from dafre_fast.tables.text import read_text

_OURS = files("dafre_fast.tags") / "profanities.txt"


def read_profanities(path: Path | None) -> list[str]:
    """The lines of a file without blanks around them; blank lines are none.

    Raises InputError where it cannot be read or is empty.
    """
    text = read_text(path) if path else _OURS.read_bytes()
    lines = text.decode(errors="replace").splitlines()
    return sorted({line.strip() for line in lines} - {""})
