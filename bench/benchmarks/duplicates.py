"""Duplicates: hash full images, and find near pairs of hashes. Hashes count as images."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np

from bench.benchmarks import Workload
from bench.measure import Contender, timed
from bench.records import Role
from dafre_fast.audit.hamming import Hashes, pairs_within
from dafre_fast.core.errors import Refusal
from dafre_fast.core.settings.images import Recipe
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.likeness import likeness
from dafre_fast.pixels.making import make_images

ONE_THREAD = True
_PER_DUPLICATE = 10
_FLIPS = 20
_DISTANCES = 31, 48
_SHARE = 50
"""Brute force compares every 50th hash with all others of them."""


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    files, hashes = _full_images(workload), _draw(workload.rows // 2)
    some = hashes[::_SHARE]

    def hash_all() -> None:
        for file, size in files:
            likeness(file, size)

    yield [
        Contender("likeness", partial(timed, hash_all), len(files), part="hash", warm_up=hash_all),
        *(
            Contender(
                f"pairs within {distance} bits",
                partial(timed, partial(pairs_within, hashes, distance)),
                len(hashes),
                part="pairs",
            )
            for distance in _DISTANCES
        ),
        Contender(
            f"all with all, 1 of {_SHARE}",
            partial(timed, partial(_brute, some, _DISTANCES[-1])),
            len(some),
            part="pairs",
            role=Role.PEER,
            at_most=1,
        ),
    ]


def _full_images(workload: Workload) -> list[tuple[bytes, Size]]:
    found = []
    for original in workload.corpus.originals:
        with suppress(Refusal):
            full = make_images(original.path.read_bytes(), Recipe())["full"]
            if full:
                found.append((full.data, Size(full.width, full.height)))
    return found


def _draw(count: int) -> Hashes:
    """Draw random hashes; one in ten is a copy of another with up to 20 bits flipped."""
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, (count, 4), np.uint64)
    copies = np.arange(0, count, _PER_DUPLICATE)
    hashes[copies] = hashes[random.integers(0, count, copies.size)]
    for bits in random.integers(0, 256, (_FLIPS, copies.size)):
        hashes[copies, bits // 64] ^= np.uint64(1) << (bits % 64).astype(np.uint64)
    return hashes


def _brute(hashes: Hashes, distance: int) -> int:
    return sum(
        int((np.bitwise_count(hashes[place] ^ hashes[place + 1 :]).sum(axis=1) <= distance).sum())
        for place in range(len(hashes))
    )
