import unicodedata

import polars as pl
import pytest

from dafre_fast.tables.image_paths import image_paths
from dafre_fast.tables.keys import ids_of


def ids(*keys: str | None) -> list[int | None]:
    return ids_of(pl.Series(keys, dtype=pl.String)).to_list()


def test_a_key_that_is_written_as_an_id_is_that_id() -> None:
    assert ids("0", "7", "332446", "9" * 18) == [0, 7, 332446, 10**18 - 1]


@pytest.mark.parametrize(
    "key",
    [
        "007",
        "-7",
        "7.0",
        "9" * 19,
        "../../etc/passwd",
        "a\0b",
        "k" * 100_000,
        "é",
        " ",
        "COM1",
        "٣",
    ],
)
def test_any_other_key_gets_an_id_of_18_digits(key) -> None:
    (number,) = ids(key)
    assert len(str(number)) == 18
    path = pl.DataFrame({"id": [number]}).select(image_paths()).item()
    assert path == f"{str(number)[-3:]:0>4}/{number}.jpg"


def test_keys_that_differ_in_case_or_in_unicode_form_are_different_images() -> None:
    forms = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    assert len({*ids("a", "A", "7", "007", *forms)}) == 6


def test_neither_order_nor_other_rows_change_an_id() -> None:
    assert ids("a", "b", "3") == ids("3", "b", "a")[::-1]
    assert ids("b") == ids("a", "b")[1:]


def test_a_row_without_a_key_has_no_id() -> None:
    assert ids(None, "1") == [None, 1]
