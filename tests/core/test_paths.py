import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.paths import from_text, to_text

NAMES = st.binary(min_size=1, max_size=12) | st.text(r"\x5cfe9a", max_size=12).map(str.encode)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"a.png", "a.png"),
        ("画像.png".encode(), "画像.png"),
        (b"caf\xe9.png", r"caf\xe9.png"),
        (rb"caf\xe9.png", r"caf\x5cxe9.png"),
        (rb"C:\new\x.png", r"C:\new\x.png"),
    ],
)
def test_only_bytes_that_are_not_utf8_and_what_looks_like_them_are_escaped(name, text) -> None:
    assert to_text(os.fsdecode(name)) == text


@given(NAMES)
def test_any_name_is_text_that_tables_can_hold_and_is_read_back(name) -> None:
    text = to_text(os.fsdecode(name))
    assert os.fsencode(from_text(text.encode().decode())) == name


@given(NAMES, NAMES)
def test_no_two_names_have_the_same_text(one, other) -> None:
    assert (to_text(os.fsdecode(one)) == to_text(os.fsdecode(other))) == (one == other)
