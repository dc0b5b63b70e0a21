"""`python -m bench.history [RUN…]`: keep runs of the suite, and write the page of those kept.

A RUN is a JSON file of `python -m bench`. It is copied to `bench/releases/`, which is committed
with each release; the page is `docs/design/history.md`. Run it in the root of the repository.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import msgspec

from bench.chart import read_runs
from bench.corpus import BadInput
from bench.records import MIX, Result, Role, Run, with_mix

RELEASES, PAGE = Path("bench/releases"), Path("docs/design/history.md")
_HEAD = """# History of the benchmarks

Each row is a run of `make bench` that was kept, as with every release. Costs are milliseconds of
CPU per original, from file to JPEG in one process. The last columns depend little on the machine:
the speed relative to libvips' thumbnailer, and the share of the floor, in the same run.
`python -m bench.history RUN` adds a run and writes this page; [Benchmarks](benchmarks.md) says how
they are measured.
"""
_TITLES = {"images": "Full images", "full_and_head": "Full image and head"}
_LIBVIPS = "libvips thumbnail"


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=click.Path(path_type=Path))
def main(runs: tuple[Path, ...]) -> None:
    """Keep runs, and write the page of all that are kept."""
    RELEASES.mkdir(parents=True, exist_ok=True)
    for path in runs:
        try:
            run = msgspec.json.decode(path.read_bytes(), type=Run)
        except (OSError, msgspec.DecodeError) as error:
            raise BadInput(f"{path}: is not a run of python -m bench: {error}") from error
        if run.changed:
            raise BadInput(f"{path}: was measured on a tree with changes; commit them, and repeat")
        (RELEASES / f"{_day(run)}-{run.commit[:7]}.json").write_bytes(path.read_bytes())
    PAGE.write_text(page(read_runs(RELEASES)))
    print("written:", PAGE)


def page(runs: Sequence[Run]) -> str:
    """Return the page for runs, in Markdown; the latest come first."""
    latest = [*reversed(runs)]
    tables = [_table(title, name, latest) for name, title in _TITLES.items()]
    return "\n".join([_HEAD, *tables, _busy(latest), _machines(latest)])


def _table(title: str, name: str, runs: Iterable[Run]) -> str:
    lines = [
        f"## {title}\n",
        "| day | commit | part | ms | libvips, ms | OpenCV, ms | by libvips | of the floor |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        results = with_mix(result for result in run.results if result.benchmark == name)
        parts = dict.fromkeys(result.part for result in results)
        lines += [
            _row(run, part, {result.contender: result for result in results if result.part == part})
            for part in parts
        ]
    return "\n".join(lines) + "\n"


def _row(run: Run, part: str, results: dict[str, Result]) -> str:
    ours = next(result for result in results.values() if result.role is Role.OURS)
    floor = next(result for result in results.values() if result.role is Role.FLOOR)
    cells = [
        *_of_run(run),
        part or MIX,
        _milliseconds(ours),
        *(_milliseconds(results.get(name)) for name in (_LIBVIPS, "OpenCV")),
        _ratio(results.get(_LIBVIPS), ours, "{:.2f}x"),
        _ratio(floor, ours, "{:.0%}"),
    ]
    return f"| {' | '.join(cells)} |"


def _busy(runs: Iterable[Run]) -> str:
    """Return a table of how busy workers are, by the length of their jobs."""
    lines = ["## Workers at work\n", "| day | commit | jobs | busy |", "|---|---|---|---|"]
    for run in runs:
        for result in run.results:
            if result.busy is not None:
                cells = (*_of_run(run), result.contender, f"{result.busy:.1%}")
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _machines(runs: Iterable[Run]) -> str:
    lines = [
        "## Machines\n",
        "| day | commit | processor | cores | corpus |",
        "|---|---|---|---|---|",
    ]
    for run in runs:
        machine = run.machine
        cells = (*_of_run(run), str(machine["processor"]), str(machine["cores"]), run.corpus)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _of_run(run: Run) -> tuple[str, str]:
    return _day(run), f"`{run.commit[:7]}`"


def _day(run: Run) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(run.at))


def _milliseconds(result: Result | None) -> str:
    return f"{1000 * result.cpu_seconds / result.images:.1f}" if result else ""


def _ratio(other: Result | None, ours: Result, form: str) -> str:
    return form.format(other.cpu_seconds / ours.cpu_seconds) if other else ""


if __name__ == "__main__":
    main()
