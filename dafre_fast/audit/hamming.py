"""All pairs of 256-bit hashes within a Hamming distance, and what follows from pairs.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): of two hashes that differ in at most
d = 16 r + a bits (a < 16), one of the first a + 1 of their 16 words differs in at most r bits, or
one of the others in at most r - 1. So hashes are sorted by each word in turn, and only those are
compared whose words are that near. No pair is missed, and none is found twice.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dafre_fast.core.errors import UsageError
from dafre_fast.core.jit import kernel
from dafre_fast.tables.kernels.vectors import ones

_WORDS, _WORD_BITS = 16, 16
_FIRST_ROOM = 1 << 12
_MOST_PAIRS = 50_000_000
"""More take more gigabytes than one may have, and tell no more: nearly all is like all else."""

Hashes = NDArray[np.uint64]
"""Shape (n, 4), uint64, C-contiguous."""
Indices = NDArray[np.int32]


class Pairs(NamedTuple):
    """Pairs of indices, `first` below `second`, and the bits in which their hashes differ."""

    first: Indices
    second: Indices
    distance: Indices


def pairs_within(hashes: Hashes, distance: int, threads: int = 1) -> Pairs:
    """All pairs of hashes that differ in `distance` bits or fewer, each once, in no order.

    Takes time in proportion to n * n / 65,536 * the number of words within `distance // 16` bits of
    one, and time and 12 bytes for each pair: hashes that are equal should be given once.

    Raises UsageError where pairs are too many.
    """
    radii = _radii(distance)
    with ThreadPoolExecutor(threads) as pool:
        found = [*pool.map(lambda word: _pairs_by(hashes, word, radii, distance), range(_WORDS))]
    if sum(map(len, found)) > _MOST_PAIRS:
        message = f"more than {_MOST_PAIRS:,} pairs are within {distance} bits"
        raise UsageError(f"{message}: these pictures are too much alike for this --distance")
    columns = (np.concatenate([rows[:, column] for rows in found]) for column in range(3))
    return Pairs(*columns)


def _radii(distance: int) -> NDArray[np.int64]:
    """Bits in which each word may differ at most to lead to a pair; -1 where it leads to none."""
    radius, rest = divmod(distance, _WORDS)
    return np.array([radius if word <= rest else radius - 1 for word in range(_WORDS)])


def _masks(radius: int) -> NDArray[np.int64]:
    """All words of at most so many bits; of -1 none."""
    chosen = (
        bits for count in range(radius + 1) for bits in combinations(range(_WORD_BITS), count)
    )
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], np.int64)


def _pairs_by(hashes: Hashes, word: int, radii: NDArray[np.int64], distance: int) -> Indices:
    values = hashes.view(np.uint16)[:, word]
    order = np.argsort(values, kind="stable").astype(np.int32)
    starts = np.zeros((1 << _WORD_BITS) + 1, np.int64)
    np.cumsum(np.bincount(values, minlength=1 << _WORD_BITS), out=starts[1:])
    masks = _masks(radii[word])
    found: Indices = _compare(
        hashes[order], order, starts, masks, word, radii, distance, _MOST_PAIRS + 1
    )
    return found


@njit
def _distance(one, other):  # type: ignore[no-untyped-def]
    bits = ones(one[0] ^ other[0]) + ones(one[1] ^ other[1])
    return bits + ones(one[2] ^ other[2]) + ones(one[3] ^ other[3])


@njit
def _found_before(one, other, word, radii):  # type: ignore[no-untyped-def]
    """True where a word before this one leads to the pair as well."""
    for k in range(word):
        shift = np.uint64(_WORD_BITS * (k % 4))
        differing = (one[k // 4] ^ other[k // 4]) >> shift & np.uint64(0xFFFF)
        if ones(differing) <= radii[k]:
            return True
    return False


@njit
def _with(room, count, one, other, bits):  # type: ignore[no-untyped-def]
    """Room with a pair behind `count` others, twice as much of it where it was full."""
    if count == room.shape[0]:
        room = np.concatenate((room, np.empty_like(room)))
    room[count, 0], room[count, 1], room[count, 2] = min(one, other), max(one, other), bits
    return room


@kernel(
    "int32[:, ::1](uint64[:, ::1], int32[::1], int64[::1], int64[::1], int64, int64[::1], int64,"
    " int64)",
    nogil=True,
)
def _compare(hashes, order, starts, masks, word, radii, distance, most):  # type: ignore[no-untyped-def]
    """Pairs and distances, no more than `most`, of which this word is the first that leads to them.
    Hashes come sorted by it, those of value v from starts[v] on; `order` has what their indices
    were.
    """
    room = np.empty((_FIRST_ROOM, 3), np.int32)
    count = 0
    for value in range(starts.size - 1):
        if starts[value] == starts[value + 1]:
            continue
        for mask in masks:
            other = value ^ mask
            if other < value:
                continue
            for i in range(starts[value], starts[value + 1]):
                one, two = hashes[i, 0], hashes[i, 1]
                for j in range(i + 1 if mask == 0 else starts[other], starts[other + 1]):
                    if ones(one ^ hashes[j, 0]) + ones(two ^ hashes[j, 1]) > distance:
                        continue
                    bits = _distance(hashes[i], hashes[j])
                    if bits > distance or _found_before(hashes[i], hashes[j], word, radii):
                        continue
                    if count == most:
                        return room
                    room = _with(room, count, order[i], order[j], bits)
                    count += 1
    return room[:count].copy()


@kernel("int32[::1](int64, int32[::1], int32[::1])")
def components(count, first, second):  # type: ignore[no-untyped-def]
    """Of each of `count` nodes the lowest that pairs connect it with, over any number of steps."""
    root = np.arange(count).astype(np.int32)
    for pair in range(first.size):
        a, b = first[pair], second[pair]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        root[max(a, b)] = min(a, b)
    for node in range(count):  # a root is below what it is the root of
        root[node] = root[root[node]]
    return root


def representatives(count: int, pairs: Pairs) -> Indices:
    """Of each of `count` nodes the one that stays in its stead: itself, unless a lower one that it
    makes a pair with stays; then the nearest of these, and of equally near ones the lowest.

    So no two that stay make a pair, and whatever goes makes a pair with what stays for it.
    """
    order = np.lexsort((pairs.first, pairs.distance, pairs.second))
    found: Indices = _representatives(count, pairs.first[order], pairs.second[order])
    return found


@kernel("int32[::1](int64, int32[::1], int32[::1])")
def _representatives(count, first, second):  # type: ignore[no-untyped-def]
    stays = np.arange(count).astype(np.int32)
    for pair in range(first.size):
        a, b = first[pair], second[pair]
        if stays[b] == b and stays[a] == a:
            stays[b] = a
    return stays


def distances(hashes: Hashes, first: Indices, second: Indices) -> Indices:
    """Of each pair of indices."""
    found = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1, dtype=np.int32)
    return np.asarray(found, np.int32)


@kernel("int32[::1](uint64[:, ::1], int64[::1])")
def spreads(hashes, starts):  # type: ignore[no-untyped-def]
    """The largest distance within each run of hashes; run k is starts[k] ... starts[k + 1]."""
    largest = np.zeros(starts.size - 1, np.int32)
    for run in range(largest.size):
        for i in range(starts[run], starts[run + 1]):
            for j in range(i + 1, starts[run + 1]):
                largest[run] = max(largest[run], _distance(hashes[i], hashes[j]))
    return largest
