"""Intrinsics for kernels: several bytes at once, for JSON, and several bits, to compare hashes.

Arrays are contiguous and of uint8; indices are not checked. LLVM maps vectors to the registers of
the machine: SSE, AVX, NEON.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dafre_fast.core.compiled.inlined import element_pointer
from dafre_fast.tables.kernels.post_lines import WIDTH

WORD = 8
"""Bytes of a word."""

_I8, _BITS, _I64 = ir.IntType(8), ir.IntType(WIDTH), ir.IntType(64)
_VECTOR = ir.VectorType(_I8, WIDTH)


def _load(context: Any, builder: Any, kind: Any, array: Any, first: Any, to: Any) -> Any:
    return builder.load(element_pointer(context, builder, kind, array, first, to), align=1)


@intrinsic
def word(typing: Any, array: Any, first: Any) -> Any:
    """Return the `WORD` bytes from index `first` on as one uint64, in the machine's byte order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first = arguments
        return _load(context, builder, signature.args[0], array, first, _I64)

    return types.uint64(array, types.uintp), generate


@intrinsic
def plain_bytes(typing: Any, array: Any, first: Any, least: Any) -> Any:
    """Return how many of the `WIDTH` bytes from index `first` on come before the first that is a
    quote, a backslash, below `least` or above 127.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def each(byte: int) -> Any:
            return ir.Constant(_VECTOR, [byte] * WIDTH)

        array, first, least = arguments
        loaded = _load(context, builder, signature.args[0], array, first, _VECTOR)
        place = ir.Constant(ir.IntType(32), 0)
        lowest = builder.insert_element(each(0), builder.trunc(least, _I8), place)
        lowest = builder.shuffle_vector(
            lowest, lowest, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        )
        odd = builder.icmp_signed("<", loaded, lowest)  # above 127 are negative
        for byte in b'"\\':
            odd = builder.or_(odd, builder.icmp_signed("==", loaded, each(byte)))
        bits = builder.bitcast(odd, _BITS)
        return builder.zext(builder.cttz(bits, ir.Constant(ir.IntType(1), 0)), _I64)

    return types.uintp(array, types.uintp, types.int64), generate


@intrinsic
def copy(typing: Any, array: Any, first: Any, to: Any, place: Any) -> Any:
    """Copy `WIDTH` bytes from index `first` on to another array, from index `place` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, to, place = arguments
        loaded = _load(context, builder, signature.args[0], array, first, _VECTOR)
        pointer = element_pointer(context, builder, signature.args[2], to, place, _VECTOR)
        builder.store(loaded, pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.uintp, to, types.uintp), generate


@intrinsic
def ones(typing: Any, number: Any) -> Any:
    """Return the number of bits of a uint64 that are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate
