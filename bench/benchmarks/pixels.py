"""Pixels: the way to a full image stage by stage, each with all that comes before it.

The one place of the suite that knows the functions inside `dafre_fast.pixels`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.benchmarks import Workload
from bench.corpus import Corpus
from bench.measure import Contender, timed, timed_in_fresh_folder
from bench.peers import floor
from bench.records import Role
from dafre_fast.engine.work import make
from dafre_fast.model.records import Wanted
from dafre_fast.model.settings import Recipe
from dafre_fast.pixels import vips
from dafre_fast.pixels.decoding import Original, read_header
from dafre_fast.pixels.making import make_images
from dafre_fast.pixels.planning import plan_image

_RECIPE = Recipe()
_RECIPE_HASH = _RECIPE.hash()


def _decode(path: Path) -> None:
    original, _, eighths = _open(path)
    vips.in_memory(original.at(eighths))


def _resize(path: Path) -> None:
    original, size, eighths = _open(path)
    vips.render(vips.resize(original.at(eighths), size), original.header.orientation)


def _encode(path: Path) -> None:
    make_images(path.read_bytes(), _RECIPE)


def _write(path: Path, folder: Path) -> None:
    make(_RECIPE, _RECIPE_HASH, Wanted(path.stem, str(path), full=f"{folder}/{path.stem}.jpg"))


def _open(path: Path) -> tuple[Original, tuple[int, int], int]:
    data = path.read_bytes()
    header = read_header(data)
    full = plan_image(header, _RECIPE, full=True, box=None).full
    assert full is not None
    return Original(data, header, whole=False), full.size, full.eighths


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    found = []
    for part, corpus in workload.corpus.parts():
        size = len(corpus.originals), corpus.megapixels, part
        found.append(Contender("floor", _each(corpus, floor.entropy_decode), *size, Role.FLOOR))
        stages = {
            "read": Path.read_bytes,
            "+ decode": _decode,
            "+ resize": _resize,
            "+ encode": _encode,
        }
        found += [Contender(name, _each(corpus, work), *size) for name, work in stages.items()]
        writing = partial(timed_in_fresh_folder, partial(_write_all, corpus), workload.folder)
        found.append(Contender("+ write", writing, *size))
    yield found


def _each(corpus: Corpus, work: Callable[[Path], object]) -> Callable:
    def all_of_them() -> None:
        for original in corpus.originals:
            work(original.path)

    return partial(timed, all_of_them)


def _write_all(corpus: Corpus, folder: Path) -> None:
    for original in corpus.originals:
        _write(original.path, folder)
