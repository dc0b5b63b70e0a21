"""How far people agree who judge images as right or wrong.

Percent agreement: the share of images on which all who judged them say the same.

Cohen's kappa of two people, over the images that both judged (J. Cohen, "A coefficient of agreement
for nominal scales", Educational and Psychological Measurement 20, 1960, pages 37 to 46):

    kappa = (p_o - p_e) / (1 - p_e)

p_o is the share of images with equal verdicts, and p_e the sum over both verdicts of the product of
the shares with which the two people give them.

Fleiss' kappa of more people, over the images that at least two judged, for two verdicts and any
number of people per image (J. L. Fleiss, B. Levin, M. C. Paik, "Statistical Methods for Rates and
Proportions", third edition, 2003, section 18.3):

    kappa = 1 - sum(x_i (m_i - x_i) / m_i) / (n (m - 1) p (1 - p))

x_i of m_i people say right on image i of n; m is the mean of m_i, and p = sum(x_i) / (n m). If m_i
is the same for all images, this is the kappa of J. L. Fleiss, Psychological Bulletin 76, 1971.

Kappa is 1 where all agree, and 0 where they agree as often as chance would have it. It is not
defined if all verdicts are the same, or there is no image.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dafre_fast.gallery.verdicts import RIGHT, SKIPPED, WRONG, Judged, People

_NONE = -1

Table = NDArray[np.int8]
"""Verdicts, int8 (images, people): 1 right, 0 wrong, -1 none."""


class Person(Struct, frozen=True):
    """How many images a person said right and wrong of, and how many were skipped."""

    name: str
    right: int
    wrong: int
    skipped: int


class Pair(Struct, frozen=True):
    """The agreement of two people on the images that both judged."""

    people: tuple[str, str]
    images: int
    same: int
    kappa: float | None


class Agreement(Struct, frozen=True):
    """The agreement of all people: `images` were judged by at least two, and on `same` of them all
    say the same. `kappa` is Fleiss', or Cohen's if there are two people.
    """

    people: Sequence[Person]
    pairs: Sequence[Pair]
    images: int
    same: int
    kappa: float | None


def agreement(people: People) -> Agreement:
    """Return how far people agree, in the order of their names."""
    names, _, table = Judged.of(people)
    pairs = [
        _pair((names[one], names[other]), table[:, [one, other]])
        for one, other in combinations(range(len(names)), 2)
    ]
    shared = table[(table != _NONE).sum(axis=1) > 1]
    kappa = pairs[0].kappa if len(pairs) == 1 else fleiss(table)
    known = [_person(name, people) for name in names]
    return Agreement(known, pairs, len(shared), int(_unanimous(shared).sum()), kappa)


def cohen(table: Table) -> float | None:
    """Return Cohen's kappa of two people; None if it is not defined."""
    both = table[(table != _NONE).all(axis=1)]
    if not len(both):
        return None
    observed = float((both[:, 0] == both[:, 1]).mean())
    first, second = (float(share) for share in both.mean(axis=0))
    expected = first * second + (1 - first) * (1 - second)
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss(table: Table) -> float | None:
    """Return Fleiss' kappa; None if it is not defined."""
    judges, right = (table != _NONE).sum(axis=1), (table == 1).sum(axis=1)
    several = judges > 1
    judges, right = judges[several].astype(np.float64), right[several].astype(np.float64)
    if not len(judges):
        return None
    share = right.sum() / judges.sum()
    if share in {0.0, 1.0}:
        return None
    apart = (right * (judges - right) / judges).sum()
    return float(1 - apart / (len(judges) * (judges.mean() - 1) * share * (1 - share)))


def _pair(names: tuple[str, str], table: Table) -> Pair:
    both = table[(table != _NONE).all(axis=1)]
    return Pair(names, len(both), int(_unanimous(both).sum()), cohen(both))


def _unanimous(table: Table) -> NDArray[np.bool_]:
    """Return on which images all who judged them say the same, bool (images,)."""
    unanimous: NDArray[np.bool_] = ~((table == 1).any(axis=1) & (table == 0).any(axis=1))
    return unanimous


def _person(name: str, people: People) -> Person:
    given = [one.verdict for one in people[name].values()]
    return Person(name, *(given.count(verdict) for verdict in (RIGHT, WRONG, SKIPPED)))
