"""Show the result of `full`: the summary, the shards, and the report."""

import shlex
from collections.abc import Callable
from pathlib import Path

from dafre_fast import cli
from dafre_fast.core.events import Tell
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.summaries import Summary
from dafre_fast.report.settings import ReportRun


def show(
    summary: Summary,
    output: Path,
    reporting: Reporting,
    report: bool,
    put: Callable[[Tell], None] | None = None,
) -> int:
    """Print the summary of a whole dataset, write its report if `report`, then `put` it into a
    store, and return the exit status. Raises as `write_report` and `put` do.
    """
    from dafre_fast.pack.show import show as show_pack
    from dafre_fast.views.terminal import terminal

    status = cli.report(summary, reporting)
    if summary.packed and not reporting.json:
        show_pack(summary.packed, as_json=False)
    if report:
        _write_report(output, reporting)
    if put:
        with terminal() as tell:
            put(tell)
    if summary.success and not reporting.json:
        _show_next(output)
    return status


def _write_report(output: Path, reporting: Reporting) -> None:
    from dafre_fast.report.page import show
    from dafre_fast.report.run import write_report
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        written = write_report(ReportRun(output=output), tell)
    if not reporting.json:
        show(written, as_json=False)


def _show_next(output: Path) -> None:
    folder = shlex.quote(str(output))
    print(
        f"next: `dafre-fast gallery --output {folder}` shows the images;"
        " verify, audit and pack take the same flag"
    )
