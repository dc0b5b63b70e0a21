"""The rule by which images are cut into parts."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import UsageError
from dafre_fast.core.parts import Part, ranges
from dafre_fast.core.settings.running import Dividing
from dafre_fast.engine.parts import belongs, own_rows

KEYS = st.lists(
    st.one_of(
        st.integers(0, 10**12).map(str),
        st.integers(0, 10**7).map(lambda image: f"original/{image % 1000:04d}/{image}.png"),
        st.text(min_size=1).filter(lambda text: text.isprintable()),
    ),
    unique=True,
)


def cut(keys: list[str], of: int) -> list[list[str]]:
    own = (belongs(pl.Series(keys, dtype=pl.String), Part(n, of)) for n in range(1, of + 1))
    return [pl.Series(keys, dtype=pl.String).filter(mine).to_list() for mine in own]


@given(KEYS, st.integers(1, 12))
def test_every_image_belongs_to_exactly_one_part(keys, of) -> None:
    assert sorted(key for part in cut(keys, of) for key in part) == sorted(keys)


def test_all_images_of_a_bucket_belong_to_one_part() -> None:
    (part,) = (part for part in cut([f"{7 + 1000 * row}" for row in range(50)], 10) if part)
    assert len(part) == 50


def test_an_image_belongs_to_the_same_part_whatever_else_the_table_has() -> None:
    of_few, of_many = (cut([*map(str, range(count))], 7) for count in (50, 5000))
    assert all({*few} <= {*many} for few, many in zip(of_few, of_many, strict=True))


def test_more_parts_than_buckets_have_ranges_of_ids_of_one_bucket_each() -> None:
    of_bucket = [str(5 + 1000 * row) for row in range(10)]
    keys = pl.Series([*reversed(of_bucket), "6"])
    parts = [keys.filter(belongs(keys, Part(n, 2500))) for n in (6, 7, 1006, 2006)]
    ranges_of_ids = [sorted(part, key=int) for part in parts]
    assert ranges_of_ids == [of_bucket[:4], ["6"], of_bucket[4:7], of_bucket[7:]]


def test_a_file_in_a_bucket_belongs_to_the_part_of_its_id() -> None:
    rows = pl.DataFrame({"key": ["3", "in/0003/7003.png", "1"]})
    assert own_rows(rows, Dividing(part="4/10"))["key"].to_list() == ["3", "in/0003/7003.png"]


def test_without_a_part_all_rows_are_done() -> None:
    rows = pl.DataFrame({"key": ["3", "x"]})
    assert own_rows(rows, Dividing()).equals(rows)


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", "1/3/5", "1 /3", "", "٣/4"]
)
def test_what_is_no_part_is_refused_in_one_line(text) -> None:
    with pytest.raises(UsageError, match=r"must be I/N.* such as 3/10"):
        Dividing(part=text)


def test_numbers_of_parts_are_shown_as_ranges() -> None:
    assert ranges([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9"
