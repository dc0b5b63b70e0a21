"""Stretches of shards: who reads which samples."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.dataset.shards import Shard, mixed, stretch


def shards_of(sizes: list[int]) -> list[Shard]:
    return [Shard(Path(f"{n:05d}.tar"), size, {"full": "jpg"}) for n, size in enumerate(sizes)]


def taken(shards: list[Shard], place: int, places: int) -> list[tuple[str, int]]:
    parts = stretch(shards, place, places)
    return [(shard.path.name, number) for shard, numbers in parts for number in numbers]


SIZES = st.lists(st.integers(0, 30), max_size=12)


@given(SIZES, st.integers(1, 20))
def test_all_readers_together_take_every_sample_once_and_in_order(sizes, places) -> None:
    shards = shards_of(sizes)
    read = [one for place in range(places) for one in taken(shards, place, places)]
    assert read == [(s.path.name, number) for s in shards for number in range(s.samples)]


@given(SIZES, st.integers(1, 20))
def test_no_reader_takes_more_than_one_sample_more_than_another(sizes, places) -> None:
    lengths = [len(taken(shards_of(sizes), place, places)) for place in range(places)]
    assert max(lengths) - min(lengths) <= 1


@given(SIZES, st.text())
def test_mixing_keeps_all_shards_and_is_the_same_for_the_same_seed(sizes, seed) -> None:
    shards = shards_of(sizes)
    assert sorted(mixed(shards, seed)) == sorted(shards)
    assert mixed(shards, seed) == mixed(shards, seed)


def test_every_seed_puts_shards_in_an_order_of_its_own() -> None:
    shards = shards_of([1] * 12)
    orders = [mixed(shards, str(seed)) for seed in range(20)]
    assert all(order != shards for order in orders)
    assert all(one != other for one, other in itertools.combinations(orders, 2))
