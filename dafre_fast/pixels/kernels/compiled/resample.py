"""Compiled resizing, as `pixels.kernels.resample` describes it."""

import math

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.pixels.kernels.compiled.simd import (
    add_sums,
    add_times,
    load_sums,
    same,
    store_clipped,
    store_sums,
)
from dafre_fast.pixels.kernels.resample import RUN, SHORT_RUN, SUPPORT

_FLOAT = np.float32
"""Converts integers before they are multiplied: numba makes a float64 of int times float32."""
_TINY = 1e-6
"""Radians from the middle of the filter within which its weight is 1 to all digits of a float32."""


def taps(source, extent, target, scale, first, weights):  # type: ignore[no-untyped-def]
    """Write the first source pixel of each target pixel and its weights, which are all zero."""
    step = extent / target
    stretch = max(step, 1.0)
    reach = SUPPORT * stretch
    third = math.pi / 3 / stretch
    turn_sine, turn_cosine = math.sin(third), math.cos(third)
    for i in range(target):
        centre = (i + 0.5) * step
        begin = max(0, int(centre - reach + 0.5))
        end = min(source, int(centre + reach + 0.5))
        total = 0.0
        angle = third * (begin + 0.5 - centre)
        sine, cosine = math.sin(angle), math.cos(angle)
        for j in range(begin, end):
            # sin(3t) = 3 sin t - 4 sin^3 t: one sine for sinc(x) and for sinc(x / 3). The next
            # comes by turning this one, at a sixth of the time.
            weight = 1.0
            if abs(angle) > _TINY:
                weight = sine * sine * (3 - 4 * sine * sine) / (3 * angle * angle)
            angle += third
            sine, cosine = (
                sine * turn_cosine + cosine * turn_sine,
                cosine * turn_cosine - sine * turn_sine,
            )
            weights[i, j - begin] = weight
            total += weight
        first[i] = begin
        for j in range(end - begin):
            weights[i, j] *= scale / total


@inlined(fastmath=True)
def _mix_rows(source, first, weights, out):  # type: ignore[no-untyped-def]
    """Write to `out` the weighted sum of `weights.size` rows of `source`, from row `first`."""
    last = source.shape[0] - 1  # weights of later rows are zero
    long = weights.size // RUN * RUN
    out[:] = 0
    for k in range(0, long, RUN):
        at = first + k
        a, b, c = source[min(at, last)], source[min(at + 1, last)], source[min(at + 2, last)]
        d, e, f = source[min(at + 3, last)], source[min(at + 4, last)], source[min(at + 5, last)]
        u, v, w = weights[k], weights[k + 1], weights[k + 2]
        x, y, z = weights[k + 3], weights[k + 4], weights[k + 5]
        for i in range(source.shape[1]):
            upper = u * _FLOAT(a[i]) + v * _FLOAT(b[i]) + w * _FLOAT(c[i])
            lower = x * _FLOAT(d[i]) + y * _FLOAT(e[i]) + z * _FLOAT(f[i])
            out[i] += upper + lower
    for k in range(long, weights.size, SHORT_RUN):
        a, b = source[min(first + k, last)], source[min(first + k + 1, last)]
        u, v = weights[k], weights[k + 1]
        for i in range(source.shape[1]):
            out[i] += u * _FLOAT(a[i]) + v * _FLOAT(b[i])


def resize(source, channels, top, down, left, across, strip, pitch, out):  # type: ignore[no-untyped-def]
    """Write RGBX pixels; `strip` is room for four rows of floats, `pitch` apart, all zero."""
    height = top.size
    width = left.size
    for y in range(0, height, 4):
        for row in range(4):
            target = min(y + row, height - 1)
            _mix_rows(source, top[target], down[target], strip[row * pitch : (row + 1) * pitch])
        for x in range(width):
            half = same(_FLOAT(0.5))
            one, two, three, four = half, half, half, half
            at = left[x] * channels
            for k in range(across.shape[1]):
                weight = same(across[x, k])
                one = add_times(one, weight, strip, at)
                two = add_times(two, weight, strip, at + pitch)
                three = add_times(three, weight, strip, at + 2 * pitch)
                four = add_times(four, weight, strip, at + 3 * pitch)
                at += channels
            at = 4 * (y * width + x)
            store_clipped(out, at, one)
            store_clipped(out, at + 4 * width, two)
            store_clipped(out, at + 8 * width, three)
            store_clipped(out, at + 12 * width, four)


@inlined
def add_row(total, row):  # type: ignore[no-untyped-def]
    """Add a row, uint8, to the sums of its columns, uint16."""
    for i in range(row.size):
        total[i] = np.uint16(total[i] + row[i])


@inlined
def _sum_across(total, whole, channels, block, out, at):  # type: ignore[no-untyped-def]
    for x in range(whole):
        begin = x * block * channels
        found = load_sums(total, begin)
        for k in range(1, block):
            found = add_sums(found, load_sums(total, begin + k * channels))
        store_sums(out, at + 3 * x, found)


@inlined
def sum_blocks(total, size, channels, block, rows, out, at):  # type: ignore[no-untyped-def]
    """Write RGB sums over blocks to `out` from index `at`. `total` holds the sums of the columns
    over `rows` rows, at most `block`, of `size` pixels.

    The fourth channel that is stored is overwritten by the first channel of the next pixel.
    """
    whole = size // block
    if block == 2:  # compiled by itself, without the inner loop: most pictures need this
        _sum_across(total, whole, channels, 2, out, at)
    else:
        _sum_across(total, whole, channels, block, out, at)
    rest = size - whole * block
    if rest:
        for c in range(3):
            value = 0
            for k in range(whole * block, size):
                value += total[k * channels + c]
            out[at + 3 * whole + c] = value * block // rest
    if rows < block:
        for i in range(at, at + 3 * (whole + (rest > 0))):
            out[i] = out[i] * block // rows


def shrink(source, channels, block, total, out):  # type: ignore[no-untyped-def]
    """Write sums over blocks; `total` is room for the sums of the columns, and four more."""
    size = source.shape[1] // channels
    at = np.int64(0)
    for y in range(0, source.shape[0], block):
        rows = min(block, source.shape[0] - y)
        total[:] = 0
        for row in range(y, y + rows):
            add_row(total, source[row])
        sum_blocks(total, size, channels, block, rows, out, at)
        at += -(-size // block) * 3
