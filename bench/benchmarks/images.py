"""Images: bytes on disk to the bytes of a full image of 256 pixels, quality 90, 4:2:0.

Ours is the function that workers call; peers have the same settings. The floor is entropy decoding
alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import peers
from bench.benchmarks import Workload, each_original
from bench.measure import Contender
from bench.peers import by_img2dataset, floor
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
            compete("dafre_fast", _full),
        ]
        found += [compete(name, work, Role.PEER) for name, work in peers.installed().items()]
        if by_img2dataset.interpreter():
            take = partial(by_img2dataset.resize, [original.path for original in corpus.originals])
            name, size = "img2dataset's resizer", (len(corpus.originals), corpus.megapixels)
            found.append(Contender(name, take, *size, part, Role.PEER))
    yield found


def _full(path: Path) -> None:
    make_images(path.read_bytes(), _RECIPE)
