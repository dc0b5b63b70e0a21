"""Find all pairs of 256-bit hashes within a Hamming distance, and their components.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): if two hashes differ in at most
d = 16 r + a bits (a < 16), then one of their first a + 1 words of 16 bits differs in at most r
bits, or one of the other words in at most r - 1. Hashes are therefore sorted by each word in turn,
and compared only where these words are that close. No pair is missed and none is found twice.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dafre_fast.core.daemons import pool
from dafre_fast.core.errors import UsageError
from dafre_fast.core.jit import kernel
from dafre_fast.tables.kernels.vectors import ones

_WORDS, _WORD_BITS = 16, 16
_FIRST_ROOM = 1 << 12
_MOST_PAIRS = 50_000_000
"""More pairs take gigabytes and say nothing: nearly every image then resembles every other."""

Hashes = NDArray[np.uint64]
"""Hashes: shape (n, 4), uint64, C-contiguous."""
Indices = NDArray[np.int32]


class Pairs(NamedTuple):
    """Pairs of indices, `first` below `second`, and the bits in which their hashes differ."""

    first: Indices
    second: Indices
    distance: Indices


def pairs_within(hashes: Hashes, distance: int, threads: int = 1) -> Pairs:
    """Return every pair of hashes that differ in at most `distance` bits, each once, unordered.

    Time grows with n * n / 65,536 * (words within `distance // 16` bits of a word) and with the
    number of pairs, which take 12 bytes each: pass equal hashes only once.

    Raises UsageError if there are more than 50 million pairs.
    """
    radii = _radii(distance)
    with pool(threads) as executor:
        found = [
            *executor.map(lambda word: _pairs_by(hashes, word, radii, distance), range(_WORDS))
        ]
    if sum(map(len, found)) > _MOST_PAIRS:
        message = f"more than {_MOST_PAIRS:,} pairs are within {distance} bits"
        raise UsageError(f"{message}: these pictures are too much alike for this --distance")
    columns = (np.concatenate([rows[:, column] for rows in found]) for column in range(3))
    return Pairs(*columns)


def _radii(distance: int) -> NDArray[np.int64]:
    """Return, for each word, the most bits in which it may differ; -1 if it is not searched."""
    radius, rest = divmod(distance, _WORDS)
    return np.array([radius if word <= rest else radius - 1 for word in range(_WORDS)])


def _masks(radius: int) -> NDArray[np.int64]:
    """Return all words with at most `radius` bits set; none for -1."""
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
    """Tell whether an earlier word finds this pair as well."""
    for k in range(word):
        shift = np.uint64(_WORD_BITS * (k % 4))
        differing = (one[k // 4] ^ other[k // 4]) >> shift & np.uint64(0xFFFF)
        if ones(differing) <= radii[k]:
            return True
    return False


@njit
def _with(room, count, one, other, bits):  # type: ignore[no-untyped-def]
    """Store a pair at index `count`; the array is doubled when it is full."""
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
    """Return up to `most` pairs with distances, for which `word` is the first word that finds them.

    Hashes are sorted by this word; those with value v begin at starts[v]. `order` maps them to
    their original indices.
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
    """Return, for each of `count` nodes, the lowest node of its connected component."""
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
    for node in range(count):  # a root is the lowest node of its component
        root[node] = root[root[node]]
    return root


def representatives(count: int, pairs: Pairs) -> Indices:
    """Return, for each of `count` nodes, the node that is kept for it.

    A node is kept unless it forms a pair with a lower kept node; then the nearest of these
    represents it, and among equally near ones the lowest. No two kept nodes form a pair, and every
    other node forms a pair with its representative.
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
    """Return the Hamming distance of each pair of indices, in bits."""
    found = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1, dtype=np.int32)
    return np.asarray(found, np.int32)


@kernel("int32[::1](uint64[:, ::1], int64[::1])")
def spreads(hashes, starts):  # type: ignore[no-untyped-def]
    """Return the largest distance in each run of hashes; run k is starts[k]:starts[k + 1]."""
    largest = np.zeros(starts.size - 1, np.int32)
    for run in range(largest.size):
        for i in range(starts[run], starts[run + 1]):
            for j in range(i + 1, starts[run + 1]):
                largest[run] = max(largest[run], _distance(hashes[i], hashes[j]))
    return largest
