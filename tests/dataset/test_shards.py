"""The sequence of samples in shards, and its division among ranks and workers."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.dataset.shards import Division, Order, Reader, Shard

SAMPLES, RANKS, WORKERS = st.integers(0, 300), st.integers(1, 9), st.integers(1, 9)
BATCH = st.none() | st.integers(1, 12)
SIZES = st.lists(st.integers(0, 30), max_size=12)


def shards_of(sizes: list[int]) -> list[Shard]:
    return [Shard(Path(f"{n:05d}.tar"), size, {"full": "jpg"}) for n, size in enumerate(sizes)]


def sequence(shards: list[Shard], seed: str | None) -> list[tuple[str, int]]:
    samples = sum(shard.samples for shard in shards)
    found = Order(shards, seed).at(range(samples))
    return [(shard.path.name, number) for shard, numbers in found for number in numbers]


def of_ranks(division: Division, ranks: int, workers: int) -> list[list[list[int]]]:
    """Return the places that every worker of every rank takes."""
    return [
        [[*division.of(Reader(rank, ranks, worker, workers))] for worker in range(workers)]
        for rank in range(ranks)
    ]


def read_by(ranks: list[list[list[int]]]) -> list[int]:
    return [place for workers in ranks for places in workers for place in places]


def batches(places: list[int], size: int, *, drop_last: bool) -> list[int]:
    """Return the lengths of the batches that a DataLoader makes of what one worker takes."""
    lengths = [len(places[begin : begin + size]) for begin in range(0, len(places), size)]
    return [length for length in lengths if length == size or not drop_last]


@given(SAMPLES, RANKS, WORKERS, BATCH)
def test_all_readers_together_take_every_sample_once(samples, ranks, workers, batch) -> None:
    taken = of_ranks(Division(samples, None, batch), ranks, workers)
    assert sorted(read_by(taken)) == [*range(samples)]
    lengths = [sum(map(len, rank)) for rank in taken]
    assert max(lengths) - min(lengths) <= 1


@given(SAMPLES, RANKS, WORKERS, BATCH)
def test_dropping_leaves_out_the_last_samples_alone(samples, ranks, workers, batch) -> None:
    taken = of_ranks(Division(samples, "drop", batch), ranks, workers)
    assert sorted(read_by(taken)) == [*range(samples - samples % ranks)]


@given(st.integers(1, 300), RANKS, WORKERS, BATCH)
def test_padding_repeats_the_first_samples_alone(samples, ranks, workers, batch) -> None:
    taken = of_ranks(Division(samples, "pad", batch), ranks, workers)
    padded = range(-(-samples // ranks) * ranks)
    assert sorted(read_by(taken)) == sorted(place % samples for place in padded)


@given(
    st.sampled_from(["drop", "pad"]), SAMPLES, RANKS, WORKERS, BATCH, st.integers(1, 12),
    st.booleans(),
)  # fmt: skip
def test_even_ranks_have_equal_batches(even, samples, ranks, workers, batch, size, last) -> None:
    division = Division(samples, even, batch)
    made = [
        [batches(worker, size, drop_last=last) for worker in rank]
        for rank in of_ranks(division, ranks, workers)
    ]
    assert all(rank == made[0] for rank in made)


@given(SAMPLES, WORKERS, st.integers(1, 12))
def test_workers_that_take_batches_leave_one_short_batch_at_most(samples, workers, size) -> None:
    (rank,) = of_ranks(Division(samples, None, size), 1, workers)
    made = [batches(worker, size, drop_last=False) for worker in rank]
    in_turn = [one for round in itertools.zip_longest(*made) for one in round if one]
    full, rest = divmod(samples, size)
    assert in_turn == [size] * full + [rest] * bool(rest)


@given(SIZES)
def test_without_a_seed_samples_come_in_the_order_of_shards(sizes) -> None:
    expected = [(f"{n:05d}.tar", number) for n, size in enumerate(sizes) for number in range(size)]
    assert sequence(shards_of(sizes), None) == expected


@given(SIZES, st.text(min_size=1))
def test_a_seed_mixes_all_samples_the_same_way_every_time(sizes, seed) -> None:
    shards = shards_of(sizes)
    mixed = sequence(shards, seed)
    assert sorted(mixed) == sequence(shards, None)
    assert mixed == sequence(shards, seed)


def test_every_seed_puts_shards_and_samples_in_an_order_of_its_own() -> None:
    orders = [sequence(shards_of([4] * 6), seed) for seed in (None, *map(str, range(20)))]
    assert all(one != other for one, other in itertools.combinations(orders, 2))
    of_shards = [[*dict.fromkeys(name for name, _ in order)] for order in orders]
    assert len({*map(tuple, of_shards)}) > 10


@given(SIZES, st.none() | st.text(min_size=1), RANKS, WORKERS, BATCH)
def test_the_sequence_is_the_same_for_any_number_of_readers(
    sizes, seed, ranks, workers, batch
) -> None:
    order, division = Order(shards_of(sizes), seed), Division(sum(sizes), None, batch)
    whole = sequence([*order.shards], seed)
    for rank, worker in itertools.product(range(ranks), range(workers)):
        places = [*division.of(Reader(rank, ranks, worker, workers))]
        read = [(shard.path.name, n) for shard, numbers in order.at(places) for n in numbers]
        assert read == [whole[place] for place in places]
