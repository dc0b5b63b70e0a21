"""Show the result of `full`: the summary, the shards, and the report."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import asdict, replace

from dafre_fast import cli
from dafre_fast.core.layout import REPORT
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.summaries import Summary
from dafre_fast.report.settings import Presenting, ReportRun

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
    if summary.success and not reporting.json:
        _show_next(name or str(output), ("verify",) if name else ("verify", "audit", "pack"))
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


def _show_next(output: str, others: Sequence[str]) -> None:
    *first, last = others
    take = f"{', '.join(first)} and {last} take" if first else f"{last} takes"
    print(
        f"next: `dafre-fast gallery --output {shlex.quote(output)}` shows the images;"
        f" {take} the same flag"
    )
