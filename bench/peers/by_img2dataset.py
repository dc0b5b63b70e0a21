"""img2dataset: its resizer alone, and the whole of it from addresses to files.

It wants older versions of what we use, so it may live in an environment of its own, whose Python
`BENCH_IMG2DATASET` names; `img2dataset_script.py` runs there.
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

_SCRIPT = Path(__file__).with_name("img2dataset_script.py")


@cache
def interpreter() -> str | None:
    """The Python that has img2dataset; where there is none, one line says so, once."""
    named = os.environ.get("BENCH_IMG2DATASET")
    if named or find_spec("img2dataset"):
        return named or sys.executable
    print("img2dataset is not installed: see BENCH_IMG2DATASET in the README", file=sys.stderr)
    return None


def resize(paths: Iterable[Path]) -> Sample:
    """Cost of its resizer over files, after one pass that does not count."""
    command = [str(interpreter()), _SCRIPT, "resize", *paths]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return msgspec.json.decode(told, type=Sample)


def make_dataset(addresses: Path, images: int, workers: int, output: Path) -> None:
    """The whole of it, from a list of addresses. Raises RuntimeError unless all are made."""
    run(interpreter(), _SCRIPT, "dataset", addresses, output, images, workers)
