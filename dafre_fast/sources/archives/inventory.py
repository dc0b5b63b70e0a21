"""Inventory: what the entries of a tar archive mean, as `tar` would unpack them one after another.

An entry that is written again replaces the one before. A hard link is the file that its target is
at that place of the archive; a symbolic link is what its target is in the end. Links are followed
within the archive only.
"""

import posixpath
from typing import NamedTuple

from dafre_fast.sources.archives.members import Index, Member, by_key
from dafre_fast.sources.interface import Span

_CIRCLE = "a link that leads round in a circle"
_MOST_LINKS = 40
"""Links that are followed for one name, as by Linux."""


class Link(NamedTuple):
    """A link to another member."""

    name: str
    target: str
    hard: bool


class Inventory:
    """The members of a tar archive by name. Add its entries in their order."""

    def __init__(self) -> None:
        self._entries: dict[str, Member | Link] = {}

    def add(self, entry: Member | Link) -> None:
        """Add the next entry. Of several with one name the last counts."""
        if isinstance(entry, Link) and entry.hard:
            target = self._entries.get(_path(entry.target))
            if isinstance(target, Member):
                entry = target._replace(name=entry.name)
        self._entries[_path(entry.name)] = entry

    def index(self) -> Index:
        """Return the images by key. A link that leads out of the archive is left out, as if it was
        not there; one that leads in a circle cannot be read.
        """
        found = (self._resolved(entry) for entry in self._entries.values())
        return by_key(member for member in found if member)

    def _resolved(self, entry: Member | Link) -> Member | None:
        at: Member | Link | None = entry
        for _ in range(_MOST_LINKS):
            if not isinstance(at, Link):
                return at._replace(name=entry.name) if at else None
            at = self._entries.get(_aim(at)) or self._through_folder(at)
        return Member(entry.name, Span(0, 0), 0, unreadable=_CIRCLE)

    def _through_folder(self, link: Link) -> Link | None:
        """Return the link past a folder on its way that is itself a symbolic link; else None."""
        path = _aim(link)
        at = path.find("/")
        while at >= 0:
            folder = self._entries.get(path[:at])
            if isinstance(folder, Link) and not folder.hard:
                return Link(link.name, posixpath.join(_aim(folder), path[at + 1 :]), hard=True)
            at = path.find("/", at + 1)
        return None


def _aim(link: Link) -> str:
    """Return the path in the archive to which a link leads; that of a symbolic link is relative to
    its own folder.
    """
    if link.hard:
        return _path(link.target)
    return posixpath.normpath(posixpath.join(posixpath.dirname(_path(link.name)), link.target))


def _path(name: str) -> str:
    """Return a name of an archive in one form: `./a//7.jpg` is `a/7.jpg`."""
    return posixpath.normpath(name).lstrip("/")
