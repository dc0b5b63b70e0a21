"""The parts that numba kernels of all rooms share: caches that notice every change, and pointers.

numba keeps a compiled kernel on disk for as long as the file that holds it stays the same. It does
not notice changes in the kernels that this one inlines from other files.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

from dafre_fast.core import compiling


def kernel(*signatures: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function for these signatures when it is defined, as
    `numba.njit(signatures, cache=True, **options)` does; its cache is also renewed when any module
    in a folder `kernels` of the package changes.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = njit(**options)(function)
        dispatcher.enable_caching()
        index = dispatcher._cache._cache_file  # noqa: SLF001  numba has no public way
        index._source_stamp = index._source_stamp, _sources()  # noqa: SLF001
        if not index._load_index():  # noqa: SLF001
            compiling.report()
        for signature in signatures:
            dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compiled


@cache
def _sources() -> str:
    """Return a digest of all modules that kernels are inlined from."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted([Path(__file__), *package.glob("*/kernels/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def element_pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    """Return LLVM's pointer to element `index` of a contiguous array of numba type `kind`, as a
    pointer to the LLVM type `to`. The index is not checked.
    """
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())
