"""The environment of a run: machine, versions, and commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyvips

from bench.corpus import BadInput
from dafre_fast.core.settings.running import usable_cores

_PACKAGES = (
    "aiohttp",
    "deflate",
    "msgspec",
    "numba",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "polars",
    "PyTurboJPEG",
    "pyvips",
    "pyvips-binary",
)


def machine() -> dict[str, str | int]:
    """Return the properties that decide the speed of this machine; no name or address."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def versions() -> dict[str, str]:
    """Return the versions of Python, libvips, and the packages in use."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"libvips": ".".join(str(pyvips.version(part)) for part in range(3))}


def commit() -> tuple[str, float, bool]:
    """Return the commit of the working tree: hash, time in seconds since 1970, and whether the
    tree has changes. The hash is "unknown" without git.
    """
    try:
        name, seconds = git("show", "--no-patch", "--format=%H %ct", "HEAD").split()
        return name, float(seconds), is_changed()
    except BadInput:
        return "unknown", 0.0, False


def is_changed() -> bool:
    """Return whether the working tree differs from its commit."""
    return bool(git("status", "--porcelain"))


def git(*arguments: object) -> str:
    """Run git in the current folder, and return its output without space around it.

    Raises BadInput with the first line of its message if it fails.
    """
    command = ["git", *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BadInput(f"git: {error.strerror}") from error
    if done.returncode:
        raise BadInput(next(iter(done.stderr.splitlines()), f"{' '.join(command)} failed"))
    return done.stdout.strip()
