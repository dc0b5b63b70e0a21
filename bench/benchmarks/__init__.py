"""One module per benchmark. Its `contenders(workload)` is a context that gives the contenders.

The first line of its docstring says what it measures. `ONE_THREAD` is True if all contenders work
in the calling thread.
"""

import ast
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
GROUPS = {
    "images": ("images", "full_and_head", "pixels", "busy"),
    "start": ("start", "pool"),
    "download": ("download", "dataset", "coordinator"),
    "tables": ("labels", "boxes", "tags", "shards"),
}
"""Benchmarks that are compared together, in ten minutes at most."""


class Workload(Struct, frozen=True, kw_only=True):
    """The amount of work of all benchmarks. `folder` is for caches and outputs."""

    corpus: Corpus
    folder: Path
    many: int = 200
    """The least number of originals for whole commands."""
    rows: int = 977_356
    """Rows of faces.tsv; as many as in DAF:re."""
    records: int = 50_000
    """Records of metadata. The scripts of DAF:re take a quarter of an hour for a million."""
    jobs: int = 10_000
    """Jobs of the pool."""
    detector: Path | None = None
    """The ONNX file of a detector of heads; without one, a network is drawn."""


class Benchmark(Protocol):
    """A module of this package."""

    __doc__: str
    __file__: str

    def contenders(self, workload: Workload) -> AbstractContextManager[Sequence[Contender]]: ...


def load(name: str) -> Benchmark:
    """Import the benchmark `name`. Raises BadInput if there is none."""
    if name not in NAMES:
        raise BadInput(f"{name}: no such benchmark; there are {', '.join(NAMES)}")
    return import_module(f"{__name__}.{name}")  # type: ignore[return-value]


def carry_out(name: str, workload: Workload, rounds: int) -> list[Result]:
    """Measure one benchmark, with all contenders in turns."""
    with load(name).contenders(workload) as contenders:
        taken = take_turns(contenders, rounds, name)
        return [result(name, contender, samples) for contender, samples in taken]


def result(name: str, contender: Contender, samples: Sequence[Sample]) -> Result:
    """Return the result of one contender of a benchmark."""
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
    """Return a contender that calls `work` with the path of every original of a part.

    The warm-up calls it with the first one.
    """
    paths = [original.path for original in corpus.originals]

    def work_on_all() -> None:
        for path in paths:
            work(path)

    size = len(paths), corpus.megapixels
    warm_up = partial(work, paths[0])
    return Contender(name, partial(timed, work_on_all), *size, part, role, warm_up)


def _source_hash(benchmark: Benchmark) -> str:
    """Return a hash of the code that measures. Results of different code cannot be compared.

    Imports, texts and comments do not count, so that files may move.
    """
    files = (benchmark.__file__, __file__, measure.__file__, corpus.__file__)
    code = b"\0".join(_code(Path(file).read_bytes()) for file in files)
    return hashlib.sha256(code).hexdigest()[:16]


def _code(source: bytes) -> bytes:
    """Return a module's statements without its imports and docstrings."""
    module = ast.parse(source)
    for node in ast.walk(module):
        if isinstance(body := getattr(node, "body", None), list):
            kept = [one for one in body if not _is_apart(one)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.dump(module).encode()


def _is_apart(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
