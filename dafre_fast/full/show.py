"""Show the result of `full`: the summary, the shards, and the report."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from msgspec.structs import asdict, replace

from dafre_fast import cli
from dafre_fast.core.layout import REPORT
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.summaries import Probes, Rehearsal, Summary
from dafre_fast.report.settings import Presenting, ReportRun
from dafre_fast.views import show as shown
from dafre_fast.views.simulation import lines_of_simulation
from dafre_fast.views.summary import columns, lines_of_bad_rows

_DEFAULT = Presenting()


def show(
    summary: Summary,
    output: Path,
    reporting: Reporting,
    report: bool,
    name: str | None = None,
    presenting: Presenting = _DEFAULT,
) -> int:
    """Print the summary of a whole dataset, write its report if `report`, with the words of
    `presenting`, then put it into the store that its shards lie in, if they do, and return the exit
    status. `name` is where the dataset stays, if the folder does not. Raises as `write_report` and
    `put_dataset` do.
    """
    from dafre_fast.dataset.in_store import address_of
    from dafre_fast.full.storing import put_dataset
    from dafre_fast.pack.show import show as show_pack
    from dafre_fast.views.terminal import terminal

    status = cli.report(summary, reporting)
    if summary.packed and not reporting.json:
        show_pack(summary.packed, as_json=False)
    if report:
        _write_report(output, reporting, presenting, name)
    if address_of(output):
        with terminal() as tell:
            put_dataset(output, tell)
    of_it = ("--output", name or output)
    hand_on = {} if name else {"hand_on": ("pack", *of_it)}
    cli.show_next(summary, reporting, look=("gallery", *of_it), check=("verify", *of_it), **hand_on)
    return status


def _write_report(
    output: Path, reporting: Reporting, presenting: Presenting, name: str | None
) -> None:
    from dafre_fast.report.page import show
    from dafre_fast.report.run import write_report
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        written = write_report(ReportRun(output=output, **asdict(presenting)), tell)
    if name:
        written = replace(written, index=f"{name}/{REPORT}/{Path(written.index).name}")
    if not reporting.json:
        show(written, as_json=False)


def show_rehearsal(found: Rehearsal, *, as_json: bool) -> None:
    """Print what a run would do."""
    shown.show(found, _lines(found), as_json=as_json)


def _lines(found: Rehearsal) -> Iterator[str]:
    rows = [(step.name, step.images, step.classes) for step in found.funnel]
    yield from columns(("after", "images", "classes"), rows)
    yield from lines_of_bad_rows(found)
    left = found.originals.images
    yield (
        f"{found.images:,} images = {left:,} to make + {found.made:,} made before"
        f" + {found.refused:,} refused before"
    )
    if left:
        yield "originals of those to make:"
        yield from lines_of_simulation(found.originals)
    needed, free = (f"{size / 1e6:,.1f} MB" for size in (found.needed_bytes, found.free_bytes))
    fits = "free" if found.free_bytes >= found.needed_bytes else "free: NOT ENOUGH"
    yield f"disk: about {needed} needed (by {found.needed_by}), {free} {fits}"
    if found.probes:
        yield from _lines_of_probes(found.probes, found.seconds)
    yield "nothing was written"


def _lines_of_probes(probes: Probes, seconds: float | None) -> Iterator[str]:
    yield (
        f"tried: {probes.tried} originals, {probes.made} made; each about"
        f" {probes.original_bytes / 1e6:,.2f} MB, {probes.fetch_seconds:,.2f} s to fetch and"
        f" {probes.cpu_seconds:,.3f} s of CPU"
    )
    if seconds is not None:
        yield f"time: about {timedelta(seconds=max(round(seconds), 1))}"
