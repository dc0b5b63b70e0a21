"""Colours told by numbers: the profiles that are made of them, seen through a conversion.

Expected colours are those of Chromium 156, unless a comment says otherwise.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.pixels import profiles
from dafre_fast.pixels.colour import Verdict, judge, pixels_to_srgb
from dafre_fast.pixels.header import Space
from dafre_fast.pixels.profiles import of_code_points, of_gamma

COLOURS = [(50, 100, 150), (60, 160, 60), (200, 60, 60), (128, 128, 128), (230, 230, 230)]
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
PQ, HLG, BT2020 = 16, 18, 9


def seen(profile, colours=COLOURS):
    return pixels_to_srgb(np.array([colours], np.uint8), profile)[0].astype(int)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param(
            (12, 13),
            [(26, 101, 154), (0, 163, 40), (217, 42, 52), (128,) * 3, (230,) * 3],
            id="Display P3",
        ),
        pytest.param(
            (9, 14),
            [(0, 104, 155), (0, 168, 32), (247, 0, 53), (128,) * 3, (230,) * 3],
            id="BT.2020",
        ),
        pytest.param(
            (5, 6),
            [(46, 100, 150), (50, 160, 62), (204, 60, 60), (128,) * 3, (230,) * 3],
            id="PAL",
        ),
        pytest.param(
            (11, 13),
            [(34, 101, 154), (0, 163, 40), (212, 42, 53), (128,) * 3, (230,) * 3],
            id="P3 of cinemas",
        ),
        pytest.param(
            (1, 5),
            [(26, 76, 131), (36, 142, 36), (189, 36, 36), (106,) * 3, (224,) * 3],
            id="a gamma of 2.8",
        ),
        pytest.param(
            (1, 8),
            [(122, 168, 202), (133, 208, 133), (229, 133, 133), (188,) * 3, (244,) * 3],
            id="linear",
        ),
    ],
)
def test_code_points_decide_the_colours(points, expected):
    assert np.abs(seen(of_code_points(*points)) - expected).max() <= 2


@pytest.mark.parametrize("transfer", [1, 2, 6, 13, 14, 15])
def test_colours_of_srgb_and_curves_of_video_need_no_conversion(transfer):
    assert of_code_points(1, transfer) is None


@pytest.mark.parametrize("points", [(0, 13), (1, 0), (3, 3), (10, 13), (1, 17), (255, 255)])
def test_unknown_code_points_give_an_empty_profile(points):
    assert of_code_points(*points) == b""


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 8, 9, 11, 12, 22])
@pytest.mark.parametrize("transfer", [4, 5, 8, 13, PQ, HLG])
def test_black_and_white_and_greys_keep_their_hue(primaries, transfer):
    profile = of_code_points(primaries, transfer)
    black, grey, white = (
        seen(profile, [(0,) * 3, (100,) * 3, (255,) * 3]) if profile else [0, 0, 255]
    )
    assert np.ptp(grey) <= 1
    assert (black <= np.array([1, 1, 1])).all()
    assert (white >= np.array([254, 254, 254])).all()


def test_a_written_profile_of_srgb_is_found_to_be_srgb():
    assert judge(profiles._profile(SRGB, profiles._srgb()), Space.RGB) is Verdict.SAME


# Light beyond the white of a screen


def light_of_grey(profile, value):
    """Light of a grey as a screen shows it, 1 for white."""
    level = seen(profile, [(value,) * 3])[0].mean() / 255
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize(
    ("value", "nits"),
    [(64, 5.23), (96, 24.98), (112, 49.44), (127, 90.45)],
)
def test_dim_light_of_pq_is_shown_as_it_is(value, nits):
    """Light by BT.2100, table 4; white is 203 cd/m² (BT.2408)."""
    profile = of_code_points(BT2020, PQ)
    assert light_of_grey(profile, value) == pytest.approx(nits / 203, rel=0.03)


def test_white_of_print_stays_below_the_brightest_light_of_pq():
    profile = of_code_points(BT2020, PQ)
    print_white, lamp, peak = (light_of_grey(profile, value) for value in (148, 170, 192))
    assert 0.7 < print_white < lamp < peak == 1


def test_grey_of_hlg_is_that_of_a_screen_of_1000_nits():
    """Half of the signal is a twelfth of the light of the scene, and 50.7 of 1,000 cd/m²."""
    profile = of_code_points(BT2020, HLG)
    assert light_of_grey(profile, 127) == pytest.approx(50.7 / 203, rel=0.03)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_values_never_come_out_darker(transfer):
    greys = np.arange(256)[:, None].repeat(3, axis=1)
    found = seen(of_code_points(BT2020, transfer), greys)
    assert (np.diff(found, axis=0) >= 0).all()


# Gamma and chromaticities


@pytest.mark.parametrize(
    ("gamma", "primaries", "expected"),
    [
        pytest.param(
            1.0,
            None,
            [(122, 168, 202), (133, 208, 133), (229, 133, 133), (188,) * 3, (244,) * 3],
            id="linear",
        ),
        pytest.param(
            0.55555,
            None,
            [(65, 119, 167), (77, 176, 77), (210, 77, 77), (146,) * 3, (235,) * 3],
            id="old Macintoshs",
        ),
        pytest.param(
            0.43,
            None,
            [(41, 95, 147), (52, 157, 52), (199, 52, 52), (124,) * 3, (229,) * 3],
            id="just not that of sRGB",
        ),
        pytest.param(
            1.0,
            P3,
            [(109, 170, 205), (107, 210, 125), (244, 127, 130), (188,) * 3, (244,) * 3],
            id="linear P3",
        ),
        pytest.param(  # Chromium takes a bare gamma of 2.2 here: up to 12 levels off in shadows
            0.45455,
            P3,
            [(26, 101, 154), (0, 163, 40), (217, 42, 52), (128,) * 3, (230,) * 3],
            id="P3",
        ),
    ],
)
def test_gamma_and_chromaticities_decide_the_colours(gamma, primaries, expected):
    assert np.abs(seen(of_gamma(gamma, primaries)) - expected).max() <= 1


@pytest.mark.parametrize("gamma", [0.45455, 0.45, 0.47])
@pytest.mark.parametrize("primaries", [None, SRGB, (0.31269, 0.32899, *SRGB[2:])])
def test_a_gamma_near_that_of_srgb_needs_no_conversion(gamma, primaries):
    assert of_gamma(gamma, primaries) is None


@pytest.mark.parametrize(
    "primaries",
    [(0.0,) * 8, (0.3,) * 8, (0.3127, 0.329, *(0.1,) * 6), (*SRGB[:2], *(0.0,) * 6)],
)
def test_impossible_chromaticities_give_an_empty_profile(primaries):
    assert of_gamma(1.0, primaries) == b""


number = st.integers(0, 2**32 - 1).map(lambda value: value / 100_000)


@given(number, st.none() | st.tuples(*[number] * 8))
def test_any_numbers_give_a_profile_or_none(gamma, primaries):
    profile = of_gamma(gamma, primaries)
    assert not profile or judge(profile, Space.RGB) in Verdict
