"""The language of questions: each line has one meaning, and each term one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery.language import NAMED, Term, named, read, split_order, write

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(
    lambda text: text.replace(" ", "_")
)
columns = st.sampled_from(["width", "url", "original_format", "x2"])
terms = st.one_of(
    st.builds(Term, st.sampled_from(["", *NAMED]), names, st.just("="), st.booleans()),
    st.builds(Term, columns, names, st.sampled_from(["=", "<", "<=", ">", ">="]), st.booleans()),
)


@given(st.lists(terms, max_size=8, unique=True).map(tuple))
def test_terms_are_written_as_a_line_that_is_read_as_the_same_terms(several) -> None:
    assert read(write(several)) == several


@given(st.text(max_size=200))
def test_any_line_is_a_question_and_is_written_as_it_is_read(text) -> None:
    try:
        several = read(text)
    except UsageError:
        return
    assert read(write(several)) == several


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("smile  blue_hair", [Term("", "smile"), Term("", "blue_hair")]),
        ("-smile", [Term("", "smile", excluded=True)]),
        ('"-_-" :d >_< ^_^ -', [Term("", name) for name in ("-_-", ":d", ">_<", "^_^", "-")]),
        ('class:"hatsune miku"', [Term("class", "hatsune_miku")]),
        ('"momo"_hoshino', [Term("", '"momo"_hoshino')]),
        (r'"a \"b\" \\"', [Term("", 'a_"b"_\\')]),
        ('"open', [Term("", '"open')]),
        ("-split:test", [Term("split", "test", excluded=True)]),
        ("width:>1000", [Term("width", "1000", ">")]),
        ("WIDTH:>=1000", [Term("width", "1000", ">=")]),
        ("width:=5", [Term("width", "5")]),
        ("width:100..200", [Term("width", "100..200", "..")]),
        ("width:100..", [Term("width", "100..", "..")]),
        ("error_message:none", [Term("error_message", "", "none")]),
        ('error_message:"none"', [Term("error_message", "none")]),
        ("url:*example.com/*", [Term("url", "*example.com/*", "~")]),
        ("*_hair", [Term("", "*_hair", "~")]),
        ('"*"', [Term("", "*")]),
        ("class:>_<", [Term("class", ">_<")]),
        ("smile smile", [Term("", "smile")]),
    ],
)
def test_a_line_has_the_terms_that_are_written_in_it(line, expected) -> None:
    assert [*read(line)] == expected


def test_names_are_written_without_quotes_where_they_need_none() -> None:
    plain = [named("", "blue hair"), named("class", 'ao/"b"_(x)'), Term("width", "5", ">")]
    assert write(plain) == 'blue_hair class:ao/"b"_(x) width:>5'
    assert write([named("", "-_-"), named("class", "a*")]) == '"-_-" class:"a*"'


def test_the_order_is_taken_out_of_the_terms() -> None:
    assert split_order(read("smile order:-width")) == (read("smile"), "-width")
    assert split_order(read("smile")) == (read("smile"), None)
    for line in ("order:a order:b", "-order:a", "order:a*"):
        with pytest.raises(UsageError, match=r"^order: give one"):
            split_order(read(line))


def test_a_question_that_is_too_long_is_refused() -> None:
    with pytest.raises(UsageError, match="more than 40 terms"):
        read(" ".join(map(str, range(41))))
    with pytest.raises(UsageError, match="longer than 2,000 letters"):
        read("x" * 2001)
