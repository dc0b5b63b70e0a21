"""The start of whole commands: the least that each has to do, with its kernels compiled."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmarks import Workload
from bench.corpus import draw_tables
from bench.measure import Contender, run, timed, timed_in_fresh_folder

_ROWS = 1000


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        faces, tag_ids = draw_tables(folder, _ROWS)
        listed = folder / "one.txt"
        original = next(path for path in sorted(workload.corpus.folder.rglob("*.jpg")))
        listed.write_text(f"{original.resolve()}\n")

        def resize(output: Path) -> None:
            run(*_command("resize"), "--input", listed, "--output", output / "made")

        def labels(output: Path) -> None:
            tables = ("--faces", faces, "--tag-ids", tag_ids)
            run(*_command("labels"), *tables, "--output", output / "labels")

        def prints_help() -> None:
            run(sys.executable, "-m", "dafre_fast", "--help")

        fresh = partial(timed_in_fresh_folder, parent=folder)
        yield [
            Contender(
                "resize one image", partial(fresh, resize), 1, warm_up=partial(fresh, resize)
            ),
            Contender("labels of 1,000 rows", partial(fresh, labels), 1),
            Contender("--help", partial(timed, prints_help), 1),
        ]


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", f"dafre_fast.{name}"]
