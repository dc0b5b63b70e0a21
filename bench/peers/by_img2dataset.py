"""img2dataset: its resizer alone, and the whole tool from addresses to files.

It needs older versions of some packages, so it may be in an environment of its own. Its Python is
named by `BENCH_IMG2DATASET`, and runs `img2dataset_script.py`.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from bench.measure import run
from bench.records import Sample

SCRIPT = Path(__file__).with_name("img2dataset_script.py")


@cache
def interpreter() -> str | None:
    """Return the Python that has img2dataset, or None; the first call prints a line if so."""
    named = os.environ.get("BENCH_IMG2DATASET")
    if named or find_spec("img2dataset"):
        return named or sys.executable
    print("img2dataset is not installed: docs/design/benchmarks.md says how", file=sys.stderr)
    return None


def resize(paths: Iterable[Path]) -> Sample:
    """Return the cost of its resizer over files, after one pass that is not counted."""
    command = [str(interpreter()), SCRIPT, "resize", *paths]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return msgspec.json.decode(output, type=Sample)


def make_dataset(addresses: Path, images: int, workers: int, output: Path) -> None:
    """Run the whole tool on a list of addresses. Raises RuntimeError unless all images are made."""
    run(interpreter(), SCRIPT, "dataset", addresses, output, images, workers)
