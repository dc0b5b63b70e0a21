"""`python -m bench [NAME…]`: measure, print, write one JSON file per run, and draw charts.

`python -m bench scale` is `bench.scale`, and `python -m bench gallery` is `bench.gallery`.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bench import chart, environment, table
from bench.benchmarks import NAMES, Workload, carry_out, load
from bench.corpus import prepare
from bench.records import Result, Run


@click.command(epilog=f"Benchmarks: {', '.join(NAMES)}.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Folder of originals to measure on."
)
@click.option("--images", type=click.IntRange(1), default=50, help="Number of originals, at most.")
@click.option("--samples", type=click.IntRange(1), default=7, help="Samples of every contender.")
@click.option("--rows", type=click.IntRange(1), default=977_356, help="Rows of faces.tsv.")
@click.option("--records", type=click.IntRange(1), default=50_000, help="Records of metadata.")
@click.option("--jobs", type=click.IntRange(1), default=10_000, help="Jobs of the pool.")
@click.option("--many", type=click.IntRange(1), default=200, help="Originals of whole commands.")
@click.option("--detector", type=click.Path(path_type=Path), help="Detector of heads, ONNX.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/bench"))
def main(
    names: tuple[str, ...],
    corpus: Path | None,
    images: int,
    samples: int,
    output: Path,
    detector: Path | None,
    **size: int,
) -> None:
    """Measure this working tree and its peers on the same files in one run.

    Without --corpus, the same originals with Danbooru's mix of formats are drawn every time.
    """
    for name in names:
        load(name)
    originals = prepare(corpus, images, output)
    workload = Workload(corpus=originals, folder=output, detector=detector, **size)
    print(f"{originals}; samples: {samples}")
    results = []
    for name in names or NAMES:
        measured = carry_out(name, workload, samples)
        table.show(measured)
        results += measured
    run = _run(str(originals), results)
    path = output / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(run.at))}-{run.commit[:7]}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    charts = chart.draw(chart.read_runs(output), output)
    print("written:", *(path, *charts))


def _run(corpus: str, results: Sequence[Result]) -> Run:
    commit, committed, changed = environment.commit()
    return Run(
        at=time.time(),
        commit=commit,
        committed=committed,
        changed=changed,
        machine=environment.machine(),
        versions=environment.versions(),
        corpus=corpus,
        results=results,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["scale"]:  # it has options and figures of its own
        from bench import scale

        scale.main(sys.argv[2:], prog_name="python -m bench scale")
    if sys.argv[1:2] == ["gallery"]:  # and so has this
        from bench import gallery

        gallery.main(sys.argv[2:], prog_name="python -m bench gallery")
    main()
