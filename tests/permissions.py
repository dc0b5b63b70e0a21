"""Act as a user without rights, which root is not: for root no folder is unreadable."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

unprivileged = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
_NOBODY = 65_534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act as nobody in this thread and process."""
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
