"""Charts of all runs in a folder: throughput per core by commit, and by number of workers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.records import MIX, Result, Role, Run, with_mix


def read_runs(folder: Path) -> list[Run]:
    """Return the runs of a folder, oldest commit first. Other JSON files are ignored."""
    runs = []
    for path in folder.glob("*.json"):
        try:
            runs.append(msgspec.json.decode(path.read_bytes(), type=Run))
        except msgspec.DecodeError:
            continue
    return sorted(runs, key=lambda run: (run.committed, run.at))


def draw(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write `throughput.svg` and `throughput.png` into `folder`, and return their paths.

    Runs on another machine or corpus than the latest are left out: they cannot be compared.
    """
    latest = max(runs, key=lambda run: run.at)
    alike = [run for run in runs if (run.machine, run.corpus) == (latest.machine, latest.corpus)]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    over_commits, over_workers = figure.subplots(1, 2)
    _draw_commits(over_commits, alike)
    _draw_workers(over_workers, alike)
    figure.suptitle(f"{latest.machine['processor']}; {latest.corpus}", fontsize=9)
    paths = [folder / "throughput.svg", folder / "throughput.png"]
    for path in paths:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _draw_commits(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw a line per contender at full images, with the latest run of each commit."""
    commits = {_label(run): full for run in runs if (full := _full_images(run.results))}
    lines: dict[tuple[str, Role], dict[int, float]] = defaultdict(dict)
    for place, results in enumerate(commits.values()):
        for result in results:
            rate = result.megapixels / result.cpu_seconds
            lines[result.contender, result.role][place] = rate
    for (name, role), line in lines.items():
        ours = role is Role.OURS
        label, style = (f"dafre_fast, {name}", "o-") if ours else (name, "o:")
        axes.plot(list(line), list(line.values()), style, label=label, markersize=4)
    axes.set_xticks(range(len(commits)), commits, rotation=45, fontsize=7)
    axes.set(title="full images, over commits", ylabel="megapixels per CPU-second")
    if lines:
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7)


def _full_images(results: Iterable[Result]) -> list[Result]:
    """Return the results on the whole corpus: the mix of its parts, or its only part."""
    found = with_mix(result for result in results if result.benchmark == "images")
    mixed = [result for result in found if result.part == MIX]
    return mixed or found


def _label(run: Run) -> str:
    return run.commit[:7] + ("+" if run.changed else "")


def _draw_workers(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the latest wall-clock images per second and worker, and the rate of one worker."""
    results = {
        int(result.contender): result
        for run in sorted(runs, key=lambda run: run.at)
        for result in run.results
        if result.benchmark == "workers"
    }
    axes.set(
        title="resize, over workers, with the efficiency",
        xlabel="workers",
        ylabel="images per second and worker",
    )
    if results:
        workers = sorted(results)
        rates = [results[n].images / results[n].seconds / n for n in workers]
        axes.plot(workers, rates, "o-")
        for number, rate in zip(workers, rates, strict=True):
            axes.annotate(
                f"{rate / rates[0]:.0%}", (number, rate), (0, 6), textcoords="offset points"
            )
        axes.axhline(rates[0], linestyle=":", color="grey")
        axes.set_xticks(workers)
        axes.set_ylim(bottom=0)
