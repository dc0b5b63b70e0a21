"""Compiled decoding of baseline JPEG, as `pixels.kernels.baseline` describes it."""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.pixels.kernels.baseline import (
    AT_ONCE,
    BITS,
    BLOCK,
    END_OF_BLOCK,
    LENGTHS,
    MARGIN,
    RUN,
    SYMBOLS,
)
from dafre_fast.pixels.kernels.compiled.dct import (
    add_rows,
    copy_plain,
    load_bits,
    store_rgb,
    store_spread,
    write_eight,
    write_flat,
    write_four,
    write_two,
)

_I, _U = np.int64, np.uint64
_WORD, _CODE = _U(64), _U(16)
_BYTE, _HALF = _U(0xFF), _U(0xFFFF)
_LAST = _U(63)
_STUFFED, _FIRST_RESTART = 0, 0xD0


def unstuff(data, begin, clean, ends):  # type: ignore[no-untyped-def]
    """Copy coded data without stuffed zeros and restart markers (T.81, B.1.1.5 and E.1.4).

    Writes where each restart interval ends in `clean` to `ends`. Returns where the marker behind
    the data stands, or 0 if the intervals are not as many, or not in order.
    """
    at, out, intervals = begin, _I(0), _I(0)
    while at + 1 < data.size:
        if at + RUN <= data.size:
            plain = copy_plain(data, at, clean, out)
        else:
            clean[out] = data[at]
            plain = _I(data[at] != 0xFF)
        at += plain
        out += plain
        if at + 1 >= data.size or data[at] != 0xFF:
            continue
        marker = data[at + 1]
        if marker == _STUFFED:
            clean[out] = 0xFF
            out += 1
        elif marker == _FIRST_RESTART + intervals % 8 and intervals < ends.size - 1:
            ends[intervals] = out
            intervals += 1
        else:
            break
        at += 2
    ends[intervals] = out
    clean[out : out + MARGIN] = 0
    return at if intervals == ends.size - 1 else _I(0)


@inlined
def _fill_codes(counts, table, windows):  # type: ignore[no-untyped-def]
    """Write the symbol of each code, and the code's length above it, for all windows that begin
    with it, and what `_long_code` needs (T.81, C.2 and F.2.2.3).
    """
    code, first = _I(0), _I(0)
    for length in range(1, 17):
        count = counts[length - 1]
        table[LENGTHS + 2 * length] = (code + count) << (16 - length)
        table[LENGTHS + 2 * length + 1] = first - code
        if length <= BITS:
            for number in range(count):
                begin = (code + number) << (BITS - length)
                symbol = length << 8 | _I(table[SYMBOLS + first + number])
                for window in range(begin, begin + (1 << (BITS - length))):
                    windows[window] = symbol
        first += count
        code = (code + count) << 1


@inlined
def _coefficient(windows, window, behind):  # type: ignore[no-untyped-def]
    """Return the number of bits, the advance, and the value of the coefficient that comes after
    `behind` bits of a window; 0 bits if the window does not hold them all.
    """
    rest = window << behind & ((1 << BITS) - 1)
    found = _I(windows[rest])
    length, run, size = found >> 8, found >> 4 & 15, found & 15
    bits = length + size
    if length == 0 or behind + bits > BITS:
        return _I(0), _I(0), _I(0)
    if size == 0:
        return bits, _I(16) if run else _I(END_OF_BLOCK), _I(0)
    value = rest >> (BITS - bits) & ((1 << size) - 1)
    if value < 1 << (size - 1):
        value -= (1 << size) - 1
    return bits, run + 1, value


def fill(counts, table, windows):  # type: ignore[no-untyped-def]
    """Fill a table whose symbols are there; `counts` are those of codes by their length, and
    `windows` is room for a symbol per entry, all zero.
    """
    _fill_codes(counts, table, windows)
    for window in range(1 << BITS):
        bits, advance, value = _coefficient(windows, _I(window), _I(0))
        if bits == 0:
            table[window] = windows[window]
            continue
        more, further, other = _I(0), _I(0), _I(0)
        if advance < END_OF_BLOCK:
            more, further, other = _coefficient(windows, _I(window), bits)
        if more == 0:
            other = value
        table[window] = (
            (value & 0xFFFF)
            | (other & 0xFFFF) << 16
            | advance << 32
            | further << 40
            | bits << 48
            | (bits + more) << 56
        )


@inlined(forceinline=True)
def _refilled(stream, at, bits, count):  # type: ignore[no-untyped-def]
    """Return place, bits and their number with at least 32 of them."""
    if count < 32:
        bits |= load_bits(stream, at) >> _U(count)
        more = (63 - count) >> 3
        at += more
        count += 8 * more
    return at, bits, count


@inlined
def _long_code(table, bits):  # type: ignore[no-untyped-def]
    """Return the symbol of a code of more than BITS bits, and its length above it; 0 if there is no
    such code.
    """
    window = bits >> _U(48)
    length = _U(BITS + 1)
    while length <= _CODE:
        place = _U(LENGTHS) + _U(2) * length
        if window < table[place]:
            symbol = table[place + _U(1)] + (window >> (_CODE - length))
            return length << _U(8) | table[_U(SYMBOLS) + (symbol & _BYTE)]
        length += _U(1)
    return _U(0)


@inlined(forceinline=True)
def _spelled_out(table, entry, bits):  # type: ignore[no-untyped-def]
    """Return length, run, number of further bits and value of a symbol that no entry holds; the
    length is 0 if there is no such code.
    """
    found = entry & _HALF
    if found == _U(0):
        found = _long_code(table, bits)
    length, run, size = found >> _U(8), found >> _U(4) & _U(15), found & _U(15)
    value = _I(0)
    if size:
        value = _I((bits << length) >> (_WORD - size))
        if value < _I(1) << _I(size - _U(1)):
            value -= (_I(1) << _I(size)) - 1
    return length, run, size, value


@inlined(forceinline=True)
def _read_mean(dc, blocks, begin, bits):  # type: ignore[no-untyped-def]
    """Write a first coefficient, as its difference, to `blocks[begin]`; return how many bits it
    takes, 0 if the data is damaged.
    """
    entry = dc[bits >> _U(64 - BITS)]
    if entry >> _U(56):
        blocks[begin] = np.int16(entry)
        return entry >> _U(48) & _BYTE
    length, _, size, value = _spelled_out(dc, entry, bits)
    blocks[begin] = np.int16(value)
    return length + size if length else _U(0)


@inlined(forceinline=True)
def _read_block(stream, reader, dc, ac, places, blocks, begin):  # type: ignore[no-untyped-def]
    """Read the coefficients of a block to `blocks[begin]` and on (T.81, F.2.2). Returns the place
    after the last: END_OF_BLOCK for the first alone, 0 if the data is damaged.
    """
    for i in range(BLOCK):
        blocks[begin + _U(i)] = 0
    at, bits, count = _refilled(stream, _I(reader[0]), reader[1], _I(reader[2]))
    used, place = _read_mean(dc, blocks, begin, bits), _U(0)
    while used and place < _LAST:
        at, bits, count = _refilled(stream, at, bits << used, count - _I(used))
        entry = ac[bits >> _U(64 - BITS)]
        used = entry >> _U(56)
        if used:
            first = place + (entry >> _U(32) & _BYTE)
            place = first + (entry >> _U(40) & _BYTE)
            blocks[begin + places[first]] = np.int16(entry)
            blocks[begin + places[place]] = np.int16(entry >> _U(16))
            if place > _LAST:  # apart, so that the next turn does not wait for it
                if first == _LAST:  # the second symbol is of the next block
                    used, place = entry >> _U(48) & _BYTE, first
                elif _LAST < first < _U(END_OF_BLOCK):
                    place = _U(0)
                break
        else:
            length, run, size, value = _spelled_out(ac, entry, bits)
            used = length + size if length else _U(0)
            place += run + _U(1)
            if size:
                blocks[begin + places[place]] = np.int16(value)
            else:
                place += _U(0) if run else _U(END_OF_BLOCK - 1)
    reader[0], reader[1], reader[2] = _U(at), bits << used, _U(count - _I(used))
    sound = used and (place == _LAST or place >= _U(END_OF_BLOCK))
    return place if sound else _U(0)


@inlined(forceinline=True)
def _read_mcu(stream, reader, components, tables, places, means, blocks, ends):  # type: ignore[no-untyped-def]
    """Read the blocks of an MCU, and to `ends` what `_read_block` returns; return whether they are
    sound.
    """
    number = _U(0)
    for c in range(components.shape[0]):
        dc, ac = tables[components[c, 2]], tables[components[c, 3]]
        mean = means[c]
        for _ in range(components[c, 0] * components[c, 1]):
            begin = number * _U(BLOCK)
            end = _read_block(stream, reader, dc, ac, places, blocks, begin)
            if end == _U(0):
                return False
            mean += blocks[begin]
            blocks[begin] = np.int16(mean)
            ends[number] = end
            number += _U(1)
        means[c] = mean
    return True


@inlined
def _write_flat(mean, step, size, samples, at, pitch):  # type: ignore[no-untyped-def]
    """Write the samples of a block that has no coefficient but the first, or that becomes one
    sample; what stands up to seven to the right is lost.
    """
    if size == 1:  # of all bits, and then wrapped to 10 of them (jidctred.c)
        value = (((mean * step + 4 >> 3) + 512) & 1023) - 512
    elif size == 2:  # in 32 bits throughout, all others in 16 (libjpeg-turbo's vector code)
        value = _I(np.int32((_I(np.int16(mean * step)) << 17) + (1 << 19))) >> 20
    else:
        value = (_I(np.int16(_I(np.int16(mean * step)) << 2)) + 16) >> 5
    value = min(max(value, -128), 127) + 128
    for row in range(size):
        write_flat(value, samples, at + row * pitch)


@inlined(forceinline=True)
def _write_mcu(blocks, ends, components, steps, samples, target, number, row, column):  # type: ignore[no-untyped-def]
    """Write the samples of an MCU to target `number`, unless it lies outside."""
    begin, plane, pitch = target[0], target[1], target[2]
    left, top, right, bottom = target[3], target[4], target[5], target[6]
    if not (left <= column < right and top <= row < bottom):
        return
    block = 0
    for c in range(components.shape[0]):
        across, down, size = components[c, 0], components[c, 1], components[c, 4 + number]
        corner = begin + c * plane
        corner += (row - top) * down * size * pitch + (column - left) * across * size
        for y in range(down):
            for x in range(across):
                at, first = corner + y * size * pitch + x * size, block * BLOCK
                if size == 1 or ends[block] == END_OF_BLOCK:
                    mean, step = _I(blocks[first]), _I(steps[c * BLOCK])
                    _write_flat(mean, step, size, samples, at, pitch)
                elif size == 8:
                    write_eight(blocks, first, steps, c * BLOCK, samples, at, pitch)
                elif size == 4:
                    write_four(blocks, first, steps, c * BLOCK, samples, at, pitch)
                else:
                    write_two(blocks, first, steps, c * BLOCK, samples, at, pitch)
                block += 1


@inlined
def _at_end(reader, end):  # type: ignore[no-untyped-def]
    """Return whether all bytes up to `end` were read and none behind it."""
    used = 8 * _I(reader[0]) - _I(reader[2])
    return (used + 7) >> 3 == end


@inlined(forceinline=True)
def _begin_interval(reader, means, intervals, number):  # type: ignore[no-untyped-def]
    """Go to a restart interval; return whether all before it is read (T.81, E.2.4)."""
    begin = intervals[number - 1] if number else _I(0)
    if number and not _at_end(reader, begin):
        return False
    reader[0], reader[1], reader[2] = begin, 0, 0
    means[:] = 0
    return True


def decode(  # type: ignore[no-untyped-def]
    stream,
    intervals,
    interval,
    across,
    down,
    components,
    tables,
    steps,
    places,
    reader,
    means,
    blocks,
    ends,
    samples,
    targets,
    rows,
    pixels,
    width,
    height,
):
    """Decode a scan whose restart intervals, of `interval` MCUs, end at `intervals`; return whether
    it is sound.

    The first of the two targets holds one row of MCUs, of which `rows` of pixels are made.
    """
    out, left_over, number = _I(0), _I(0), _I(0)
    for row in range(down):
        for column in range(across):
            if left_over == 0:
                if not _begin_interval(reader, means, intervals, number):
                    return False
                left_over, number = interval, number + 1
            left_over -= 1
            if not _read_mcu(stream, reader, components, tables, places, means, blocks, ends):
                return False
            if _I(reader[0]) > stream.size - MARGIN + 8:
                return False
            for target in range(2):
                line = row if target else _I(0)
                to = targets[target]
                _write_mcu(blocks, ends, components, steps, samples, to, target, line, column)
        plane, pitch = targets[0, 1], targets[0, 2]
        for y in range(min(rows, height - row * rows)):
            luma = y * pitch
            _convert(samples, luma, luma + plane, luma + 2 * plane, pixels, out, width)
            out += 3 * width
    return _at_end(reader, intervals[intervals.size - 1])


@inlined
def _convert(planes, luma, blue, red, pixels, at, width):  # type: ignore[no-untyped-def]
    """Convert a row to RGB; up to 45 bytes behind it are lost."""
    for x in range(0, width, AT_ONCE):
        store_rgb(planes, luma + x, blue + x, red + x, pixels, at + 3 * x)


@inlined
def _spread(planes, near, far, first, end, last, sums, out):  # type: ignore[no-untyped-def]
    """Write columns `first` to `end` of two rows of chroma at twice their width, from `planes[out]`
    on, three parts of the near one and one of the far one; `last` is the last column of all
    (jdsample.c, h2v2_fancy_upsample).
    """
    begin, stop = max(first - 1, 0), min(end + 1, last + 1)
    for x in range(begin, stop, AT_ONCE):
        add_rows(planes, near + x, far + x, sums, x + 1)
    if first == 0:
        sums[0] = sums[1]
    if end > last:
        sums[last + 2] = sums[last + 1]
    for x in range(first, end, AT_ONCE):
        store_spread(sums, x + 1, planes, out + 2 * x)


def cut(  # type: ignore[no-untyped-def]
    planes, plane, pitch, left, top, halved, last_column, last_row, sums, pixels, width, height
):
    """Write the pixels of a region, whose samples are in planes of `plane` bytes; behind them is
    room for two rows. `halved` chroma is spread.
    """
    end = (left + width + 1) >> 1
    for y in range(top, top + height):
        luma, begin = y * pitch + left, 3 * width * (y - top)
        if not halved:
            _convert(planes, luma, luma + plane, luma + 2 * plane, pixels, begin, width)
            continue
        near = y >> 1
        far = min(max(near + 2 * (y & 1) - 1, 0), last_row)
        room = 3 * plane
        for c in range(1, 3):
            one, other = c * plane + near * pitch, c * plane + far * pitch
            out = room + (c - 1) * pitch
            _spread(planes, one, other, left >> 1, end, last_column, sums, out)
        _convert(planes, luma, room + left, room + pitch + left, pixels, begin, width)
