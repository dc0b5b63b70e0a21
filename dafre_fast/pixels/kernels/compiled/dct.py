"""Vector operations of the JPEG decoder: inverse transforms of libjpeg-turbo, and its colours.

Each transform is the accurate one of libjpeg's jidctint.c (8 x 8) or jidctred.c (4 x 4 and 2 x 2, a
block at half and a quarter of its size) with the overflows of its vector code, so that wild values
of a damaged file come out alike. Numbers are 32 bits wide between two steps of 16 bits.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dafre_fast.core.compiled.inlined import element_pointer
from dafre_fast.pixels.kernels.baseline import AT_ONCE, RUN

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_SIDE = 8
_FIX = 13
"""Bits of the fraction of constants, as in jidctint.c; its results have two more between passes."""
_COLOUR_FIX = 16
"""Bits of the fraction of the constants of colours (jdcolor.c)."""


class _Lanes:
    """A vector of whole numbers in the code that is generated."""

    def __init__(self, builder: Any, value: Any) -> None:
        self._builder, self.value = builder, value

    def _all(self, number: int) -> Any:
        return ir.Constant(self.value.type, [number] * self.value.type.count)

    def _by(self, operation: str, other: "_Lanes | int") -> "_Lanes":
        value = self._all(other) if isinstance(other, int) else other.value
        return _Lanes(self._builder, getattr(self._builder, operation)(self.value, value))

    def __add__(self, other: "_Lanes | int") -> "_Lanes":
        return self._by("add", other)

    def __sub__(self, other: "_Lanes | int") -> "_Lanes":
        return self._by("sub", other)

    def __mul__(self, other: "_Lanes | int") -> "_Lanes":
        return self._by("mul", other)

    def __or__(self, other: "_Lanes") -> "_Lanes":
        return self._by("or_", other)

    def __lshift__(self, bits: int) -> "_Lanes":
        return self._by("shl", bits)

    def __rshift__(self, bits: int) -> "_Lanes":
        return self._by("ashr", bits)

    def descaled(self, bits: int) -> "_Lanes":
        """Divide by a power of two, rounded to nearest."""
        return (self + (1 << bits - 1)) >> bits

    def clipped(self, low: int, high: int) -> "_Lanes":
        build = self._builder
        least, most = self._all(low), self._all(high)
        value = build.select(build.icmp_signed("<", self.value, least), least, self.value)
        return _Lanes(build, build.select(build.icmp_signed(">", value, most), most, value))

    def of(self, kind: Any, *, signed: bool = True) -> "_Lanes":
        """Convert to another width."""
        if kind == self.value.type.element:
            return self
        to, width = ir.VectorType(kind, self.value.type.count), self.value.type.element.width
        wider = self._builder.sext if signed else self._builder.zext
        convert = self._builder.trunc if kind.width < width else wider
        return _Lanes(self._builder, convert(self.value, to))

    def chosen(self, other: "_Lanes", lanes: Sequence[int]) -> "_Lanes":
        """Return lanes of this and then of the other, by their numbers."""
        order = ir.Constant(ir.VectorType(_I32, len(lanes)), [*lanes])
        return _Lanes(self._builder, self._builder.shuffle_vector(self.value, other.value, order))

    def if_zero(self, then: "_Lanes", other: "_Lanes") -> "_Lanes":
        """Return `then` if all bits of this are 0, else the other."""
        build = self._builder
        bits = ir.IntType(self.value.type.count * self.value.type.element.width)
        zero = build.icmp_signed("==", build.bitcast(self.value, bits), bits(0))
        return _Lanes(build, build.select(zero, then.value, other.value))


def _eight(rows: Sequence[_Lanes]) -> list[_Lanes]:
    """Transform all columns at once (Loeffler, Ligtenberg and Moschytz, as in jidctint.c)."""
    outer, inner = (rows[7] + rows[3]).of(_I32), (rows[5] + rows[1]).of(_I32)
    sum, difference = (rows[0] + rows[4]).of(_I32), (rows[0] - rows[4]).of(_I32)
    _, one, two, three, _, five, six, seven = (row.of(_I32) for row in rows)
    low, high = two * (6270 + 4433) + six * 4433, two * 4433 + six * (4433 - 15137)
    sum, difference = sum << _FIX, difference << _FIX
    even = [sum + low, difference + high, difference - high, sum - low]
    of_outer = outer * (9633 - 16069) + inner * 9633
    of_inner = outer * 9633 + inner * (9633 - 3196)
    odd = [
        one * (12299 - 7373) + seven * -7373 + of_inner,
        three * (25172 - 20995) + five * -20995 + of_outer,
        five * (16819 - 20995) + three * -20995 + of_inner,
        seven * (2446 - 7373) + one * -7373 + of_outer,
    ]
    both = list(zip(even, odd, strict=True))
    return [*(a + b for a, b in both), *(a - b for a, b in reversed(both))]


def _four(rows: Sequence[_Lanes]) -> list[_Lanes]:
    """Transform to half as many (jidctred.c)."""
    zero, one, two, three, _, five, six, seven = (row.of(_I32) for row in rows)
    low, whole = two * 15137 + six * -6270, zero << _FIX + 1
    inner = seven * -1730 + five * 11893 + three * -17799 + one * 8697
    outer = seven * -4176 + five * -4926 + three * 7373 + one * 20995
    above, below = whole + low, whole - low
    return [above + outer, below + inner, below - inner, above - outer]


def _two(rows: Sequence[_Lanes]) -> list[_Lanes]:
    """Transform to a quarter as many (jidctred.c)."""
    zero, one, _, three, _, five, _, seven = (row.of(_I32) for row in rows)
    odd = seven * -5906 + five * 6967 + three * -10426 + one * 29692
    whole = zero << _FIX + 2
    return [whole + odd, whole - odd]


def _turned(lines: list[_Lanes]) -> list[_Lanes]:
    """Return the columns of a matrix of a power of two of rows."""
    lanes, rows, half = lines[0].value.type.count, len(lines), len(lines) // 2
    zips = [
        [lane // 2 + lane % 2 * lanes for lane in range(begin, begin + lanes)]
        for begin in (0, lanes)
    ]
    for _ in range(rows.bit_length() - 1):
        pairs = zip(lines[:half], lines[half:], strict=True)
        lines = [a.chosen(b, order) for a, b in pairs for order in zips]
    parts = [range(at, at + rows) for at in range(0, lanes, rows)]
    return [line.chosen(line, part) if len(parts) > 1 else line for line in lines for part in parts]


def _inverse(transform: Callable[[Sequence[_Lanes]], list[_Lanes]], size: int) -> Any:
    """Return the generator of an inverse transform of blocks to `size` x `size` samples."""
    used = {8: range(1, 8), 4: (1, 2, 3, 5, 6, 7), 2: (1, 3, 5, 7)}[size]
    less = {8: 0, 4: 1, 2: 2}[size]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        blocks, begin, steps, first, samples, at, pitch = arguments
        kinds = signature.args

        def line(kind: Any, array: Any, begin: Any, row: int) -> _Lanes:
            index = builder.add(begin, _I64(_SIDE * row))
            return _loaded(context, builder, kind, array, index, _I16, _SIDE)

        rows = [
            line(kinds[0], blocks, begin, row) * line(kinds[2], steps, first, row)
            for row in range(_SIDE)
        ]
        rest = rows[used[0]]
        for row in used[1:]:
            rest = rest | rows[row]
        made = [row.descaled(_FIX - 2 + less) for row in transform(rows)]
        narrow = [row.clipped(-32768, 32767).of(_I16) for row in made]
        if size > 2:  # where all but the first row is zero, it wraps around
            narrow = [rest.if_zero(rows[0] << 2, row) for row in narrow]
        columns = _turned(narrow)
        if size == 2:  # the first column is not clipped
            columns[0] = made[0].chosen(made[1], [0, _SIDE])
        made = [row.descaled(_FIX + 5 + less) for row in transform(columns)]
        # Turned in 16 bits: LLVM turns bytes in 32 bits, which takes three times as long.
        samples_of = [row.clipped(-32768, 32767).of(_I16).clipped(-128, 127) + 128 for row in made]
        for number, made_row in enumerate(_turned(samples_of)):
            index = builder.add(at, builder.mul(pitch, _I64(number)))
            _store(context, builder, kinds[4], samples, index, made_row.of(_I8))
        return context.get_dummy_value()

    return generate


def _transform(transform: Any, size: int) -> Any:
    generate = _inverse(transform, size)

    @intrinsic
    def write(
        typing: Any,
        blocks: Any,
        begin: Any,
        steps: Any,
        first: Any,
        samples: Any,
        at: Any,
        pitch: Any,
    ) -> Any:
        place = types.intp
        return types.void(blocks, place, steps, place, samples, place, place), generate

    return write


write_eight = _transform(_eight, 8)
"""Write a block's samples from `samples[at]`, rows `pitch` apart: `write_eight(blocks, begin,
steps, first, samples, at, pitch)`. The 64 coefficients, int16, begin at `blocks[begin]`, and their
steps of quantisation at `steps[first]`, both row by row."""
write_four = _transform(_four, 4)
"""The same at half the size."""
write_two = _transform(_two, 2)
"""The same at a quarter of the size."""


@intrinsic
def write_flat(typing: Any, value: Any, plane: Any, at: Any) -> Any:
    """Write eight samples of one value, 0 to 255, from `plane[at]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, plane, at = arguments
        word = builder.mul(value, _I64(0x0101_0101_0101_0101))
        place = element_pointer(context, builder, signature.args[1], plane, at, _I64)
        builder.store(word, place, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, plane, types.intp), generate


def _loaded(
    context: Any, builder: Any, kind: Any, array: Any, at: Any, element: Any, count: int = AT_ONCE
) -> _Lanes:
    """Load elements of an array of numba type `kind` from `array[at]`."""
    line = ir.VectorType(element, count)
    place = element_pointer(context, builder, kind, array, at, line)
    return _Lanes(builder, builder.load(place, align=1))


def _store(context: Any, builder: Any, kind: Any, array: Any, at: Any, lanes: _Lanes) -> None:
    place = element_pointer(context, builder, kind, array, at, lanes.value.type)
    builder.store(lanes.value, place, align=1)


def _share(chroma: _Lanes, factor: int) -> _Lanes:
    """Return `chroma` times `factor` / 65,536, rounded to nearest."""
    high = (((chroma << 1).of(_I32) * factor) >> _COLOUR_FIX).of(_I16)
    return (high + 1) >> 1


def _of_both(blue: _Lanes, red: _Lanes) -> _Lanes:
    """Return what chroma adds to green, and red once more: 65,536 - 46,802 is 18,734."""
    half = AT_ONCE // 2
    parts = [
        (blue.chosen(blue, lanes).of(_I32) * -22554 + red.chosen(red, lanes).of(_I32) * 18734)
        .descaled(_COLOUR_FIX)
        .of(_I16)
        for lanes in (range(half), range(half, AT_ONCE))
    ]
    return parts[0].chosen(parts[1], range(AT_ONCE))


@intrinsic
def store_rgb(
    typing: Any, planes: Any, luma: Any, blue: Any, red: Any, pixels: Any, at: Any
) -> Any:
    """Convert 16 pixels to RGB (jdcolor.c; ITU-T T.871, 7) and store 48 bytes from `pixels[at]`.
    `luma`, `blue` and `red` are where their samples begin in `planes`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        planes, *places, pixels, at = arguments
        luma, blue, red = (
            _loaded(context, builder, signature.args[0], planes, index, _I8).of(_I16, signed=False)
            for index in places
        )
        blue, red = blue - 128, red - 128
        # In 16 bits where that is exact, as in libjpeg-turbo: all lanes in 256 bits.
        made = [
            luma + red + _share(red, 26345),
            luma - red + _of_both(blue, red),
            luma + blue + blue + _share(blue, -14942),
        ]
        r, g, b = (one.clipped(0, 255).of(_I8) for one in made)
        order = [channel * AT_ONCE + x for x in range(AT_ONCE) for channel in range(3)]
        two, one = r.chosen(g, range(2 * AT_ONCE)), b.chosen(b, range(2 * AT_ONCE))
        _store(context, builder, signature.args[4], pixels, at, two.chosen(one, order))
        return context.get_dummy_value()

    return types.void(planes, types.intp, types.intp, types.intp, pixels, types.intp), generate


@intrinsic
def add_rows(typing: Any, planes: Any, near: Any, far: Any, sums: Any, at: Any) -> Any:
    """Store three times 16 samples from `planes[near]` and once those from `planes[far]` to int16
    sums from `sums[at]`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        planes, near, far, sums, at = arguments
        near, far = (
            _loaded(context, builder, signature.args[0], planes, index, _I8).of(_I16, signed=False)
            for index in (near, far)
        )
        _store(context, builder, signature.args[3], sums, at, near * 3 + far)
        return context.get_dummy_value()

    return types.void(planes, types.intp, types.intp, sums, types.intp), generate


@intrinsic
def store_spread(typing: Any, sums: Any, at: Any, planes: Any, out: Any) -> Any:
    """Store 32 samples from `planes[out]`: two for each of 16 sums from `sums[at]`, of three parts
    of it and one of the sum before or behind it (jdsample.c, h2v2_fancy_upsample).
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, at, planes, out = arguments
        before, this, behind = (
            _loaded(context, builder, signature.args[0], sums, builder.add(at, _I64(by)), _I16)
            for by in (-1, 0, 1)
        )
        left = ((this * 3 + before + 8) >> 4).of(_I8)
        right = ((this * 3 + behind + 7) >> 4).of(_I8)
        order = [x // 2 + x % 2 * AT_ONCE for x in range(2 * AT_ONCE)]
        _store(context, builder, signature.args[2], planes, out, left.chosen(right, order))
        return context.get_dummy_value()

    return types.void(sums, types.intp, planes, types.intp), generate


@intrinsic
def load_bits(typing: Any, array: Any, at: Any) -> Any:
    """Return eight bytes of a uint8 array, the first one in the highest bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at = arguments
        place = element_pointer(context, builder, signature.args[0], array, at, _I64)
        return builder.bswap(builder.load(place, align=1))

    return types.uint64(array, types.intp), generate


@intrinsic
def copy_plain(typing: Any, source: Any, begin: Any, target: Any, at: Any) -> Any:
    """Copy RUN bytes; return how many of them come before the first 0xFF."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, begin, target, at = arguments
        bytes = _loaded(context, builder, signature.args[0], source, begin, _I8, RUN)
        _store(context, builder, signature.args[2], target, at, bytes)
        found = builder.icmp_signed("==", bytes.value, ir.Constant(bytes.value.type, [255] * RUN))
        number = builder.cttz(builder.bitcast(found, _I32), ir.IntType(1)(0))
        return builder.zext(number, _I64)

    return types.int64(source, types.intp, target, types.intp), generate
