from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.audit import hamming
from dafre_fast.audit.hamming import (
    Pairs,
    components,
    distances,
    pairs_within,
    representatives,
    spreads,
)
from dafre_fast.core.errors import UsageError

BITS = 256


def as_hashes(numbers: list[int]) -> np.ndarray:
    data = b"".join(number.to_bytes(BITS // 8, "little") for number in numbers)
    return np.frombuffer(bytearray(data), np.uint64).reshape(-1, 4)


def flipped(number: int, bits: set[int]) -> int:
    for bit in bits:
        number ^= 1 << bit
    return number


def brute(numbers: list[int], distance: int) -> list[tuple[int, int, int]]:
    found = (
        (i, j, (numbers[i] ^ numbers[j]).bit_count())
        for i, j in combinations(range(len(numbers)), 2)
    )
    return [pair for pair in found if pair[2] <= distance]


def found(numbers: list[int], distance: int, threads: int = 1) -> list[tuple[int, ...]]:
    pairs = pairs_within(as_hashes(numbers), distance, threads)
    return sorted(zip(*(part.tolist() for part in pairs), strict=True))


@st.composite
def clusters(draw) -> list[int]:
    """Hashes, and others at most 80 bits away from one of them, spread or within a few words."""
    centres = draw(st.lists(st.integers(0, 2**BITS - 1), min_size=1, max_size=3))
    numbers = [*centres]
    for _ in range(draw(st.integers(0, 12))):
        low = draw(st.sampled_from([0, 0, 16, 100, 192]))
        high = draw(st.sampled_from([low + 15, BITS - 1]))
        bits = draw(st.sets(st.integers(low, min(high, BITS - 1)), max_size=80))
        numbers.append(flipped(draw(st.sampled_from(numbers)), bits))
    return numbers


@given(clusters(), st.integers(0, 63))
def test_the_pairs_found_are_those_that_comparing_all_with_all_finds(numbers, distance) -> None:
    assert found(numbers, distance) == brute(numbers, distance)


@given(st.integers(0, 2**32), st.integers(0, 63))
def test_no_pair_at_the_very_distance_is_missed_wherever_its_bits_are(seed, distance) -> None:
    random = np.random.default_rng(seed)
    numbers = [int.from_bytes(random.bytes(BITS // 8)) for _ in range(20)]
    bits = random.permutation(BITS)[: distance + 1].tolist()
    numbers.append(flipped(numbers[0], set(bits[:distance])))
    numbers.append(flipped(numbers[1], set(bits)))
    assert found(numbers, distance) == brute(numbers, distance) == [(0, 20, distance)]


@pytest.mark.parametrize("distance", range(64))
def test_a_pair_is_found_by_the_only_word_that_can_lead_to_it(distance) -> None:
    radius, rest = divmod(distance, 16)
    limits = [radius if word <= rest else radius - 1 for word in range(16)]
    random = np.random.default_rng(distance)
    numbers = []
    for only in [word for word in range(16) if limits[word] >= 0]:
        differing = [limit + (word != only) for word, limit in enumerate(limits)]
        assert sum(differing) == distance
        bits = {
            16 * word + int(bit)
            for word, count in enumerate(differing)
            for bit in random.permutation(16)[:count]
        }
        number = int.from_bytes(random.bytes(BITS // 8))
        numbers += [number, flipped(number, bits)]
    expected = [(first, first + 1, distance) for first in range(0, len(numbers), 2)]
    assert found(numbers, distance) == expected


@pytest.mark.parametrize("distance", [0, 15, 16, 31, 48, 63])
def test_threads_find_what_one_finds_among_thousands(distance) -> None:
    random = np.random.default_rng(distance)
    centres = [int.from_bytes(random.bytes(BITS // 8)) for _ in range(100)]
    numbers = [
        flipped(centre, set(random.permutation(BITS)[: random.integers(40)].tolist()))
        for centre in centres
        for _ in range(20)
    ]
    hashes = as_hashes(numbers)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=-1)
    first, second = np.nonzero(np.triu(apart <= distance, 1))
    expected = zip(first.tolist(), second.tolist(), apart[first, second].tolist(), strict=True)
    assert found(numbers, distance, threads=3) == [*expected]


def test_more_equal_hashes_than_there_was_room_for_make_all_their_pairs() -> None:
    assert found([7] * 150, 0) == brute([7] * 150, 0)


@pytest.mark.parametrize("numbers", [[], [5]])
def test_fewer_than_two_hashes_make_no_pair(numbers) -> None:
    assert found(numbers, 48) == []


def test_too_many_pairs_are_refused_before_they_take_all_memory(monkeypatch) -> None:
    numbers = [flipped(0, {bit}) for bit in range(100)]
    monkeypatch.setattr(hamming, "_MOST_PAIRS", 99 * 100 // 2)
    assert len(found(numbers, 2)) == 99 * 100 // 2
    monkeypatch.setattr(hamming, "_MOST_PAIRS", 99 * 100 // 2 - 1)
    with pytest.raises(UsageError, match="too much alike"):
        found(numbers, 2)


# Groups from pairs

graphs = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.integers(0, 9))
            .filter(lambda pair: pair[0] != pair[1])
            .map(lambda pair: (min(pair[:2]), max(pair[:2]), pair[2])),
            max_size=15,
            unique_by=lambda pair: pair[:2],
        ),
    )
)


def as_pairs(pairs: list[tuple[int, int, int]]) -> Pairs:
    columns = zip(*pairs, strict=True) if pairs else ((), (), ())
    return Pairs(*(np.array(column, np.int32) for column in columns))


@given(graphs)
def test_a_component_is_all_that_pairs_lead_to_and_is_named_by_its_lowest(graph) -> None:
    count, pairs = graph
    names = list(range(count))
    for _ in range(count):
        for i, j, _distance in pairs:
            names[i] = names[j] = min(names[i], names[j])
    first, second, _ = as_pairs(pairs)
    assert components(count, first, second).tolist() == names


@given(graphs)
def test_no_two_that_stay_make_a_pair_and_what_goes_makes_one_with_the_nearest_that_stays(
    graph,
) -> None:
    count, pairs = graph
    stays = representatives(count, as_pairs(pairs)).tolist()
    kept = [node for node in range(count) if stays[node] == node]
    assert not [pair for pair in pairs if pair[0] in kept and pair[1] in kept]
    for node in set(range(count)) - {*kept}:
        lower = [(bits, i) for i, j, bits in pairs if j == node and i in kept]
        assert stays[node] == min(lower)[1]


def test_the_lowest_of_a_chain_stays_and_so_does_what_makes_no_pair_with_it() -> None:
    pairs = as_pairs([(0, 1, 40), (1, 2, 40), (2, 3, 40)])
    assert representatives(4, pairs).tolist() == [0, 0, 2, 2]


@given(st.lists(st.lists(st.integers(0, 2**BITS - 1), max_size=4), max_size=4))
def test_a_spread_is_the_largest_distance_within_a_run(runs) -> None:
    starts = np.cumsum([0, *map(len, runs)])
    expected = [max((pair[2] for pair in brute(run, BITS)), default=0) for run in runs]
    assert spreads(as_hashes([*chain(*runs)]), starts).tolist() == expected


def test_distances_are_of_pairs_of_indices() -> None:
    hashes = as_hashes([0, 7, 2**BITS - 1])
    first, second = np.array([0, 0, 2]), np.array([1, 2, 2])
    assert distances(hashes, first, second).tolist() == [3, BITS, 0]
