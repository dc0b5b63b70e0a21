"""`python -m bench.player NAME --corpus DIR --folder DIR`: one version's side of a comparison.

It prepares the benchmark. Then, for every line on standard input, it takes one sample of each of
our contenders and prints them as a line of JSON. This is an interface between versions:
`bench.compare` starts two players that take turns.
"""

import os
import sys
from pathlib import Path

import click
import msgspec

from bench.benchmarks import Workload, load, result
from bench.corpus import load as load_corpus
from bench.measure import warm_up
from bench.records import Role

_SMALL = {"many": 60, "rows": 200_000, "records": 10_000, "jobs": 2_000}
"""Many samples of little work tell more than few of much."""


@click.command()
@click.argument("name")
@click.option("--corpus", type=click.Path(path_type=Path), required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def main(name: str, corpus: Path, folder: Path) -> None:
    """Take samples of one benchmark on demand."""
    benchmark = load(name)
    workload = Workload(corpus=load_corpus(corpus), folder=folder, **_SMALL)
    with benchmark.contenders(workload) as everyone:
        ours = [contender for contender in everyone if contender.role is Role.OURS]
        warm_up(ours)
        if getattr(benchmark, "ONE_THREAD", False):
            _stay_on_one_core()
        for _ in sys.stdin:
            results = [result(name, contender, [contender.take()]) for contender in ours]
            sys.stdout.buffer.write(msgspec.json.encode(results) + b"\n")
            sys.stdout.buffer.flush()


def _stay_on_one_core() -> None:
    """Bind this process to the first core, the same one for both players.

    Load on neighbouring cores, above all on the other hyperthread, can change the CPU time of the
    same work by half.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
