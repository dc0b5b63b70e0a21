"""The parts that compiled kernels of all rooms share: how functions are inlined, and pointers."""

from collections.abc import Callable
from functools import partial
from typing import Any, overload

from dafre_fast.core.compiled.compiler import function


@overload
def inlined(source: Callable[..., Any]) -> Any: ...
@overload
def inlined(**options: Any) -> Callable[[Callable[..., Any]], Any]: ...
def inlined(source: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function that kernels inline, for whatever types they call it with. A call with a
    literal number compiles it once more, for that number: `np.int64(0)` saves the time.
    """
    return function(source, **options) if source else partial(function, **options)


def element_pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    """Return LLVM's pointer to element `index` of a contiguous array of numba type `kind`, as a
    pointer to the LLVM type `to`. The index is not checked.
    """
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())
