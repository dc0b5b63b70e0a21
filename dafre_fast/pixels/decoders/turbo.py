"""libjpeg-turbo, where it is installed. Apart, so that the parent can ask for it at little cost."""

from functools import cache
from typing import Any


@cache
def turbo() -> Any | None:
    """The loaded libjpeg-turbo, or None where this machine has none. The first call starts a
    process or two to look for it.
    """
    try:
        from turbojpeg import TurboJPEG

        return TurboJPEG()
    except (ImportError, OSError, RuntimeError):
        return None
