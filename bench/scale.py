"""`python -m bench scale`: the whole command `full` with engines x workers, from one core to all.

Originals come from disk, and from a server on this machine. The table says how many images a second
were made, how many a worker, the efficiency against one engine with one worker, the CPU time of an
image, and which resource was full: the process that downloads (the loader), the one above several
engines (the driver), the server, which takes its cores from the same machine, all cores, or the
disk. A share of "cores" counts whatever else runs on the machine, too.

`--tiny N` makes N tiny originals in `--parts` instead: the memory of each part's process at its
begin and its end, and the CPU time that is not divided by engines.
"""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench import environment, tiny
from bench.benchmarks.workers import worker_counts
from bench.corpus import copies, prepare, write_tables
from bench.processes import Watched, carry_out, children, use_of
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.sample.serving import serving

DISK, NETWORK = "disk", "network"
_FULL = 0.9
_FULL_DISK = 0.3
_WIDTH = 130


class Case(NamedTuple):
    """One way to run the command."""

    source: str
    engines: int
    workers: int


class Measured(Struct, frozen=True, kw_only=True):
    """The result of one run of a case. Shares are of one core, but `cores` and `disk` of all."""

    source: str
    engines: int
    workers: int
    images: int
    seconds: float
    """Time of the work itself: starts and tables aside."""
    cpu_seconds: float
    """Use of the command and its workers."""
    downloader: float
    """Share of the busiest process that fetches originals: an engine, or the command itself."""
    driver: float
    """Share of the command itself, if it has several engines; else 0."""
    server: float
    cores: float
    disk: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    @property
    def full(self) -> str:
        """The resource that had no more to give."""
        if self.cores >= _FULL:
            return "cores"
        if self.driver >= _FULL:
            return "driver"
        if self.downloader >= _FULL:
            return "loader"
        if self.server >= _FULL:
            return "server"
        if self.disk >= _FULL_DISK:
            return "disk"
        return "none"


class Report(Struct, frozen=True, kw_only=True):
    """The JSON file."""

    commit: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    corpus: str
    measured: Sequence[Measured]


@click.command()
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Folder of originals to measure on."
)
@click.option("--images", type=click.IntRange(1), default=50, help="Number of originals, at most.")
@click.option("--many", type=click.IntRange(1), default=400, help="Originals of a run, at least.")
@click.option("--samples", type=click.IntRange(1), default=3, help="Runs of every case.")
@click.option("--latency", type=click.FloatRange(0), default=0.02, help="Seconds of the server.")
@click.option("--cores", type=click.IntRange(1), help="Most workers. Default: the usable cores.")
@click.option("--engines", type=click.IntRange(1), help="Most engines. Default: the workers.")
@click.option("--tiny", "count", type=click.IntRange(1), help="Make so many tiny originals.")
@click.option("--parts", type=click.IntRange(1), default=10, help="Parts of these.")
@click.option("--json", "written", type=click.Path(path_type=Path), help="Write the figures here.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/bench"))
def main(
    corpus: Path | None,
    images: int,
    many: int,
    samples: int,
    latency: float,
    cores: int | None,
    engines: int | None,
    count: int | None,
    parts: int,
    written: Path | None,
    output: Path,
) -> None:
    """Measure engines x workers, or the parts of many tiny originals."""
    output.mkdir(parents=True, exist_ok=True)
    if count:
        found = tiny.measure(count, parts, output)
        tiny.show(found)
        _write(written, found)
        return
    originals = prepare(corpus, images, output)
    cases = cases_up_to(cores or usable_cores(), engines)
    print(f"{originals}; {many} a run; cases: {len(cases)}; samples: {samples}")
    with TemporaryDirectory(dir=output) as temporary, ExitStack() as stack:
        folder = Path(temporary)
        copied = copies(originals, many, folder / "original")
        faces, tag_ids = write_tables(copied, folder)
        address, server = stack.enter_context(_served(copied.folder, latency))
        sources = {
            DISK: str(copied.folder),
            NETWORK: f"{address}/original/{{bucket}}/{{id}}.{{ext}}",
        }
        take = partial(_take, (faces, tag_ids), sources, server, folder)
        measured = measure(cases, samples, take)
    show(measured)
    commit = environment.commit()[0]
    about = {"commit": commit, "machine": environment.machine(), "corpus": str(originals)}
    _write(written, Report(**about, versions=environment.versions(), measured=measured))


def cases_up_to(cores: int, engines: int | None = None) -> list[Case]:
    """Return the cases in the order of the table: of each source, workers and engines in powers of
    two, up to `cores` and at most `engines`. An engine has one worker at least.
    """
    return [
        Case(source, some, workers)
        for source in (DISK, NETWORK)
        for workers in worker_counts(cores)
        for some in worker_counts(min(workers, engines or workers))
    ]


def measure(
    cases: Sequence[Case], samples: int, take: Callable[[Case], Measured]
) -> list[Measured]:
    """Return the run of median speed of every case. They take turns, after a first run that fills
    caches.
    """
    take(cases[0])
    taken: dict[Case, list[Measured]] = {case: [] for case in cases}
    for number in range(samples):
        for case in cases[:: 1 if number % 2 == 0 else -1]:
            taken[case].append(take(case))
    return [_median(of_case) for of_case in taken.values()]


def _median(taken: Sequence[Measured]) -> Measured:
    middle = statistics.median_low(one.rate for one in taken)
    return next(one for one in taken if one.rate == middle)


@contextmanager
def _served(folder: Path, latency: float) -> Iterator[tuple[str, Callable[[], float]]]:
    """Serve a folder; give the address, and a function for the CPU time of the server."""
    before = children(os.getpid())
    with serving(folder, latency_seconds=latency) as address:
        servers = [process for process in children(os.getpid()) if process not in before]
        yield address, lambda: sum(use.cpu_seconds for one in servers if (use := use_of(one)))


def _take(
    tables: tuple[Path, Path],
    sources: dict[str, str],
    server: Callable[[], float],
    folder: Path,
    case: Case,
) -> Measured:
    faces, tag_ids = tables
    with TemporaryDirectory(dir=folder, prefix="output-") as output:
        flags = ("--faces", faces, "--tag-ids", tag_ids, "--source", sources[case.source])
        flags += ("--output", Path(output) / "dataset", "--min-images", 1, "--no-report")
        flags += ("--engines", case.engines, "--workers", case.workers, "--json")
        served = server()
        summary, watched, process = carry_out("full", *flags)
        served = server() - served
    return _measured(case, summary["work"], watched, process, served)


def _measured(
    case: Case, work: dict[str, float], watched: Watched, process: int, served: float
) -> Measured:
    seconds = work["seconds"]
    # The start of a process, and the end of the run, count as well: a share is too large rather
    # than too small.
    shares = {one: cpu / seconds for one, cpu in watched.cpu_seconds.items()}
    driver = shares.pop(process, 0.0)
    return Measured(
        source=case.source,
        engines=case.engines,
        workers=case.workers,
        images=int(work["images"]),
        seconds=seconds,
        cpu_seconds=work["cpu_seconds"],
        downloader=max(shares.values(), default=driver),
        driver=driver if shares else 0.0,
        server=served / seconds if case.source == NETWORK else 0.0,
        cores=watched.cores,
        disk=watched.disk,
    )


def show(measured: Sequence[Measured]) -> None:
    """Print the table."""
    table = Table(title="scale", title_justify="left")
    for title in ("source", "engines", "workers"):
        table.add_column(title)
    titles = ("images/s", "a worker", "efficiency", "CPU ms")
    for title in (*titles, "loader", "driver", "server", "cores", "disk"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("full")
    for one in measured:
        shares = (one.downloader, one.driver, one.server, one.cores, one.disk)
        table.add_row(
            *(one.source, str(one.engines), str(one.workers)),
            f"{one.rate:,.1f}",
            f"{one.rate / one.workers:,.1f}",
            f"{efficiency(one, measured):.0%}",
            f"{one.cpu_seconds / one.images * 1000:,.1f}",
            *(f"{share:.0%}" for share in shares),
            one.full,
            end_section=one is measured[-1] or one.source != _next(one, measured).source,
        )
    Console(width=_WIDTH).print(table)


def efficiency(one: Measured, measured: Sequence[Measured]) -> float:
    """Return the images a second and worker as a share of those of one engine with one worker."""
    first = next(other for other in measured if other.source == one.source)
    return one.rate / one.workers / (first.rate / first.workers)


def _next(one: Measured, measured: Sequence[Measured]) -> Measured:
    return measured[min(measured.index(one) + 1, len(measured) - 1)]


def _write(path: Path | None, figures: object) -> None:
    if path:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))


if __name__ == "__main__":
    main()
