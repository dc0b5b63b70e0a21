"""`python -m bench.once NAME --corpus DIR --folder DIR`: one sample of ours, as JSON.

What `bench.compare` calls in each of two versions, and therefore an interface between versions.
"""

import sys
from pathlib import Path

import click
import msgspec

from bench.benchmarks import Workload, carry_out
from bench.corpus import load


@click.command()
@click.argument("name")
@click.option("--corpus", type=click.Path(path_type=Path), required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def main(name: str, corpus: Path, folder: Path) -> None:
    """Measure one benchmark once, without peers."""
    results = carry_out(name, Workload(corpus=load(corpus), folder=folder), rounds=1, peers=False)
    sys.stdout.buffer.write(msgspec.json.encode(results) + b"\n")


if __name__ == "__main__":
    main()
