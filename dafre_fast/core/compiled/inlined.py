"""The parts that compiled kernels of all rooms share: how functions are inlined, and pointers."""

from functools import partial
from typing import Any

from numba import njit

inlined = partial(njit, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compile a function that kernels inline, for whatever types they call it with. It allocates no
arrays, and so their references are not counted, which would take half of the time. numba has these
options, but does not document them. A call with a literal number compiles it once more, for that
number: `np.int64(0)` saves the time.
"""


def element_pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    """Return LLVM's pointer to element `index` of a contiguous array of numba type `kind`, as a
    pointer to the LLVM type `to`. The index is not checked.
    """
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())
