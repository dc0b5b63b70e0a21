"""Print results as tables."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.records import Result, Role, with_mix

_TITLES = (
    "ms",
    "images/CPU-s",
    "MP/CPU-s",
    "of the floor",
    "spread",
    "images/s",
    "speed-up",
    "efficiency",
    "busy",
)
_WIDTH = 100


def show(results: Sequence[Result]) -> None:
    """Print a table per benchmark, with sections for the parts of the corpus, peers in italics."""
    console = Console(width=_WIDTH)
    for benchmark, group in groupby(results, key=lambda result: result.benchmark):
        console.print(_table(benchmark, with_mix(group)))


def _table(benchmark: str, results: Sequence[Result]) -> Table:
    rows = [(result, _figures(result, results)) for result in results]
    used = [at for at in range(len(_TITLES)) if any(figures[at] for _, figures in rows)]
    table = Table(title=benchmark, title_justify="left")
    table.add_column()
    table.add_column()
    for at in used:
        table.add_column(_TITLES[at], justify="right")
    for _, part in groupby(rows, key=lambda row: row[0].part):
        for result, figures in part:
            style = "italic" if result.role is Role.PEER else None
            cells = (figures[at] for at in used)
            table.add_row(result.part, escape(result.contender), *cells, style=style)
        table.add_section()
    return table


def _figures(result: Result, results: Sequence[Result]) -> tuple[str, ...]:
    """Return the cell for each title, empty if it does not apply. `ms` is CPU time per original.

    Speed-up is relative to one worker; efficiency is the speed-up by the number of workers.
    """
    cpu, beside = result.cpu_seconds, [other for other in results if other.part == result.part]
    floor = next((other for other in beside if other.role is Role.FLOOR), None)
    one_worker = next((other for other in beside if other.contender == "1"), None)
    speed_up = one_worker.seconds / result.seconds if one_worker else 0.0
    return (
        f"{1000 * cpu / result.images:,.1f}" if result.megapixels else "",
        f"{result.images / cpu:,.1f}",
        f"{result.megapixels / cpu:,.1f}" if result.megapixels else "",
        f"{floor.cpu_seconds / cpu:.0%}" if floor else "",
        f"±{result.spread:.1%}" if len(result.samples) > 1 else "",
        f"{result.images / result.seconds:,.1f}",
        f"{speed_up:.2f}" if one_worker else "",
        f"{speed_up / int(result.contender):.0%}" if one_worker else "",
        f"{result.busy:.1%}" if result.busy is not None else "",
    )
