"""Full image and head: bytes on disk to a full image of 256 pixels and a crop at full size.

The head has 16% of the picture. Ours is the function that workers call; peers have the same
settings. The floor is entropy decoding alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import peers
from bench.benchmarks import Workload, each_original
from bench.corpus import HEAD
from bench.measure import Contender
from bench.peers import floor
from bench.records import Role
from dafre_fast.core.settings.images import Recipe
from dafre_fast.pixels.making import make_images

ONE_THREAD = True
_RECIPE = Recipe()


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    found = []
    for part, corpus in workload.corpus.parts():
        compete = partial(each_original, part, corpus)
        found += [
            compete("floor", floor.entropy_decode, Role.FLOOR),
            compete("dafre_fast", _full_and_head),
        ]
        found += [
            compete(name, partial(_with_head, work), Role.PEER)
            for name, work in peers.installed_with_head().items()
        ]
    yield found


def _full_and_head(path: Path) -> None:
    make_images(path.read_bytes(), _RECIPE, box=HEAD)


def _with_head(work: peers.WithHead, path: Path) -> None:
    work(path, tuple(HEAD))
