import polars as pl
import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.tables import Taking
from dafre_fast.tables.taking import take_rows, takes

KEYS = pl.Series(range(100, 0, -1))


def taken(**settings: int) -> list[int]:
    return KEYS.filter(takes(KEYS, Taking(**settings))).to_list()


def test_without_a_number_all_rows_are_taken() -> None:
    assert taken() == KEYS.to_list()


def test_a_limit_takes_the_first_rows() -> None:
    assert taken(limit=3) == [100, 99, 98]


@pytest.mark.parametrize("setting", ["limit", "sample"])
def test_more_than_there_are_is_all(setting) -> None:
    assert taken(**{setting: 1000}) == KEYS.to_list()


def test_a_sample_has_its_number_of_rows_and_keeps_their_order() -> None:
    drawn = taken(sample=10)
    assert len(drawn) == 10
    assert drawn == sorted(drawn, reverse=True)


def test_a_larger_sample_adds_to_a_smaller_one() -> None:
    assert {*taken(sample=10)} < {*taken(sample=11)} < {*taken(sample=60)}


def test_a_sample_is_the_same_however_rows_are_ordered() -> None:
    drawn = KEYS.sort().filter(takes(KEYS.sort(), Taking(sample=10)))
    assert {*drawn} == {*taken(sample=10)}


def test_another_seed_draws_other_rows() -> None:
    assert {*taken(sample=10)} != {*taken(sample=10, seed=1)}


def test_the_first_rows_are_those_of_the_file_where_lines_are_known() -> None:
    rows = pl.DataFrame({"id": [7, 8, 9], "line": [3, 1, 2]})
    assert take_rows(rows, Taking(limit=2))["id"].to_list() == [8, 9]


def test_both_at_once_is_a_wrong_use() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        Taking(limit=1, sample=1)
