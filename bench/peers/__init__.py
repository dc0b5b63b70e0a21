"""The tools that people use today, one file per peer."""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

_LIBRARIES = {"Pillow": "pillow", "libvips thumbnail": "libvips", "OpenCV": "opencv"}


@cache
def installed() -> dict[str, Callable[[Path], bytes]]:
    """Return each installed peer's function from the path of a file to the bytes of a full image.

    The first call prints the names of missing peers.
    """
    found = {}
    for name, module in _LIBRARIES.items():
        try:
            found[name] = import_module(f"{__name__}.{module}").resize
        except (ImportError, OSError) as error:
            print(f"{name} is not installed: {error}", file=sys.stderr)
    return found
