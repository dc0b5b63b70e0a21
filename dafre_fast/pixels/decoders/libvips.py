"""libvips, loaded with one thread and no cache: there is a process per core, and no picture comes
twice.

If the host of this library has loaded pyvips before, its settings stay as they are. Importing this
raises ImportError where libvips cannot be loaded.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

_SETTINGS = {"VIPS_CONCURRENCY": "1", "VIPS_WARNING": "off"}
"""libvips reads them once, when it is loaded. It raises what it warns of too."""


@contextmanager
def _environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Set those variables that are not set, for a while."""
    added = [name for name in defaults if name not in os.environ]
    os.environ.update({name: defaults[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


if "pyvips" in sys.modules:
    import pyvips
else:
    with _environment(_SETTINGS):
        try:
            import pyvips
        except OSError as error:  # pyvips is here, and the library itself is not
            raise ImportError(str(error), name="pyvips") from error
    pyvips.cache_set_max(0)
    with suppress(AttributeError):  # the handler fails if a warning quotes bytes that are no UTF-8
        pyvips._remove_log_handler()  # noqa: SLF001

__all__ = ["pyvips"]
