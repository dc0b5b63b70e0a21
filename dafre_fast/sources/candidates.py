"""Choose the original of an id among the files that are named by it.

Beside `5.png` may lie what others wrote about it or made of it: `5.txt`, `5.json`, `5.face.png`.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import EXTENSIONS, OTHER_ORIGINALS, UNFINISHED, USUAL_EXTENSIONS

_RANKS = {name: rank for rank, name in enumerate(dict.fromkeys((*USUAL_EXTENSIONS, *EXTENSIONS)))}
_HEAD_BYTES = 512


class Choice(NamedTuple):
    """The name of an original, None if none can be it, and further ones that could as well."""

    name: str | None
    others: tuple[str, ...] = ()


def choose_file(
    names: Sequence[str], wanted: Sequence[str], is_image: Callable[[str], bool]
) -> Choice:
    """Choose among the files `{id}`, `{id}.…` of one id.

    One that tables name (`wanted`, the best first) is taken as it is. Else `{id}.{extension}` with
    the extension of an image; of several, those that begin as one, and of these the one with the
    most usual extension. Else one that begins as an image whatever its extension, or has that of a
    film or another original. `is_image` reads the first bytes of a file, and is called only where
    names do not decide.
    """
    if len(names) == 1 and _extension(names[0]) in EXTENSIONS:
        return Choice(names[0])
    by_name = {name.lower(): name for name in names}
    for name in wanted:
        if found := by_name.get(name.lower()):
            return Choice(found)
    images = sorted((name for name in names if _extension(name) in EXTENSIONS), key=_rank)
    if len(images) == 1:
        return Choice(images[0])
    if images:
        first, *others = [name for name in images if is_image(name)] or images
        return Choice(first, tuple(others))
    plain = sorted(name for name in names if _extension(name) not in (None, *UNFINISHED))
    if any_name := [name for name in plain if is_image(name)]:
        return Choice(any_name[0], tuple(any_name[1:]))
    return Choice(next((name for name in plain if _extension(name) in OTHER_ORIGINALS), None))


def begins_as_image(path: str, head: Callable[[bytes], object]) -> bool:
    """Return True if a path is a file whose first bytes pass the check `head` (`Check.head`)."""
    try:
        if not os.path.isfile(path):  # noqa: PTH113  (nothing else is opened)
            return False
        with open(path, "rb") as file:  # noqa: PTH123
            head(file.read(_HEAD_BYTES))
    except (OSError, Refusal):
        return False
    return True


def _extension(name: str) -> str | None:
    """Return the extension in lower case, empty if there is none, None if there are several."""
    _, _, extension = name.partition(".")
    return None if "." in extension else extension.lower()


def _rank(name: str) -> tuple[int, str]:
    return _RANKS[_extension(name) or ""], name
