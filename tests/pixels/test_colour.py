"""Profiles: which mean something for the pixels, whatever they call themselves."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from dafre_fast.pixels.colour import Verdict, judge, pixels_to_srgb
from dafre_fast.pixels.header import Space
from tests.pixels.pictures import grey_profile, wide_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def renamed(profile, name):
    """The same profile, describing itself by another name of the same length."""
    old = ImageCms.getProfileDescription(io.BytesIO(profile)).strip()
    was, now = (text.encode("utf-16-be") for text in (old, name))
    assert len(was) == len(now)
    assert profile.count(was) == 1
    return profile.replace(was, now)


def test_srgb_has_nothing_to_convert():
    assert judge(SRGB, Space.RGB) is Verdict.SAME


def test_srgb_under_another_name_has_nothing_to_convert_either():
    assert judge(renamed(SRGB, "my new screen"), Space.RGB) is Verdict.SAME


def test_a_wide_gamut_converts():
    assert judge(wide_profile(), Space.RGB) is Verdict.CONVERTS


def test_a_wide_gamut_that_calls_itself_srgb_converts_all_the_same():
    assert judge(renamed(wide_profile(), "sRGB"), Space.RGB) is Verdict.CONVERTS


@pytest.mark.parametrize(("gamma", "verdict"), [(1.0, Verdict.CONVERTS), (3.0, Verdict.CONVERTS)])
def test_a_grey_curve_unlike_that_of_srgb_converts(gamma, verdict):
    assert judge(grey_profile(gamma), Space.GREY) is verdict


@pytest.mark.parametrize("space", [Space.GREY, Space.CMYK])
def test_a_profile_of_another_space_than_the_picture_is_broken(space):
    assert judge(SRGB, space) is Verdict.BROKEN


def test_an_empty_profile_is_broken():
    assert judge(b"", Space.RGB) is Verdict.BROKEN


@given(st.binary(max_size=400), st.sampled_from(Space))
def test_bytes_that_are_no_profile_are_broken(profile, space):
    assert judge(profile, space) is Verdict.BROKEN


@given(st.integers(0, len(SRGB) - 1))
def test_a_profile_that_breaks_off_has_a_verdict(length):
    assert judge(SRGB[:length], Space.RGB) in Verdict


def test_pixels_without_a_profile_stay_as_they_are():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert pixels_to_srgb(pixels, None) is pixels


def test_red_of_a_wide_gamut_is_redder_than_srgb_can_show():
    pixels = np.full((2, 2, 3), (200, 60, 60), np.uint8)
    red, green, _ = pixels_to_srgb(pixels, wide_profile())[0, 0]
    assert red > 200
    assert green < 60
