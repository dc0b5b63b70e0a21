"""Print how every fault of the fault server ends: `python -m tests.faults`."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.table import Ending, Verdict, endings

WIDTH = 130


def main() -> None:
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    with tempfile.TemporaryDirectory() as folder:
        found = endings(Path(folder))
    console.print(table(found))
    for ending in found:
        if not ending.good:
            known = "known" if ending.md5_known else "not known"
            console.print(f"{ending.fault.name}, md5 {known}: {ending.detail}", markup=False)
    console.print(summary(found), soft_wrap=True)
    raise SystemExit(not all(ending.good for ending in found))


def table(found: Sequence[Ending]) -> Table:
    """Return a row per fault: how it ends with the md5 known, and without."""
    table = Table(box=None)
    for column in ("fault", "md5 known", "attempts", "seconds", "not known", "attempts", "seconds"):
        table.add_column(column, justify="right" if column in {"attempts", "seconds"} else "left")
    for one, other in zip(found[::2], found[1::2], strict=True):
        table.add_row(one.fault.does, *cells(one), *cells(other))
    return table


def cells(ending: Ending) -> tuple[str, str, str]:
    outcome = str(ending.reason or ending.verdict)
    if not ending.good:
        outcome = f"[bold red]{ending.verdict}: {outcome}"
    return outcome, str(ending.attempts), f"{ending.seconds:.1f}"


def summary(found: Sequence[Ending]) -> str:
    """Return a line with the number of each verdict, and of faults that ended wrongly."""
    counts = Counter(ending.verdict for ending in found)
    faults = {ending.fault.name: ending.fault.recoverable for ending in found}
    figures = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)
    other = sum(not ending.good for ending in found)
    return (
        f"{len(faults)} faults, {sum(faults.values())} of them recoverable, each twice: {figures};"
        f" {other} with a wrong ending"
    )


if __name__ == "__main__":
    main()
