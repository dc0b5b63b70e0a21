"""Many tiny originals in parts: the memory of each part's process, and what engines do not divide.

`bench.scale` runs it (`--tiny N --parts P`). Each part is a run of `full` of its own, one after the
other; `merge` then joins them. A last run does the same in two engines: what its own process costs
for each image is divided by no number of engines.
"""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from msgspec import Struct
from PIL import Image
from rich.console import Console
from rich.table import Table

from bench.processes import carry_out
from dafre_fast.core.layout import MANIFEST, image_path

_CLASSES = 50
_WORKERS = 2
_KINDS = 20
"""Different pictures; the others have the same bytes as one of these."""


class Step(Struct, frozen=True, kw_only=True):
    """One command: `images` are those that it made itself, memory is that of its own process."""

    name: str
    images: int
    seconds: float
    cpu_seconds: float
    """Use of its own process, without workers and engines."""
    begin_mb: float
    """Memory in the second tenth of its time: tables are read by then."""
    end_mb: float
    """Memory in the last tenth."""
    peak_mb: float


def measure(images: int, parts: int, folder: Path) -> list[Step]:
    """Draw tiny originals, make them in parts, merge these, and make them in two engines.

    Raises RuntimeError if a command fails, or the dataset has not as many rows as there are images.
    """
    with TemporaryDirectory(dir=folder, prefix="tiny-") as temporary:
        home = Path(temporary)
        flags = _draw(home, images)
        steps = []
        for number in range(1, parts + 1):
            part = ("--part", f"{number}/{parts}", "--output", home / "parts")
            steps.append(_step(f"part {number}/{parts}", "full", *flags, *part))
        steps.append(_step("merge", "merge", "--output", home / "parts"))
        _check(home / "parts", images)
        steps.append(_step("2 engines", "full", *flags, "--engines", 2, "--output", home / "two"))
        _check(home / "two", images)
        return steps


def _draw(folder: Path, images: int) -> Sequence[object]:
    """Write originals and tables; return the flags of `full` for them."""
    chance = np.random.default_rng(0)
    kinds = []
    for number in range(_KINDS):
        path = folder / f"{number}.png"
        Image.fromarray(chance.integers(0, 255, (24, 20 + number, 3), np.uint8)).save(path)
        kinds.append(path.read_bytes())
    for number in range(images):
        path = folder / "original" / image_path(number, "png")
        if number < 1000:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kinds[number % _KINDS])
    with (folder / "faces.tsv").open("w") as faces:
        faces.writelines(_rows(images))
    (folder / "tagIds.tsv").write_text("".join(f"name{one}\t{one}\n" for one in range(_CLASSES)))
    tables = ("--faces", folder / "faces.tsv", "--tag-ids", folder / "tagIds.tsv")
    rules = ("--min-images", 1, "--no-report", "--workers", _WORKERS)
    return (*tables, "--source", folder / "original", *rules)


def _rows(images: int) -> Iterator[str]:
    for number in range(images):
        path = image_path(number).replace("/", "\\")
        yield f"{path}\t{number % _CLASSES}\t0.2, 0.2, 0.8, 0.8 0.9\n"


def _step(name: str, command: str, *flags: object) -> Step:
    summary, watched, process = carry_out(command, *flags, "--json")
    times = [at for at, _ in watched.memory]
    began, seconds = times[0], (times[-1] - times[0]) or 1.0
    tenths = [(int(10 * (at - began) / seconds), memory) for at, memory in watched.memory]
    begin, end = ([of for at, of in tenths if at in some] for some in ({1}, {9, 10}))
    return Step(
        name=name,
        images=summary["work"]["images"],
        seconds=seconds,
        cpu_seconds=watched.cpu_seconds[process],
        begin_mb=statistics.median(begin or [0]) / 1e6,
        end_mb=statistics.median(end) / 1e6,
        peak_mb=max(memory for _, memory in tenths) / 1e6,
    )


def _check(output: Path, images: int) -> None:
    rows = pl.scan_parquet(output / MANIFEST).filter(pl.col("status") == "success")
    if (found := rows.select(pl.len()).collect().item()) != images:
        raise RuntimeError(f"{found:,} images were made of {images:,}")


def show(steps: Sequence[Step]) -> None:
    """Print the table."""
    table = Table(title="tiny originals", title_justify="left")
    table.add_column("")
    for title in ("images", "seconds", "own CPU µs/image", "MB at begin", "MB at end", "peak MB"):
        table.add_column(title, justify="right")
    for step in steps:
        figures = (step.begin_mb, step.end_mb, step.peak_mb)
        table.add_row(
            step.name,
            f"{step.images:,}",
            f"{step.seconds:,.1f}",
            f"{step.cpu_seconds / step.images * 1e6:,.1f}",
            *(f"{figure:,.1f}" for figure in figures),
        )
    Console(width=100).print(table)
