"""Targets in which the engine must find what is wrong."""

import ctypes

from hypothesis import strategies as st


def failing(data):
    assert b"x" not in data


def crashing(data):
    if b"x" in data:
        ctypes.string_at(0)


def good(data):
    assert isinstance(data, bytes)


letters = st.text("abcx").map(str.encode)
TARGETS = {
    "failing": (failing, letters),
    "crashing": (crashing, letters),
    "good": (good, letters),
}
