"""The first answers of a source: when it is asked on, and when not."""

import pytest

from dafre_fast.core.errors import SourceError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.engine.first_answers import FirstAnswers

GIVEN = Fetched("1", path="1.png")


def refused(reason: Reason, detail: str = "http://host/1.png: status 404") -> Fetched:
    return Fetched("1", reason=reason, detail=detail)


def judged(answers: FirstAnswers, *given: Fetched) -> int:
    """Return how many answers were taken before the source was given up."""
    for number, one in enumerate(given):
        try:
            answers.judge(one)
        except SourceError:
            return number
    return len(given)


@pytest.mark.parametrize("reason", [one for one in Reason if one is not Reason.UNAUTHORIZED])
def test_so_many_first_refusals_of_one_kind_are_too_many(reason) -> None:
    assert judged(FirstAnswers(100, gave=False), *[refused(reason)] * 200) == 99


def test_the_message_has_the_cause_and_what_to_do() -> None:
    answers = FirstAnswers(2, gave=False)
    answers.judge(refused(Reason.NOT_FOUND))
    with pytest.raises(SourceError) as stopped:
        answers.judge(refused(Reason.NOT_FOUND))
    assert str(stopped.value) == (
        "the first 2 answers of the source are all not_found, the last: http://host/1.png: status"
        " 404; is the source right? (--give-up 0 asks on nevertheless)"
    )


def test_refusals_of_two_kinds_are_no_verdict() -> None:
    one, other = refused(Reason.NOT_FOUND), refused(Reason.NOT_AN_IMAGE)
    assert judged(FirstAnswers(3, gave=False), one, other, *[one] * 9) == 11


def test_a_source_that_gave_an_original_is_asked_on_whatever_follows() -> None:
    missing = [refused(Reason.NOT_FOUND)] * 200
    assert judged(FirstAnswers(100, gave=False), GIVEN, *missing) == 201
    assert judged(FirstAnswers(100, gave=True), *missing) == 200


def test_a_source_that_gave_nothing_and_wants_a_login_is_not_asked_on() -> None:
    wanted = refused(Reason.UNAUTHORIZED, "status 401; set HF_TOKEN")
    with pytest.raises(SourceError, match="set HF_TOKEN"):
        FirstAnswers(100, gave=False).judge(wanted)
    assert judged(FirstAnswers(100, gave=False), refused(Reason.NOT_FOUND), wanted) == 1


@pytest.mark.parametrize("gave", [True, False])
def test_a_few_originals_that_want_a_login_are_refused_alone_and_ten_in_a_row_are_too_many(
    gave,
) -> None:
    wanted = refused(Reason.UNAUTHORIZED)
    before = [] if gave else [GIVEN]
    few = [*[wanted] * 9, GIVEN] * 5
    assert judged(FirstAnswers(100, gave=gave), *before, *few) == len(before) + 50
    assert judged(FirstAnswers(100, gave=gave), *before, *[wanted] * 20) == len(before) + 9


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.UNAUTHORIZED])
def test_nothing_is_too_much_if_the_user_says_so(reason) -> None:
    assert judged(FirstAnswers(0, gave=False), *[refused(reason)] * 500) == 500
