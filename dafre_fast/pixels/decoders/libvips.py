"""libvips, loaded once with one thread and no cache: there is a process per core, and no picture
comes twice.
"""

import os
from contextlib import suppress

# Read once, when libvips loads. What it warns of, it raises too.
os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("VIPS_WARNING", "off")

import pyvips

pyvips.cache_set_max(0)
with suppress(AttributeError):  # it fails where a warning quotes bytes that are no UTF-8
    pyvips._remove_log_handler()  # noqa: SLF001

__all__ = ["pyvips"]
