"""`python -m faults`: every fault that the sample's server knows, and in what it ends."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.table import GOOD, Ending, Verdict, endings


def main() -> None:
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("all faults at once…"):
        found = endings(Path(folder))
    show(console, found)
    raise SystemExit(not all(good(ending) for ending in found))


def good(ending: Ending) -> bool:
    """In the end that it must have: the file, where that was to be had, or the right reason."""
    lost = ending.fault.recoverable and ending.verdict is Verdict.REFUSED
    return ending.verdict in GOOD and ending.reason is ending.expected and not lost


def show(console: Console, found: Sequence[Ending]) -> None:
    table = Table(title_justify="left", row_styles=("", "dim"))
    for column in ("fault", "md5", "outcome", "attempts", "seconds"):
        table.add_column(column, justify="right" if column in {"attempts", "seconds"} else "left")
    for ending in found:
        outcome = ending.reason.value if ending.reason else ending.verdict.value
        if not good(ending):
            outcome = f"[bold red]{ending.verdict}: {outcome}, {ending.detail}"
        known = "known" if ending.md5_known else ""
        seconds = f"{ending.seconds:.1f}"
        table.add_row(ending.fault.does, known, outcome, str(ending.attempts), seconds)
    console.print(table)
    console.print(summary(found))


def summary(found: Sequence[Ending]) -> str:
    counts = Counter(ending.verdict for ending in found)
    faults = len({ending.fault.name for ending in found})
    recovered = {one.fault.name for one in found if one.fault.recoverable}
    figures = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)
    return f"{faults} faults, {len(recovered)} recoverable, each twice: {figures}"


if __name__ == "__main__":
    main()
