"""Commands as a user runs them: real processes."""

import json
import re
import subprocess
import sys
from pathlib import Path

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import NAME
from dafre_fast.views.terminal import COMPILING

_DOING = re.compile(rf"^(.* …( [\d:]+ elapsed)?|{re.escape(COMPILING.text)})\n", re.MULTILINE)


def dafre(name: str, *flags: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"dafre_fast.{name}", *map(str, flags)]
    return run(command, cwd)


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command; leave out of its standard error what it says on a slow machine only: what it
    is doing, and that it compiles kernels.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    done.stderr = _DOING.sub("", done.stderr)
    return done


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the state of the run, by relative path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder): path.read_bytes() for path in found}
    return {str(name): data for name, data in names.items() if ".dafre_fast" not in name.parts}


def ledger_keys(output: Path) -> list[str]:
    lines = (output / STATE / NAME).read_text().splitlines()
    return [json.loads(line)["key"] for line in lines]
