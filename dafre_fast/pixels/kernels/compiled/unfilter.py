"""Compiled unfiltering of PNG scanlines, as `pixels.kernels.unfilter` describes it."""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.pixels.kernels.compiled.resample import add_row, sum_blocks
from dafre_fast.pixels.kernels.compiled.simd import (
    add_bytes,
    average,
    either,
    load_rows,
    masked,
    no_rows,
    on_white,
    paeth,
    row_below,
    rows_equal,
    rows_up_to,
    store_last_row,
    store_rows,
)
from dafre_fast.pixels.kernels.unfilter import MARGIN, ROWS

_RGBX = np.int64(4)
_SUB, _UP, _AVERAGE, _PAETH = 1, 2, 3, 4


@inlined
def _unfilter_rows(lines, start, stride, channels, width, window, pitch):  # type: ignore[no-untyped-def]
    """Write eight rows from `lines[start]` to rows 1 to 8 of the window, on white. Row 0 holds the
    row above them as it is stored, and the last of the eight afterwards.
    """
    is_sub = rows_equal(lines, start, stride, _SUB)
    is_up = rows_equal(lines, start, stride, _UP)
    is_average = rows_equal(lines, start, stride, _AVERAGE)
    is_paeth = rows_equal(lines, start, stride, _PAETH)
    left = above_left = no_rows()
    for step in range(width + ROWS - 1):
        above = row_below(left, window, MARGIN + 4 * step)
        filtered = load_rows(lines, start + 1 + step * channels, stride - channels)
        guess = either(
            either(
                masked(paeth(left, above, above_left), is_paeth),
                masked(average(left, above), is_average),
            ),
            either(masked(left, is_sub), masked(above, is_up)),
        )
        above_left = above
        left = add_bytes(filtered, guess)
        if step < ROWS - 1:  # rows that have not begun have nothing left of their first pixel
            left = masked(left, rows_up_to(step))
        store_last_row(window, MARGIN + 4 * (step - ROWS + 1), left)
        shown = on_white(left) if channels == 4 else left
        store_rows(window, MARGIN + pitch + 4 * step, pitch - 4, shown)


@inlined
def _copy(source, target):  # type: ignore[no-untyped-def]
    for i in range(target.size):
        target[i] = source[i]


def unfilter(  # type: ignore[no-untyped-def]
    lines, last, width, height, channels, block, window, total, sums, left, top, region
):
    """Undo the filters and return whether all exist. `window` uint8 is room for ROWS + 1 rows with
    margins, and `total` uint16 for the sums of the columns, and four more; both are all zero.
    """
    stride = width * channels + 1
    for y in range(height):
        if lines[y * stride] > _PAETH:
            return False
    pitch = 4 * width + 2 * MARGIN
    out = np.int64(0)
    for y in range(0, height, ROWS):
        if y + ROWS < height:
            _unfilter_rows(lines, y * stride, stride, channels, width, window, pitch)
        else:
            _unfilter_rows(last, np.int64(0), stride, channels, width, window, pitch)
        for row in range(y, min(y + ROWS, height)):
            begin = MARGIN + (row - y + 1) * pitch
            pixels = window[begin : begin + 4 * width]
            if top <= row < top + region.shape[0]:
                _copy(pixels[4 * left :], region[row - top])
            if block:
                add_row(total, pixels)
                done = row % block + 1
                if done == block or row == height - 1:
                    sum_blocks(total, width, _RGBX, block, done, sums, out)
                    out += -(-width // block) * 3
                    total[:] = 0
    return True
