"""The engine: hypothesis in a child process for some seconds, and what it finds, kept as a file.

The child notes down every input before it tries it: whatever ends it (a failure, made small by
hypothesis; a signal; too long a time), the note is the finding. Atheris (libFuzzer) was measured:
ten times as many executions of the header parsers, but most of what is tried here is the code of
numba, polars and libvips, which its coverage does not see.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings

ROOT = Path(__file__).resolve().parents[2]
LONGEST_INPUT = 60
"""Seconds after which an input is a finding, too; nothing here takes a hundredth of it."""
LONGEST_SHRINKING = 300
"""Seconds that hypothesis takes at most to make a finding smaller."""
MOST_MEMORY = 6 << 30
"""Bytes of address space."""


def bounds_checked(cache):
    """Environment in which numba checks every index; `cache` is a folder for what it makes of the
    kernels then, as its own cache does not tell the two apart.
    """
    return os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(cache)}


def fuzz(module, name, seconds, findings, cache):
    """Try the findings of a target, then what is drawn for it, and say how much that was.

    Raises AssertionError where something is found, naming the file in `findings` that keeps it.
    """
    with TemporaryDirectory() as folder:
        note = Path(folder, "input")
        child = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.fuzzer", module, name, str(seconds), findings, note],
            cwd=ROOT,
            env=bounds_checked(cache),
            capture_output=True,
            text=True,
            check=False,
        )
        if child.returncode == 0:
            return child.stdout.strip()
        assert note.exists(), child.stderr
        data = note.read_bytes()
    kept = findings / name / sha256(data).hexdigest()[:16]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(data)
    raise AssertionError(f"{kept}, exit status {child.returncode}\n{child.stderr}")


def _try(module, name, seconds, findings, note):
    check, inputs = import_module(module).TARGETS[name]
    tried = 0

    def run(data):
        nonlocal tried
        tried += 1
        note.write_bytes(data)
        signal.alarm(LONGEST_INPUT)  # it ends the process
        check(data)
        signal.alarm(0)

    for finding in sorted((findings / name).glob("*")):
        run(finding.read_bytes())
    drawn = settings(
        max_examples=200,
        database=None,
        deadline=None,
        derandomize=False,  # hypothesis would draw the same inputs over and over where CI is set
        report_multiple_bugs=False,  # the last that is tried is the one that is reported
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(given(inputs)(run))
    end = time.monotonic() + seconds
    while tried == 0 or time.monotonic() < end:
        drawn()
    print(f"{name}: {tried} inputs in {seconds:.0f} s")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, name, seconds, *paths = sys.argv[1:]
    _try(module, name, float(seconds), *map(Path, paths))
