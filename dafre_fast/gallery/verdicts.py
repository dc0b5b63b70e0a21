"""Verdicts of people on images: right, wrong, or skipped for now; one of each person on an image.

They are lines of the file of marks (`gallery.marks`) with the name of the person.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dafre_fast.gallery.marks import Act

RIGHT, WRONG, SKIPPED = "right", "wrong", "skipped"
DISPUTED, NONE = "disputed", "none"
"""What people say together: they disagree, or nobody has judged the image."""
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


def merge(several: Iterable[People]) -> dict[str, dict[int, Verdict]]:
    """Return the verdicts of several files. If a person has two on an image, the later counts."""
    found = dict[str, dict[int, Verdict]]()
    for people in several:
        for person, verdicts in people.items():
            own = found.setdefault(person, {})
            for image, verdict in verdicts.items():
                if image not in own or own[image].time <= verdict.time:
                    own[image] = verdict
    return found


def together(people: People) -> dict[int, str]:
    """Return what people say together on each image that somebody has judged: right or wrong if
    all of them say so, else disputed.
    """
    found = dict[int, str]()
    for verdicts in people.values():
        for image, (verdict, _) in verdicts.items():
            if verdict in JUDGED:
                known = found.setdefault(image, verdict)
                found[image] = known if known == verdict else DISPUTED
    return found


def verdicts_on(people: People, image: int) -> dict[str, str]:
    """Return what each person says about an image, by name."""
    return {
        person: verdicts[image].verdict
        for person, verdicts in sorted(people.items())
        if image in verdicts
    }


def votes(people: People) -> dict[int, Counter[str]]:
    """Return how many people say right, and wrong, on each image that somebody has judged."""
    found = dict[int, Counter[str]]()
    for verdicts in people.values():
        for image, (verdict, _) in verdicts.items():
            if verdict in JUDGED:
                found.setdefault(image, Counter())[verdict] += 1
    return found
