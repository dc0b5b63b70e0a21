"""libjpeg-turbo, if it is installed. A module of its own, so that the main process can ask without
loading a decoder.
"""

from functools import cache
from typing import Any


@cache
def turbo() -> Any | None:
    """Load libjpeg-turbo; None if this machine has none. The first call may start processes that
    search for the library.
    """
    try:
        from turbojpeg import TurboJPEG

        return TurboJPEG()
    except (ImportError, OSError, RuntimeError):
        return None
