"""Files beside a model say what its classes are called, how sure a box has to be, and its type."""

import json

import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.pixels.detectors.beside import Beside, read_beside

F1 = {"f1_score": 0.92, "threshold": 0.413}


def test_a_folder_of_deepghs_is_read() -> None:
    found = read_beside(
        {
            "labels.json": b'[\n    "head"\n]',
            "threshold.json": json.dumps(F1).encode(),
            "model_type.json": b'{"model_type": "yolo"}',
        }
    )
    assert found == Beside(("head",), 0.413, {}, "yolo")


def test_no_file_says_nothing() -> None:
    assert read_beside({}) == Beside()


def test_a_threshold_of_the_class_wins_over_that_of_all() -> None:
    data = {**F1, "per_class": {"head": {"f1_score": 0.9, "threshold": 0.3}, "body": {}}}
    found = read_beside({"threshold.json": json.dumps(data).encode()})
    assert [found.threshold_of(label) for label in ("head", "body", "")] == [0.3, 0.413, 0.413]


def test_labels_may_have_numbers() -> None:
    assert read_beside({"labels.json": b'{"1": "body", "0": "head"}'}).labels == ("head", "body")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("labels.json", b""),
        ("labels.json", b"head\nbody\n"),
        ("labels.json", b'"head"'),
        ("labels.json", b"[1, 2]"),
        ("labels.json", b'["h\xff"]'),
        ("labels.json", b'["head"'),
        ("threshold.json", b'{"threshold": 41.3}'),
        ("threshold.json", b'{"threshold": NaN}'),
        ("threshold.json", b'{"threshold": "0.4"}'),
        ("threshold.json", b"0.4"),
        ("model_type.json", b"{}"),
        ("model_type.json", b"[" * 100_000),
    ],
)
def test_a_file_in_another_form_is_refused_by_its_name(name, data) -> None:
    with pytest.raises(UsageError, match=rf"^{name} beside it: ") as refused:
        read_beside({name: data})
    assert "\n" not in str(refused.value)
