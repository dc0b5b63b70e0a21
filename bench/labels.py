"""`python -m bench.labels [FACES TAG_IDS]`: the labels command against the original's scripts.

Both as whole processes on the same tables, interleaved; without tables, on drawn ones of the
original's size. Prints medians and the ratio; how long one of them takes says nothing by itself.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROWS, CLASSES, RUNS_OF_OURS = 977_356, 49_087, 9


class Cost(NamedTuple):
    """Of one process, from start to end: wall-clock and CPU time in seconds."""

    seconds: float
    cpu_seconds: float


def run(*command: object) -> Cost:
    """Run to the end, output thrown away. Raises RuntimeError where it fails."""
    began = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    arguments = [sys.executable, *map(str, command)]
    pid = os.posix_spawn(sys.executable, arguments, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: status {status}")
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)


def draw_tables(folder: Path, rows: int = ROWS, classes: int = CLASSES) -> tuple[Path, Path]:
    """Tables of the original's size, with a long tail of classes."""
    rng = np.random.default_rng(2018)
    ids = rng.permutation(3_368_713)[:rows] + 1
    tags = (classes * rng.random(rows) ** 3).astype(int)
    left, top = rng.uniform(0, 0.5, (2, rows))
    confidence = rng.uniform(0.3, 1.0, rows)
    faces, names = folder / "faces.tsv", folder / "tagIds.tsv"
    with faces.open("w") as file:
        for image, tag, x, y, sure in zip(ids, tags, left, top, confidence, strict=True):
            box = f"{x:.6f}, {y:.6f}, {x + 0.4:.6f}, {y + 0.4:.6f} {sure:.6f}"
            file.write(f"{image % 1000:04d}\\{image}.jpg\t{tag}\t{box}\n")
    names.write_text("".join(f"tag_{tag}\t{tag}\n" for tag in range(classes)))
    return faces, names


def compare(faces: Path, tag_ids: Path, folder: Path, runs: int) -> tuple[list[Cost], Cost]:
    """Our runs, half of them before and half after the one of the original's scripts."""
    flags = ("--faces", faces, "--tag-ids", tag_ids, "--output", folder / "ours")
    ours = ("-m", "dafre_fast.labels", *flags)
    run(*ours)  # compiles the parser where that was not done yet
    before = [run(*ours) for _ in range(runs // 2)]
    original = Path(__file__).parent / "peers" / "original_labels.py"
    theirs = run(original, faces, tag_ids, folder / "theirs")
    return before + [run(*ours) for _ in range(runs - runs // 2)], theirs


def same_files(folder: Path) -> bool:
    """True where both wrote the same bytes."""
    names = ("train.csv", "val.csv", "test.csv", "classid_classname.csv")
    return all(
        (folder / "ours" / name).read_bytes() == (folder / "theirs" / name).read_bytes()
        for name in names
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        faces, tag_ids = map(Path, sys.argv[1:]) if sys.argv[1:] else draw_tables(folder)
        ours, theirs = compare(faces, tag_ids, folder, RUNS_OF_OURS)
        seconds = statistics.median(cost.seconds for cost in ours)
        cpu_seconds = statistics.median(cost.cpu_seconds for cost in ours)
        print(f"{'':24}{'seconds':>10}{'CPU-seconds':>14}")
        print(f"{'the original scripts':24}{theirs.seconds:10.2f}{theirs.cpu_seconds:14.2f}")
        print(f"{'dafre_fast.labels':24}{seconds:10.2f}{cpu_seconds:14.2f}")
        print(
            f"{'ratio':24}{theirs.seconds / seconds:10.1f}{theirs.cpu_seconds / cpu_seconds:14.1f}"
        )
        print(f"the same files: {'yes' if same_files(folder) else 'NO'}")


if __name__ == "__main__":
    main()
