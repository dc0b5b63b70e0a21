"""libvips, loaded once with one thread and no cache: there is a process per core, and no picture
comes twice.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables of the environment that are not set, and remove them afterwards."""
    unset = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(unset)
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)


# Read once, when libvips loads. What it warns of, it raises too.
with _environment(VIPS_CONCURRENCY="1", VIPS_WARNING="off"):
    import pyvips

pyvips.cache_set_max(0)
with suppress(AttributeError):  # it fails where a warning quotes bytes that are no UTF-8
    pyvips._remove_log_handler()  # noqa: SLF001

__all__ = ["pyvips"]
