"""libvips, loaded once with one thread and no cache: there is a process per core, and no picture
comes twice.
"""

import logging
import os

# Read once, when libvips loads.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import pyvips

pyvips.cache_set_max(0)
logging.getLogger("pyvips").setLevel(logging.ERROR)  # what it warns of, it raises too

__all__ = ["pyvips"]
