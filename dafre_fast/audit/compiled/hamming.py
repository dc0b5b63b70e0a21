"""Compiled comparing of hashes, as `audit.hamming` describes it."""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.tables.kernels.compiled.vectors import ones

_WORD_BITS = 16


@inlined
def _distance(one, other):  # type: ignore[no-untyped-def]
    bits = ones(one[0] ^ other[0]) + ones(one[1] ^ other[1])
    return bits + ones(one[2] ^ other[2]) + ones(one[3] ^ other[3])


@inlined
def _found_before(one, other, word, radii):  # type: ignore[no-untyped-def]
    """Tell whether an earlier word finds this pair as well."""
    for k in range(word):
        shift = np.uint64(_WORD_BITS * (k % 4))
        differing = (one[k // 4] ^ other[k // 4]) >> shift & np.uint64(0xFFFF)
        if ones(differing) <= radii[k]:
            return True
    return False


@inlined
def _store(room, count, one, other, bits):  # type: ignore[no-untyped-def]
    """Store a pair at index `count`, if there is room."""
    if count < room.shape[0]:
        room[count, 0], room[count, 1], room[count, 2] = min(one, other), max(one, other), bits


def compare(hashes, order, starts, masks, word, radii, distance, most, room):  # type: ignore[no-untyped-def]
    """Return how many pairs there are, up to `most`, for which `word` is the first word that finds
    them; write them with their distances to `room`, as many as it holds.

    Hashes are sorted by this word; those with value v begin at starts[v]. `order` maps them to
    their original indices.
    """
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
                        return count
                    _store(room, count, order[i], order[j], bits)
                    count += 1
    return count


def components(root, first, second):  # type: ignore[no-untyped-def]
    """Turn the nodes in `root`, each its own, into the lowest nodes of their components."""
    for pair in range(first.size):
        a, b = first[pair], second[pair]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        root[max(a, b)] = min(a, b)
    for node in range(root.size):  # a root is the lowest node of its component
        root[node] = root[root[node]]


def representatives(stays, first, second):  # type: ignore[no-untyped-def]
    """Turn the nodes in `stays`, each its own, into the ones that are kept for them."""
    for pair in range(first.size):
        a, b = first[pair], second[pair]
        if stays[b] == b and stays[a] == a:
            stays[b] = a


def spreads(hashes, starts, largest):  # type: ignore[no-untyped-def]
    """Write the largest distance in each run of hashes to `largest`, which is all zero."""
    for run in range(largest.size):
        for i in range(starts[run], starts[run + 1]):
            for j in range(i + 1, starts[run + 1]):
                largest[run] = max(largest[run], _distance(hashes[i], hashes[j]))
