"""A small run whose parts can be made in this process."""

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Dividing
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import Summary
from dafre_fast.full.run import full
from dafre_fast.full.settings import FullRun
from dafre_fast.stats.settings import Plotting

IMAGES = 24
TIMES = ("download_seconds", "seconds")


def draw(folder: Path) -> Path:
    """Write originals of two classes, one of them no image, and their tables."""
    (folder / "originals").mkdir()
    chance = np.random.default_rng(1)
    for number in range(IMAGES):
        pixels = chance.integers(0, 255, (40, 30 + number, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"originals/{number}.png")
    (folder / "originals/7.png").write_text("<html>")
    line = "{0:04d}\\{0}.jpg\t{1}\t0.2, 0.2, 0.8, 0.8 0.9\n"
    rows = [line.format(number, 7 + number % 2) for number in range(IMAGES)]
    (folder / "faces.tsv").write_text("".join(rows) + "bad\n")
    (folder / "tagIds.tsv").write_text("cirno\t7\nreimu\t8\n")
    return folder


def make(inputs: Path, output: Path, part: str | None = None, **more: object) -> Summary:
    """Run `full` on the drawn originals, whole or a part; further arguments are settings."""
    pack, size = more.pop("pack", None), more.pop("shard_size", 5)
    into = more.pop("into", None)
    source = str(more.pop("source", inputs / "originals"))
    run = FullRun(
        faces=inputs / "faces.tsv",
        tag_ids=inputs / "tagIds.tsv",
        source=source,
        output=output,
        pack=pack,
        into=into,
        shard_size=size,
        report=False,
    )
    recipe = more.pop("recipe", Recipe())
    running = Dividing(part=part, **{"workers": 2, **more})
    selection = Selection(min_images=2, max_bad_rows=0.5)
    rules = selection, Splitting(), TagSteps(), Plotting(), Fetching(), recipe
    return full(run, *rules, running)


def contents(output: Path) -> dict[str, object]:
    """Every file of an output but the state of runs; tables without times."""
    found: dict[str, object] = {}
    for path in output.rglob("*"):
        name = path.relative_to(output)
        if path.is_file() and ".dafre_fast" not in name.parts:
            found[str(name)] = table(path) if path.suffix == ".parquet" else path.read_bytes()
    return found


def table(path: Path) -> object:
    rows = pl.read_parquet(path).drop(TIMES, strict=False)
    return rows.columns, rows.rows()
