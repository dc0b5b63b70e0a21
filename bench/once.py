"""`python -m bench.once NAME --corpus DIR --folder DIR`: one sample of ours, as JSON.

What `bench.compare` calls in each of two versions, and therefore an interface between versions. The
sample is the cheapest of a few rounds, fewer where one takes long: what else the machine does can
only add to the cost.
"""

import sys
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from bench.benchmarks import Workload, carry_out
from bench.corpus import load
from bench.records import Result

_ROUNDS, _ENOUGH_CPU_SECONDS = 5, 4.0


@click.command()
@click.argument("name")
@click.option("--corpus", type=click.Path(path_type=Path), required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def main(name: str, corpus: Path, folder: Path) -> None:
    """Measure one benchmark once, without peers."""
    workload = Workload(corpus=load(corpus), folder=folder)
    results = carry_out(name, workload, _ROUNDS, enough=_ENOUGH_CPU_SECONDS, peers=False)
    sys.stdout.buffer.write(msgspec.json.encode([_cheapest(result) for result in results]) + b"\n")


def _cheapest(result: Result) -> Result:
    return replace(result, samples=[min(result.samples, key=lambda sample: sample.cpu_seconds)])


if __name__ == "__main__":
    main()
