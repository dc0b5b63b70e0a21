"""Commands as a user runs them: in processes of their own, or in this one."""

import json
import re
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from unittest.mock import DEFAULT, Mock, patch

from dafre_fast import cli
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import NAME
from dafre_fast.views.terminal import COMPILING

_DOING = re.compile(rf"^(.* …( [\d:]+ elapsed)?|{re.escape(COMPILING.text)})\n", re.MULTILINE)


def dafre(name: str, *flags: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"dafre_fast.{name.replace('-', '_')}", *map(str, flags)]
    return run(command, cwd)


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command; leave out of its standard error what it says on a slow machine only: what it
    is doing, and that it compiles kernels.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    done.stderr = _DOING.sub("", done.stderr)
    return done


def here(name: str, *flags: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command, or without `name` the main command, in this process, which has its imports
    already: for tests of what it says and writes. Signals, limits and the garbage collector of this
    process are left alone.
    """
    package = f"dafre_fast.{name.replace('-', '_')}" if name else "dafre_fast"
    module = import_module(f"{package}.__main__")
    entry = module.command if name else module.group
    command, status = [package, *map(str, flags)], 0
    stop = Mock(side_effect=KeyboardInterrupt)
    with (
        chdir(cwd),
        redirect_stdout(StringIO()) as stdout,
        redirect_stderr(StringIO()) as stderr,
        patch.object(sys, "argv", command),
        patch.multiple(cli, gc=DEFAULT, raise_stopped=DEFAULT, raise_open_files=DEFAULT, end=stop),
    ):
        try:
            cli.run(entry)
        except SystemExit as end:
            status = end.code or 0
    said = _DOING.sub("", stderr.getvalue())
    return subprocess.CompletedProcess(command, status, stdout.getvalue(), said)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the state of the run, by relative path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder): path.read_bytes() for path in found}
    return {str(name): data for name, data in names.items() if ".dafre_fast" not in name.parts}


def ledger_keys(output: Path) -> list[str]:
    lines = (output / STATE / NAME).read_text().splitlines()
    return [json.loads(line)["key"] for line in lines]
