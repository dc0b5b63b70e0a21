"""ICC profiles of colours that a file tells by numbers: code points, or chromaticities and a gamma.

Code points: ITU-T H.273, tables 2 and 3. Profiles: ICC.1:2022, of a matrix and a curve, for RGB:
greys are converted as RGB, since littleCMS converts shadows of grey profiles up to 75 levels off.

The curves of video (BT.709, BT.601, BT.2020) are taken as that of sRGB, as browsers do: files in
sRGB are often marked so. Light beyond a screen's white (PQ, HLG) is mapped to it channel by
channel, by BT.2390 (5.4.1, EETF): light up to 90 cd/m² stays, more is compressed until 1,000 cd/m²,
the peak for which such pictures are made, are white. White is the 203 cd/m² of BT.2408.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
"""Light of `_STEPS` values that lie evenly between black and white; 1 is the light of white."""
Chromaticities = tuple[float, ...]
"""x and y of white, red, green and blue, in the order of PNG's cHRM."""

_STEPS = 16 * 255 + 1
"""Every value of 8 bits is one of them."""
_PEAK, _WHITE = 1000, 203
"""Light of the brightest value and of white, in cd/m²."""

_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_BT709 = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_BT601 = (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_UNSPECIFIED = 2
_PRIMARIES: dict[int, Chromaticities] = {
    1: _BT709,
    _UNSPECIFIED: _BT709,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _BT601,
    7: _BT601,
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (*_DCI, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_LIKE_SRGB = {1, _UNSPECIFIED, 6, 11, 12, 13, 14, 15}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_PQ, _HLG = 16, 18

_NEAR_SRGB = 0.05
"""A gamma that differs from that of sRGB by no more than this share is sRGB's curve, as in libpng
(PNG_GAMMA_THRESHOLD)."""
_COLORANTS, _CURVES = (b"rXYZ", b"gXYZ", b"bXYZ"), (b"rTRC", b"gTRC", b"bTRC")
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
"""Matrix from XYZ to the responses that an adaptation to another white scales (ICC.1:2022, E.2)."""


@lru_cache(64)
def of_code_points(primaries: int, transfer: int) -> bytes | None:
    """Return the profile for code points of H.273; None for sRGB, empty for unknown ones."""
    colours = _PRIMARIES.get(primaries)
    curve = _curve(transfer)
    if colours is None or curve is None:
        return b""
    if colours == _BT709 and transfer in _LIKE_SRGB:
        return None
    return _profile(colours, curve)


@lru_cache(64)
def of_gamma(gamma: float, chromaticities: Chromaticities | None) -> bytes | None:
    """Return the profile for values that are light to the power of `gamma` (PNG's gAMA) between
    these chromaticities (cHRM; None for those of sRGB); None for sRGB, empty for impossible ones.
    """
    colours = _BT709 if chromaticities is None else chromaticities
    if gamma <= 0:
        return b""
    like_srgb = abs(gamma * 2.2 - 1) < _NEAR_SRGB
    if like_srgb and np.allclose(colours, _BT709, atol=0.001):
        return None
    return _profile(colours, _srgb() if like_srgb else _values() ** (1 / gamma))


def _values() -> Curve:
    return np.linspace(0, 1, _STEPS)


def _curve(transfer: int) -> Curve | None:
    """Return the curve of a code point; None if it is not known."""
    if transfer in _LIKE_SRGB:
        return _srgb()
    if transfer in _GAMMAS:
        return _values() ** _GAMMAS[transfer]
    if transfer == _PQ:
        return _shown(_values())
    if transfer == _HLG:
        return _shown(_pq_of(_hlg_light()))
    return None


def _srgb() -> Curve:
    """IEC 61966-2-1."""
    x = _values()
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _hlg_light() -> Curve:
    """Light of HLG values on a screen of `_PEAK`, in cd/m² (BT.2100, table 5, gamma 1.2 of each
    channel).
    """
    x = _values()
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12)
    return _PEAK * scene**1.2


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
"""Constants of PQ (BT.2100, table 4)."""


def _pq_of(light: Curve | float) -> Curve:
    """PQ values of light in cd/m²."""
    power = (np.asarray(light) / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _light_of(pq: Curve) -> Curve:
    power = pq ** (1 / _M2)
    return 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def _shown(pq: Curve) -> Curve:
    """Map PQ values to the light of a screen whose white has `_WHITE` cd/m² (BT.2390, 5.4.1)."""
    peak, most = _pq_of(_PEAK), _pq_of(_WHITE) / _pq_of(_PEAK)
    values = np.minimum(pq / peak, 1)
    knee = 1.5 * most - 0.5
    t = np.maximum(values - knee, 0) / (1 - knee)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    bent += (3 * t**2 - 2 * t**3) * most
    return _light_of(np.where(values < knee, values, bent) * peak) / _WHITE


def _profile(colours: Chromaticities, curve: Curve) -> bytes:
    """Return a profile of version 4 without names, which no conversion needs; empty if there is
    none for such colours.
    """
    colorants = _colorants(colours)
    if colorants is None:
        return b""
    tags = {b"wtpt": _xyz(_D50)}
    tags |= {name: _xyz(one) for name, one in zip(_COLORANTS, colorants.T, strict=True)}
    tags |= dict.fromkeys(_CURVES, _sampled(curve))
    return _joined(tags)


@np.errstate(all="ignore")
def _colorants(colours: Chromaticities) -> NDArray[np.float64] | None:
    """XYZ of red, green and blue as columns, adapted to D50; None for impossible chromaticities."""
    x, y = np.array(colours).reshape(4, 2).T
    white, *primaries = np.array([x / y, np.ones(4), (1 - x - y) / y]).T
    columns = np.array(primaries).T
    try:
        columns = columns * np.linalg.solve(columns, white)
        gains = np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white))
        adapted = np.linalg.solve(_BRADFORD, gains @ _BRADFORD @ columns)
    except np.linalg.LinAlgError:
        return None
    return adapted if np.abs(adapted).max() < 16 else None  # nor if it is not finite


def _joined(tags: dict[bytes, bytes]) -> bytes:
    """A profile of these tags: header, table and bodies (ICC.1:2022, 7)."""
    begin = 128 + 4 + 12 * len(tags)
    *starts, size = accumulate((len(body) for body in tags.values()), initial=begin)
    table = b"".join(
        struct.pack(">4sII", name, start, len(body))
        for (name, body), start in zip(tags.items(), starts, strict=True)
    )
    head = struct.pack(">I4xI4s4s4s", size, 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">12x4s28x12s", b"acsp", _xyz(_D50)[8:])
    head = head.ljust(128, b"\0") + struct.pack(">I", len(tags))
    return head + table + b"".join(tags.values())


def _xyz(values: Sequence[float]) -> bytes:
    """A tag of one XYZ number (10.31), signed 15.16."""
    return b"XYZ " + struct.pack(">4x3i", *(round(value * 65_536) for value in values))


def _sampled(curve: Curve) -> bytes:
    """A tag of a sampled curve (10.6), 16 bits each."""
    samples: bytes = np.rint(curve.clip(0, 1) * 65_535).astype(">u2").tobytes()
    body = b"curv" + struct.pack(">4xI", len(curve)) + samples
    return body + bytes(-len(body) % 4)
