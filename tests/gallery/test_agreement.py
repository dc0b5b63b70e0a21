"""Agreement of people, against tables and formulas that are known."""

from datetime import UTC, datetime

import numpy as np
import pytest

from dafre_fast.gallery.agreement import agreement, cohen, fleiss
from dafre_fast.gallery.verdicts import Judged, Verdict, merge

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def said(**people: str) -> dict[str, dict[int, Verdict]]:
    """Return verdicts by letters, image by image: r, w, s, and - for none."""
    words = {"r": "right", "w": "wrong", "s": "skipped"}
    return {
        name: {
            image: Verdict(words[letter], NOW)
            for image, letter in enumerate(letters)
            if letter in words
        }
        for name, letters in people.items()
    }


def table(people: dict[str, str]) -> np.ndarray:
    value = {"r": 1, "w": 0, "-": -1}
    return np.array([[value[one] for one in row] for row in people.values()], np.int8).T


def test_cohens_kappa_is_that_of_a_known_table() -> None:
    # 50 images: both right 20, both wrong 15, the first alone right 5, the second alone right 10.
    # p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, and kappa = 0.4.
    people = said(anna="r" * 20 + "w" * 15 + "r" * 5 + "w" * 10, ben="r" * 20 + "w" * 20 + "r" * 10)
    found = agreement(people)
    (pair,) = found.pairs
    assert (pair.people, pair.images, pair.same) == (("anna", "ben"), 50, 35)
    assert pair.kappa == pytest.approx(0.4)
    assert found.kappa == pair.kappa


def fleiss_1971(rows: np.ndarray) -> float:
    """The formula of 1971, for counts (images, verdicts) of equally many people per image."""
    judges = rows.sum(axis=1)[0]
    of_image = ((rows**2).sum(axis=1) - judges) / (judges * (judges - 1))
    expected = ((rows.sum(axis=0) / rows.sum()) ** 2).sum()
    return (of_image.mean() - expected) / (1 - expected)


@pytest.mark.parametrize("seed", range(5))
def test_fleiss_kappa_is_that_of_1971_where_all_judge_all(seed) -> None:
    verdicts = np.random.default_rng(seed).integers(0, 2, (40, 4)).astype(np.int8)
    counts = np.stack([(verdicts == 1).sum(axis=1), (verdicts == 0).sum(axis=1)], axis=1)
    assert fleiss(verdicts) == pytest.approx(fleiss_1971(counts))


def test_fleiss_kappa_takes_images_that_at_least_two_judged() -> None:
    few = table({"a": "rrwr-", "b": "rww-r", "c": "-rw--"})
    # Images 0 to 2 count: 2 of 2 people say right, 2 of 3, and 0 of 3.
    apart, mean, share = 2 * 1 / 3, 8 / 3, 4 / 8
    expected = 1 - apart / (3 * (mean - 1) * share * (1 - share))
    assert fleiss(few) == pytest.approx(expected)


def test_kappa_is_one_where_all_agree_and_below_nothing_where_they_contradict() -> None:
    assert cohen(table({"a": "rwrw", "b": "rwrw"})) == 1
    assert cohen(table({"a": "rwrw", "b": "wrwr"})) == -1
    assert fleiss(table({"a": "rwrw", "b": "rwrw", "c": "rwrw"})) == 1


@pytest.mark.parametrize("letters", ["rrrr", "wwww", "----", ""])
def test_kappa_is_not_defined_without_two_different_verdicts(letters) -> None:
    people = said(a=letters, b=letters, c=letters)
    assert agreement(people).kappa is None
    assert all(pair.kappa is None for pair in agreement(people).pairs)


def test_people_who_share_no_image_have_no_agreement() -> None:
    found = agreement(said(a="rr--", b="--ww"))
    assert (found.images, found.pairs[0].images, found.kappa) == (0, 0, None)
    assert agreement({}).people == []


def test_skipped_images_are_counted_and_do_not_count() -> None:
    found = agreement(said(a="rsw", b="rrs"))
    assert [(one.name, one.right, one.wrong, one.skipped) for one in found.people] == [
        ("a", 1, 1, 1),
        ("b", 2, 0, 1),
    ]
    assert found.images == found.pairs[0].images == 1


def test_together_people_say_right_or_wrong_only_if_nobody_says_otherwise() -> None:
    people = said(a="rrw-s", b="rww--", c="r--ws")
    found = Judged.of(people)
    assert found.ids.tolist() == [0, 1, 2, 3]
    assert found.together.tolist() == ["right", "disputed", "wrong", "wrong"]
    assert (found.right.tolist(), found.wrong.tolist()) == ([3, 1, 0, 0], [0, 1, 2, 1])


def test_of_two_verdicts_of_one_person_the_later_counts() -> None:
    later = Verdict("wrong", datetime(2024, 2, 1, tzinfo=UTC))
    for several in ([said(a="r"), {"a": {0: later}}], [{"a": {0: later}}, said(a="r")]):
        assert merge(several) == {"a": {0: later}}
