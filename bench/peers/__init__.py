"""The tools that people use today, one file per peer."""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.peers.region import Shares

WithHead = Callable[[Path, Shares], tuple[bytes, bytes]]
_LIBRARIES = {"Pillow": "pillow", "libvips thumbnail": "libvips", "OpenCV": "opencv"}


@cache
def installed() -> dict[str, Callable[[Path], bytes]]:
    """Return each installed peer's function from the path of a file to the bytes of a full image.

    The first call prints the names of missing peers.
    """
    return {name: peer.resize for name, peer in _modules().items()}


@cache
def installed_with_head() -> dict[str, WithHead]:
    """Return each installed peer's function from the path of a file and the region of a head to the
    bytes of a full image and of the crop.
    """
    return {name: peer.resize_and_crop for name, peer in _modules().items()}


@cache
def _modules() -> dict[str, Any]:
    found = {}
    for name, module in _LIBRARIES.items():
        try:
            found[name] = import_module(f"{__name__}.{module}")
        except (ImportError, OSError) as error:
            print(f"{name} is not installed: {error}", file=sys.stderr)
    return found
