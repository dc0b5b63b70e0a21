import pickle

import msgspec
import pytest

from dafre_fast.core.reasons import Note, Proof, Reason, RowProblem

ALL = [*Reason, *Note, *Proof, *RowProblem]


@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{type(one).__name__}.{one.name}")
def test_every_cause_is_a_sentence_and_its_value_the_name_in_small_letters(one):
    assert one.value == str(one) == one.name.lower()
    assert one.cause[0].isupper()
    assert one.cause.endswith(".")


def test_no_two_of_a_set_have_one_cause():
    for kind in (Reason, Note, Proof, RowProblem):
        assert len({one.cause for one in kind}) == len(kind)


def test_they_travel_as_their_text():
    assert msgspec.json.encode(Reason.CORRUPT) == b'"corrupt"'
    assert msgspec.json.decode(b'"corrupt"', type=Reason) is Reason.CORRUPT
    assert pickle.loads(pickle.dumps(Reason.CORRUPT)) is Reason.CORRUPT
