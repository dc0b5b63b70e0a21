"""One module per benchmark. Its `contenders(workload)` is a context that gives who competes; its
docstring's first line says at what. `ONE_THREAD` is True where all of them work in this thread.
"""

import hashlib
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from bench import corpus, measure
from bench.corpus import BadInput, Corpus
from bench.measure import Contender, take_turns, timed
from bench.records import Result, Role, Sample

NAMES = tuple(module.name for module in pkgutil.iter_modules(__path__))


class Workload(Struct, frozen=True, kw_only=True):
    """What there is to work on. `folder` is for caches and outputs."""

    corpus: Corpus
    folder: Path
    many: int = 200
    """Whole commands get at least so many originals."""
    rows: int = 977_356
    """Of faces.tsv; the original has as many."""
    records: int = 50_000
    """Of metadata; a million takes the original's scripts a quarter of an hour."""
    jobs: int = 10_000
    """For the pool."""


class Benchmark(Protocol):
    """A module of this package."""

    __doc__: str
    __file__: str

    def contenders(self, workload: Workload) -> AbstractContextManager[Sequence[Contender]]: ...


def load(name: str) -> Benchmark:
    """Raises BadInput where there is no such benchmark."""
    if name not in NAMES:
        raise BadInput(f"{name}: no such benchmark; there are {', '.join(NAMES)}")
    return import_module(f"{__name__}.{name}")  # type: ignore[return-value]


def carry_out(name: str, workload: Workload, rounds: int) -> list[Result]:
    """Measure one benchmark, everyone who competes in turns."""
    with load(name).contenders(workload) as contenders:
        taken = take_turns(contenders, rounds, name)
        return [result(name, contender, samples) for contender, samples in taken]


def result(name: str, contender: Contender, samples: Sequence[Sample]) -> Result:
    """What a contender of a benchmark has to show."""
    return Result(
        benchmark=name,
        source=_source_hash(load(name)),
        contender=contender.name,
        part=contender.part,
        role=contender.role,
        images=contender.images,
        megapixels=contender.megapixels,
        samples=samples,
    )


def each_original(
    part: str,
    corpus: Corpus,
    name: str,
    work: Callable[[Path], object],
    role: Role = Role.OURS,
) -> Contender:
    """Who does something with the path of every original of a part; the first is the warm-up."""
    paths = [original.path for original in corpus.originals]

    def work_on_all() -> None:
        for path in paths:
            work(path)

    size = len(paths), corpus.megapixels
    warm_up = partial(work, paths[0])
    return Contender(name, partial(timed, work_on_all), *size, part, role, warm_up)


def _source_hash(benchmark: Benchmark) -> str:
    """Of the code that decides what is measured and how. Results of different code cannot be
    compared.
    """
    files = (benchmark.__file__, __file__, measure.__file__, corpus.__file__)
    return hashlib.sha256(b"\0".join(Path(file).read_bytes() for file in files)).hexdigest()[:16]
