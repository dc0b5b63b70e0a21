"""Report that kernels are being compiled, which takes a while: once after an installation.

Kernels are compiled where their modules are imported, which may be anywhere. So whoever wants to
know says so here beforehand; numba is not imported for that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_reported = list[Callable[[], None]]()


@contextmanager
def reported_to(observer: Callable[[], None]) -> Iterator[None]:
    """Have `observer` called, once and by any thread, if a kernel is compiled meanwhile."""

    def once() -> None:
        if once in _reported:
            _reported.remove(once)
            observer()

    _reported.append(once)
    try:
        yield
    finally:
        if once in _reported:
            _reported.remove(once)


def report() -> None:
    """Report that a kernel is about to be compiled."""
    for observer in [*_reported]:
        observer()
