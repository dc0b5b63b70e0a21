"""Messages of an installation in which an extra is missing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_extra_that_is_named_anywhere_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    sources = [*pages, *(ROOT / "dafre_fast").rglob("*.py")]
    named = {
        name for path in sources for name in re.findall(r"dafre_fast\[(\w+)\]", path.read_text())
    }
    assert {"heic", "objects", "torch", "train"} <= named <= {*EXTRAS}


def test_loaders_without_pytorch_say_what_to_install() -> None:
    script = "import sys; sys.modules['torch'] = None; import dafre_fast.torch"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    expected = "ModuleNotFoundError: PyTorch is not installed: pip install 'dafre_fast[torch]'"
    assert done.stderr.splitlines()[-1] == expected
