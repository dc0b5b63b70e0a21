"""Arrays in guarded memory: to touch a byte beside one of them ends the process.

Vector loads and stores (`dafre_fast.pixels.kernels.simd`) are not checked by numba; the machine
checks these, as the pages before and behind an array may not be touched at all.
"""

import ctypes
import mmap

import numpy as np

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOTHING_ALLOWED = 0
_MAKERS = {"empty", "zeros", "frombuffer", "ascontiguousarray"}


def _guarded(array, *, at_end):
    pages = -(-array.nbytes // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    begin, end = mmap.PAGESIZE, (pages + 1) * mmap.PAGESIZE
    for guard in (0, end):
        page = ctypes.c_void_p(first + guard), ctypes.c_size_t(mmap.PAGESIZE)
        if _LIBC.mprotect(*page, _NOTHING_ALLOWED):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = end - array.nbytes if at_end else begin
    copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    copy.flags.writeable = array.flags.writeable
    return copy


def before_guard(array):
    """A copy that ends where memory does."""
    return _guarded(array, at_end=True)


def behind_guard(array):
    """A copy that begins where memory does."""
    return _guarded(array, at_end=False)


class GuardedNumpy:
    """A substitute for a module's `np` that puts every new array into guarded memory, at its exact
    size.
    """

    def __init__(self, place):
        self._place = place

    def __getattr__(self, name):
        found = getattr(np, name)
        if name not in _MAKERS:
            return found
        return lambda *args, **kwargs: self._place(found(*args, **kwargs))
