"""The summary of a run: tables for people, JSON for machines. On standard output."""

import msgspec
from rich.console import Console
from rich.table import Table

from dafre_fast.model.summary import Summary


def show(summary: Summary, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        return
    console = Console(highlight=False)
    if summary.funnel:
        console.print(_funnel(summary))
    for bad in summary.bad_rows:
        console.print(f"{bad.rows:,} rows set aside: {bad.problem}, first in line {bad.first_line}")
    if summary.work is None:
        return
    if summary.refused:
        console.print(_refusals(summary))
    console.print(
        f"{summary.images:,} images = {summary.success:,} success"
        f" + {sum(summary.refused.values()):,} refused"
    )
    work = summary.work
    if work.images:
        console.print(
            f"{work.images:,} in this run: {work.seconds:,.1f} s,"
            f" {work.images / work.seconds:,.1f} images/s,"
            f" {work.images / work.cpu_seconds:,.1f} images per CPU-second"
        )
    else:
        console.print("nothing was left to do")


def _funnel(summary: Summary) -> Table:
    table = _table("after", "images", "classes")
    for step in summary.funnel:
        table.add_row(step.name, f"{step.images:,}", f"{step.classes:,}")
    return table


def _refusals(summary: Summary) -> Table:
    table = _table("refused", "images")
    for reason, images in sorted(summary.refused.items(), key=lambda item: -item[1]):
        table.add_row(reason, f"{images:,}")
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(first, box=None, pad_edge=False)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
