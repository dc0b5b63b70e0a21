"""`python -m tests.torture [FOLDER…]`: a table of what was tried, and what came of it."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dafre_fast.core.settings.running import usable_cores
from dafre_fast.sample.cast import portraits
from dafre_fast.sample.originals import encode
from tests.torture.drawn import everything
from tests.torture.examine import DIED, RIGHT, UNLIKE, Finding, examine
from tests.torture.isolated import BYTES, SECONDS, servers
from tests.torture.workers import survive_everything

SHOWN = 20
"""Files that are named at most under one heading."""


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--kills", default=20, show_default=True, help="Kills to survive; 0 for none.")
@click.option("--workers", default=usable_cores(), show_default=True)
@click.option(
    "--downloads", default=20_000, show_default=True, help="Originals of a long download; 0: none."
)
def main(folders: Sequence[Path], kills: int, workers: int, downloads: int) -> None:
    """Every file of FOLDERS and everything that is drawn here, through the decoders and beside the
    careful reference; then decoders that misbehave, kills, and a long download with faults.
    """
    console = Console()
    good = True
    with tempfile.TemporaryDirectory() as temporary, servers(workers) as executor:
        drawn = Path(temporary) / "drawn"
        draw(drawn)
        for folder in [drawn, *folders]:
            paths = sorted(str(path) for path in folder.rglob("*") if path.is_file())
            jobs = executor.map(examine, paths, chunksize=4)
            found = [*track(jobs, f"{folder.name}…", len(paths), transient=True)]
            show(console, str(folder) if folder != drawn else "drawn here", found)
            good &= not any(finding.outcome == DIED for finding in found)
    if kills:
        good &= survive_everything(console, kills, workers, downloads)
    raise SystemExit(not good)


def draw(folder: Path) -> None:
    """The zoo, and one of each kind of the sample."""
    of_each_kind = {portrait.kind: portrait for portrait in portraits()}
    sample = (
        (f"sample-{one.name.replace('/', '-')}", encode(one)) for one in of_each_kind.values()
    )
    folder.mkdir()
    for name, data, *_ in chain(everything(), sample):
        (folder / name).write_bytes(data)


def show(console: Console, title: str, found: Sequence[Finding]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, min_width=60)
    for name, value in figures(found):
        table.add_row(name, value)
    console.print(table)
    for heading, these in {
        "unlike the reference": [one for one in found if one.outcome == UNLIKE],
        "died": [one for one in found if one.outcome == DIED],
        "read by the reference alone": [
            one for one in found if one.reference_reads and one.difference is None
        ],
    }.items():
        if these:
            console.print(f"{heading}:")
        for one in these[:SHOWN]:
            away = "" if one.difference is None else f"{one.difference:.1f} "
            console.print(
                f"  {Path(one.path).name}: {one.outcome} {away}{one.detail}", markup=False
            )
        if len(these) > SHOWN:
            console.print(f"  … and {len(these) - SHOWN} more")


def figures(found: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    outcomes = Counter(finding.outcome for finding in found)
    both = sorted(one.difference for one in found if one.difference is not None)
    readable = sum(finding.reference_reads for finding in found)
    yield "files", f"{len(found):,}"
    yield "right", f"{outcomes.pop(RIGHT, 0):,}"
    for outcome, files in outcomes.most_common():
        yield outcome, f"{files:,}"
    yield "the reference reads", f"{readable:,}, of which we {len(both):,}"
    for most in (1.0, 2.0):
        share = sum(difference <= most for difference in both) / max(len(both), 1)
        yield f"mean difference to it <= {most:g} of 255", f"{share:.2%}"
    yield f"longest of at most {SECONDS} s", f"{max(one.seconds for one in found):.2f} s"
    yield (
        f"most memory of at most {BYTES / 1e6:,.0f} MB",
        (f"{max(one.bytes for one in found) / 1e6:,.0f} MB, interpreter and libraries included"),
    )


if __name__ == "__main__":
    main()
