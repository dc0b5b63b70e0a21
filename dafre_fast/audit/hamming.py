"""Find all pairs of 256-bit hashes within a Hamming distance, and their components.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): if two hashes differ in at most
d = 16 r + a bits (a < 16), then one of their first a + 1 words of 16 bits differs in at most r
bits, or one of the other words in at most r - 1. Hashes are therefore sorted by each word in turn,
and compared only where these words are that close. No pair is missed and none is found twice.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.daemons import pool
from dafre_fast.core.errors import UsageError
from dafre_fast.core.jit import Kernel

_WORDS, _WORD_BITS = 16, 16
_FIRST_ROOM = 1 << 12
_MOST_PAIRS = 50_000_000
"""More pairs take gigabytes and say nothing: nearly every image then resembles every other."""

_SOURCE = "dafre_fast.audit.compiled.hamming"
_COMPARE = Kernel(
    f"{_SOURCE}:compare",
    "int64(uint64[:, ::1], int32[::1], int64[::1], int64[::1], int64, int64[::1], int64, int64,"
    " int32[:, ::1])",
)
_COMPONENTS = Kernel(f"{_SOURCE}:components", "void(int32[::1], int32[::1], int32[::1])")
_REPRESENTATIVES = Kernel(f"{_SOURCE}:representatives", "void(int32[::1], int32[::1], int32[::1])")
_SPREADS = Kernel(f"{_SOURCE}:spreads", "void(uint64[:, ::1], int64[::1], int32[::1])")

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
    what = hashes[order], order, starts, masks, word, radii, distance, _MOST_PAIRS + 1
    room = np.empty((_FIRST_ROOM, 3), np.int32)
    count = _COMPARE(*what, room)
    if count > len(room):  # many are alike: once more, now that their number is known
        room = np.empty((count, 3), np.int32)
        _COMPARE(*what, room)
    return room[:count]


def components(count: int, first: Indices, second: Indices) -> Indices:
    """Return, for each of `count` nodes, the lowest node of its connected component."""
    root = np.arange(count, dtype=np.int32)
    _COMPONENTS(root, first, second)
    return root


def representatives(count: int, pairs: Pairs) -> Indices:
    """Return, for each of `count` nodes, the node that is kept for it.

    A node is kept unless it forms a pair with a lower kept node; then the nearest of these
    represents it, and among equally near ones the lowest. No two kept nodes form a pair, and every
    other node forms a pair with its representative.
    """
    order = np.lexsort((pairs.first, pairs.distance, pairs.second))
    stays = np.arange(count, dtype=np.int32)
    _REPRESENTATIVES(stays, pairs.first[order], pairs.second[order])
    return stays


def distances(hashes: Hashes, first: Indices, second: Indices) -> Indices:
    """Return the Hamming distance of each pair of indices, in bits."""
    found = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1, dtype=np.int32)
    return np.asarray(found, np.int32)


def spreads(hashes: Hashes, starts: NDArray[np.int64]) -> Indices:
    """Return the largest distance in each run of hashes; run k is starts[k]:starts[k + 1]."""
    largest = np.zeros(len(starts) - 1, np.int32)
    _SPREADS(hashes, starts, largest)
    return largest
