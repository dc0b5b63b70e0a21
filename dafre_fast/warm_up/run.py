"""Compile the kernels of all commands."""

from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from dafre_fast.core import jit
from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Tell, silent
from dafre_fast.engine.observers import counted

MODULES = (
    "dafre_fast.pixels.kernels.baseline",
    "dafre_fast.tables.kernels.post_lines",
    "dafre_fast.pixels.kernels.resample",
    "dafre_fast.tables.kernels.row_lines",
    "dafre_fast.pixels.kernels.unfilter",
    "dafre_fast.audit.hamming",
    "dafre_fast.tables.kernels.json_documents",
    "dafre_fast.pixels.kernels.lzw",
    "dafre_fast.pixels.kernels.planes",
)
"""All modules that have kernels, but for what these import; those that take longest first."""


def warm_up(processes: int, tell: Tell = silent) -> int:
    """Compile the kernels that are not in the cache, in so many processes. Returns their number.

    Raises OutputError if they cannot be kept.
    """
    for module in MODULES:
        import_module(module)
    missing = [kernel for kernel in jit.kernels() if not kernel.is_kept]
    if not missing:
        return 0
    with (
        counted(tell, "compiling kernels", len(missing)) as advance,
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
    ):
        for _ in pool.map(_compile, [repr(kernel) for kernel in missing]):
            advance(None)
    if lost := [kernel for kernel in missing if not kernel.is_kept]:
        places = " nor to ".join(str(place.parent) for place in lost[0].places())
        raise OutputError(
            f"compiled kernels cannot be kept: nothing can be written to {places};"
            " set NUMBA_CACHE_DIR to a folder of yours"
        )
    return len(missing)


def _compile(name: str) -> None:
    """Compile one kernel, in a process of its own that knows none yet."""
    for module in MODULES:
        import_module(module)
    next(kernel for kernel in jit.kernels() if repr(kernel) == name).load()
