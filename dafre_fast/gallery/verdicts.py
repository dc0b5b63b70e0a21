"""Verdicts of people on images: right, wrong, or skipped for now; one of each person on an image.

They are lines of the file of marks (`gallery.marks`) with the name of the person.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.errors import InputError

if TYPE_CHECKING:
    from dafre_fast.gallery.marks import Act

RIGHT, WRONG, SKIPPED = "right", "wrong", "skipped"
DISPUTED, NONE = "disputed", "none"
"""Verdicts of all together: people disagree, or nobody has judged the image."""
JUDGED = (RIGHT, WRONG)
TOGETHER = (RIGHT, WRONG, DISPUTED, NONE)


class Verdict(NamedTuple):
    """A verdict, and when it was given."""

    verdict: str
    time: datetime


People = Mapping[str, Mapping[int, Verdict]]
"""The verdicts of each person by the id of the image."""


class Verdicts:
    """The verdicts of the lines of a file, taken one after the other."""

    def __init__(self) -> None:
        self.people = dict[str, dict[int, Verdict]]()
        self._before = dict[str, list[dict[int, Verdict | None]]]()

    def take(self, act: "Act") -> None:
        """Take a line: a verdict on images, its withdrawal, or what undoes the last of them."""
        if not act.undoes and act.mark not in _VALUES:
            raise InputError(f"{act.mark!r} is no verdict")
        own, before = self.people.setdefault(act.by, {}), self._before.setdefault(act.by, [])
        if act.undoes:
            for image, verdict in before.pop().items() if before else ():
                _put(own, image, verdict)
            return
        before.append({image: own.get(image) for image in act.ids})
        for image in act.ids:
            _put(own, image, Verdict(act.mark, act.time) if act.on else None)

    def last(self, person: str) -> Sequence[int]:
        """Return the images of what the person would undo."""
        before = self._before.get(person)
        return [*before[-1]] if before else []


def _put(own: dict[int, Verdict], image: int, verdict: Verdict | None) -> None:
    if verdict is None:
        own.pop(image, None)
    else:
        own[image] = verdict


def merge(several: Sequence[People]) -> dict[str, Mapping[int, Verdict]]:
    """Return the verdicts of several files. If a person has two on an image, the later counts."""
    found = dict[str, Mapping[int, Verdict]]()
    for people in several:
        for person, verdicts in people.items():
            known = found.get(person)
            found[person] = {**verdicts} if known is None else _merged(known, verdicts)
    return found


def _merged(one: Mapping[int, Verdict], other: Mapping[int, Verdict]) -> dict[int, Verdict]:
    later = (
        (image, verdict)
        for image, verdict in other.items()
        if image not in one or one[image].time <= verdict.time
    )
    return {**one, **dict(later)}


class Judged(NamedTuple):
    """The verdicts of people as a table: `names` (people), ids of images, int64 (images,),
    ascending, and `table`, int8 (images, people): 1 right, 0 wrong, -1 none.
    """

    names: Sequence[str]
    ids: NDArray[np.int64]
    table: NDArray[np.int8]

    @classmethod
    def of(cls, people: People) -> "Judged":
        """Return the table of all people who have said something, by their names."""
        names = sorted(name for name, verdicts in people.items() if verdicts)
        columns = [_column(people[name]) for name in names]
        ids = np.unique(np.concatenate([np.empty(0, np.int64), *(own for own, _ in columns)]))
        table = np.full((len(ids), len(names)), -1, np.int8)
        for number, (own, right) in enumerate(columns):
            table[np.searchsorted(ids, own), number] = right
        return cls(names, ids, table)

    @property
    def right(self) -> NDArray[np.int64]:
        """How many people say right, int64 (images,)."""
        return np.asarray((self.table == 1).sum(axis=1))

    @property
    def wrong(self) -> NDArray[np.int64]:
        """How many people say wrong, int64 (images,)."""
        return np.asarray((self.table == 0).sum(axis=1))

    @property
    def together(self) -> NDArray[np.str_]:
        """Return the verdict of all on each image: right or wrong if all who judged it say so, else
        disputed.
        """
        right, wrong = self.right > 0, self.wrong > 0
        return np.where(right & wrong, DISPUTED, np.where(right, RIGHT, WRONG))


def _column(verdicts: Mapping[int, Verdict]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the images that a person has judged, and on which the verdict is right."""
    ids = np.fromiter(verdicts, np.int64, len(verdicts))
    said = np.fromiter((_VALUES[one[0]] for one in verdicts.values()), np.int8, len(verdicts))
    return ids[said >= 0], said[said >= 0] == 1


_VALUES = {RIGHT: 1, WRONG: 0, SKIPPED: -1}


def verdicts_on(people: People, image: int) -> dict[str, str]:
    """Return what each person says about an image, by name."""
    return {
        person: verdicts[image].verdict
        for person, verdicts in sorted(people.items())
        if image in verdicts
    }
