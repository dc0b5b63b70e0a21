"""Labels: the whole command against the original's scripts. Rows of faces.tsv count as images."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import labels
from bench.benchmarks import Workload
from bench.corpus import draw_tables
from bench.measure import Contender


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        tables = draw_tables(folder, workload.rows)
        yield labels.contenders(*tables, folder, workload.rows)
