"""Vector types and operations that numba lacks, for the kernels that unfilter and resize.

`rows` is one pixel of four channels in each of eight rows, as 16-bit integers; `pixel` is one pixel
of four channels, as float32; `sums` is one pixel of four channels, as uint16. LLVM maps them to
AVX-512, AVX2, SSE or NEON. Arrays are flat and C-contiguous; indices count elements and are not
checked. The arguments of each operation are the types that numba infers; its `generate` writes the
LLVM code. Rows of bytes in place of 16-bit integers were tried: no faster, since loads and stores
decide.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from dafre_fast.core.jit import element_pointer

ROWS = 8
"""Number of rows at once: enough independent work while a pixel waits for the one before."""

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_ROWS = ir.VectorType(_I16, 4 * ROWS)
_ROWS_AS_BYTES = ir.VectorType(_I8, 4 * ROWS)
_ROWS_AS_WORDS = ir.VectorType(_I32, ROWS)
_PIXEL = ir.VectorType(ir.FloatType(), 4)
_SUMS = ir.VectorType(_I16, 4)


class _Rows(types.Type):
    pass


class _Pixel(types.Type):
    pass


class _Sums(types.Type):
    pass


@register_model(_Rows)
class _RowsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _ROWS)


@register_model(_Pixel)
class _PixelModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _PIXEL)


@register_model(_Sums)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _SUMS)


rows, pixel, sums = _Rows("rows"), _Pixel("pixel"), _Sums("sums")


def _lane(number: int) -> Any:
    return ir.Constant(_I32, number)


def _row(builder: Any, first: Any, step: Any, number: int) -> Any:
    return builder.add(first, builder.mul(step, ir.Constant(_I64, number)))


def _each_row(builder: Any, flags: list[Any]) -> Any:
    """Build a mask from one truth value per row."""
    mask = ir.Constant(_ROWS, ir.Undefined)
    for number, flag in enumerate(flags):
        word = builder.sext(flag, _I16)
        for channel in range(4):
            mask = builder.insert_element(mask, word, _lane(4 * number + channel))
    return mask


def _rows_of(value: int) -> Any:
    return ir.Constant(_ROWS, [value] * 4 * ROWS)


@intrinsic
def no_rows(typing: Any) -> Any:
    """Return zeros."""
    return rows(), lambda *_: _rows_of(0)


@intrinsic
def load_rows(typing: Any, array: Any, first: Any, step: Any) -> Any:
    """Load four bytes of a uint8 array into each row: row r from index `first + r * step`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, step = arguments
        words = ir.Constant(_ROWS_AS_WORDS, ir.Undefined)
        for number in range(ROWS):
            index = _row(builder, first, step, number)
            pointer = element_pointer(context, builder, signature.args[0], array, index, _I32)
            words = builder.insert_element(words, builder.load(pointer, align=1), _lane(number))
        return builder.zext(builder.bitcast(words, _ROWS_AS_BYTES), _ROWS)

    return rows(array, types.intp, types.intp), generate


@intrinsic
def store_rows(typing: Any, array: Any, first: Any, step: Any, value: Any) -> Any:
    """Store the low byte of each channel; the inverse of `load_rows`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, step, value = arguments
        words = builder.bitcast(builder.trunc(value, _ROWS_AS_BYTES), _ROWS_AS_WORDS)
        for number in range(ROWS):
            index = _row(builder, first, step, number)
            pointer = element_pointer(context, builder, signature.args[0], array, index, _I32)
            builder.store(builder.extract_element(words, _lane(number)), pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, rows), generate


@intrinsic
def store_last_row(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Store row ROWS - 1 alone: four bytes from `array[index]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, value = arguments
        words = builder.bitcast(builder.trunc(value, _ROWS_AS_BYTES), _ROWS_AS_WORDS)
        pointer = element_pointer(context, builder, signature.args[0], array, index, _I32)
        builder.store(builder.extract_element(words, _lane(ROWS - 1)), pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, rows), generate


@intrinsic
def row_below(typing: Any, value: Any, array: Any, index: Any) -> Any:
    """Return the row above each: row r - 1 of `value`; for row 0 four bytes at `array[index]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, array, index = arguments
        pointer = element_pointer(context, builder, signature.args[1], array, index, _I32)
        words = ir.Constant(_ROWS_AS_WORDS, ir.Undefined)
        words = builder.insert_element(words, builder.load(pointer, align=1), _lane(0))
        above = builder.zext(builder.bitcast(words, _ROWS_AS_BYTES), _ROWS)
        order = [*range(4), *range(4 * ROWS, 8 * ROWS - 4)]
        return builder.shuffle_vector(
            above, value, ir.Constant(ir.VectorType(_I32, 4 * ROWS), order)
        )

    return rows(rows, array, types.intp), generate


@intrinsic
def rows_equal(typing: Any, array: Any, first: Any, step: Any, value: Any) -> Any:
    """Return a mask of the rows r whose byte at `first + r * step` is `value`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, step, value = arguments
        flags = []
        for number in range(ROWS):
            index = _row(builder, first, step, number)
            byte = builder.load(
                element_pointer(context, builder, signature.args[0], array, index, _I8)
            )
            flags.append(builder.icmp_signed("==", builder.zext(byte, _I64), value))
        return _each_row(builder, flags)

    return rows(array, types.intp, types.intp, types.intp), generate


@intrinsic
def rows_up_to(typing: Any, last: Any) -> Any:
    """Return a mask of the rows 0 to `last`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers = [ir.Constant(_I64, number) for number in range(ROWS)]
        return _each_row(
            builder, [builder.icmp_signed(">=", arguments[0], number) for number in numbers]
        )

    return rows(types.intp), generate


@intrinsic
def masked(typing: Any, value: Any, mask: Any) -> Any:
    """Return `value` where the mask is set, 0 elsewhere."""
    return rows(rows, rows), lambda context, builder, signature, both: builder.and_(*both)


@intrinsic
def either(typing: Any, one: Any, other: Any) -> Any:
    """Return the bitwise or."""
    return rows(rows, rows), lambda context, builder, signature, both: builder.or_(*both)


@intrinsic
def add_bytes(typing: Any, one: Any, other: Any) -> Any:
    """Return the sum modulo 256."""

    def generate(context: Any, builder: Any, signature: Any, both: Any) -> Any:
        return builder.and_(builder.add(*both), _rows_of(255))

    return rows(rows, rows), generate


@intrinsic
def average(typing: Any, one: Any, other: Any) -> Any:
    """Return the mean, rounded down."""

    def generate(context: Any, builder: Any, signature: Any, both: Any) -> Any:
        return builder.lshr(builder.add(*both), _rows_of(1))

    return rows(rows, rows), generate


@intrinsic
def paeth(typing: Any, left: Any, above: Any, above_left: Any) -> Any:
    """Return Paeth's predictor (PNG, third edition, 9.4): whichever of left, above and above left
    is nearest to left + above - above left; the earlier one if two are equally near.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def distance(value: Any) -> Any:
            negative = builder.icmp_signed("<", value, _rows_of(0))
            return builder.select(negative, builder.sub(_rows_of(0), value), value)

        left, above, above_left = arguments
        to_left, to_above = builder.sub(above, above_left), builder.sub(left, above_left)
        to_corner = distance(builder.add(to_left, to_above))
        to_left, to_above = distance(to_left), distance(to_above)
        nearer = builder.icmp_signed("<=", to_above, to_corner)
        other = builder.select(nearer, above, above_left)
        least = builder.select(nearer, to_above, to_corner)
        return builder.select(builder.icmp_signed("<=", to_left, least), left, other)

    return rows(rows, rows, rows), generate


@intrinsic
def on_white(typing: Any, value: Any) -> Any:
    """Blend colours with white by the alpha of the fourth channel, rounded to nearest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        order = [4 * (lane // 4) + 3 for lane in range(4 * ROWS)]
        spread = ir.Constant(ir.VectorType(_I32, 4 * ROWS), order)
        alpha = builder.shuffle_vector(arguments[0], arguments[0], spread)
        white = builder.mul(builder.sub(_rows_of(255), alpha), _rows_of(255))
        total = builder.add(builder.mul(arguments[0], alpha), builder.add(white, _rows_of(128)))
        # Divide by 255 in 16 bits: (t + t / 256) / 256 is exact with the half added before.
        high = builder.add(total, builder.lshr(total, _rows_of(8)))
        return builder.lshr(high, _rows_of(8))

    return rows(rows), generate


@intrinsic
def same(typing: Any, value: Any) -> Any:
    """Return a float32 in all four channels."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.Constant(_PIXEL, ir.Undefined)
        for channel in range(4):
            whole = builder.insert_element(whole, arguments[0], _lane(channel))
        return whole

    return pixel(types.float32), generate


@intrinsic
def add_times(typing: Any, sum: Any, weight: Any, array: Any, index: Any) -> Any:
    """Return `sum + weight * array[index : index + 4]` of a float32 array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, weight, array, index = arguments
        pointer = element_pointer(context, builder, signature.args[2], array, index, _PIXEL)
        product = builder.fmul(weight, builder.load(pointer, align=4), flags=["contract"])
        return builder.fadd(total, product, flags=["contract"])

    return pixel(pixel, pixel, array, types.intp), generate


@intrinsic
def store_clipped(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Store four bytes from `array[index]`: channels clipped to 0 to 255 and rounded down."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, value = arguments
        low, high = (ir.Constant(_PIXEL, [bound] * 4) for bound in (0.0, 255.0))
        value = builder.select(builder.fcmp_ordered(">", value, low), value, low)
        value = builder.select(builder.fcmp_ordered("<", value, high), value, high)
        whole = builder.fptosi(value, ir.VectorType(_I32, 4))
        word = builder.bitcast(builder.trunc(whole, ir.VectorType(_I8, 4)), _I32)
        pointer = element_pointer(context, builder, signature.args[0], array, index, _I32)
        builder.store(word, pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, pixel), generate


@intrinsic
def load_sums(typing: Any, array: Any, index: Any) -> Any:
    """Load four elements of a uint16 array from `index`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, index, _SUMS)
        return builder.load(pointer, align=1)

    return sums(array, types.intp), generate


@intrinsic
def add_sums(typing: Any, one: Any, other: Any) -> Any:
    """Return the sum modulo 65,536."""
    return sums(sums, sums), lambda context, builder, signature, both: builder.add(*both)


@intrinsic
def store_sums(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Store as four elements of a uint16 array; the inverse of `load_sums`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, value = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, index, _SUMS)
        builder.store(value, pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate
