"""Shards: make files or shards from small originals, and pack files into shards.

Originals are small, so that the cost of a file is not hidden by that of its picture. There is one
for five jobs of `pool`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyvips

from bench import peers
from bench.benchmarks import Workload
from bench.corpus import SEED
from bench.measure import Contender, run, timed_in_fresh_folder
from bench.records import Role
from dafre_fast.core.layout import bucket

_SIDES = (400, 320)
_DRAWN = 50
"""Number of different pictures; the others are copies."""


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    images = -(-workload.jobs // 5)
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        _draw(folder, images)
        make = partial(_make, folder)
        make(folder / "ds")
        parts = {
            "made": {
                "files": make,
                "files, then shards": partial(_make_and_pack, folder),
                "straight into shards": partial(_make, folder, "--pack", "webdataset"),
            },
            "packed": {"dafre_fast.pack": partial(_pack, folder / "ds")},
        }
        found = [
            Contender(name, partial(timed_in_fresh_folder, work, folder), images, part=part)
            for part, works in parts.items()
            for name, work in works.items()
        ]
        theirs = partial(timed_in_fresh_folder, partial(_write_webdataset, folder / "ds"), folder)
        peer = Contender("webdataset.TarWriter", theirs, images, part="packed", role=Role.PEER)
        yield [*found, peer]


def _draw(folder: Path, images: int) -> None:
    rng, (width, height) = np.random.default_rng(SEED), _SIDES
    drawn = []
    for _ in range(min(images, _DRAWN)):
        blocks = rng.integers(0, 255, (height // 10, width // 10, 3), np.uint8)
        pixels = blocks.repeat(10, axis=0).repeat(10, axis=1)
        drawn.append(pyvips.Image.new_from_array(pixels).jpegsave_buffer())
    rows = []
    for number in range(images):
        path = folder / "original" / bucket(number) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn[number % _DRAWN])
        rows.append(f"{bucket(number)}\\{number}.jpg\t0\t0.2, 0.2, 0.8, 0.8 0.95\n")
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text("someone\t0\n")


def _make(folder: Path, *flags_and_output: object) -> None:
    *flags, output = flags_and_output
    tables = ("--faces", folder / "faces.tsv", "--tag-ids", folder / "tagIds.tsv")
    whole = (*tables, "--source", folder / "original", "--min-images", 1, "--max-refused", 0)
    run(*_command("full"), *whole, "--no-report", "--output", output, *flags)


def _make_and_pack(folder: Path, output: Path) -> None:
    _make(folder, output)
    run(*_command("pack"), "--output", output)


def _pack(dataset: Path, output: Path) -> None:
    run(*_command("pack"), "--output", dataset, "--into", output)


def _write_webdataset(dataset: Path, output: Path) -> None:
    script = Path(peers.__file__).with_name("webdataset_script.py")
    run(sys.executable, script, dataset, output)


def _command(name: str) -> list[object]:
    return [sys.executable, "-m", f"dafre_fast.{name}"]
