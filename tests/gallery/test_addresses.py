"""Addresses of the gallery: each view has exactly one, and each address one view."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery.language import named, write
from dafre_fast.gallery.view import View, address, pairs_of, read_view, split_query
from tests.gallery.test_language import terms

orders = st.one_of(
    st.tuples(st.sampled_from(["mixed", "manifest", "id", "width", "-url"]), st.none()),
    st.tuples(st.just("random"), st.none() | st.integers(0, 2**32 - 1)),
)


@st.composite
def views(draw: st.DrawFn) -> View:
    order, seed = draw(orders)
    return View(
        show=draw(st.sampled_from(["full", "faces"])),
        q=write(draw(st.lists(terms, max_size=6, unique=True))),
        order=order,
        seed=seed,
        page=draw(st.integers(1, 10**9)),
    )


@given(views())
def test_an_address_leads_back_to_its_view(view) -> None:
    assert read_view(split_query(address(view).removeprefix("?"))) == view


@given(st.text(max_size=200))
def test_any_query_is_a_view_or_refused_in_one_line(query) -> None:
    try:
        view = read_view(split_query(query))
    except UsageError as error:
        found = str(error).splitlines()
        assert len(found) == 1, found
        return
    assert read_view(pairs_of(view)) == view


def test_the_default_view_has_no_parameters() -> None:
    assert address(View()) == ""


def test_parameters_as_they_are_by_default_are_left_out() -> None:
    assert address(read_view(split_query("show=full&order=mixed&page=1"))) == ""


def test_blank_fields_are_ignored() -> None:
    assert read_view(split_query("split=&original_min=&general=&q=&page=2")) == View(page=2)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("split=val&general=solo&general=long+hair", "split:val general:solo general:long_hair"),
        ("q=smile+split:val&split=test", "smile split:test"),
        ("original_min=500&head_max=90&below=0.5", "original:>=500 head:<=90 probability:<0.5"),
        ("q=smile+smile", "smile"),
        ("q=-smile&general=smile", "-smile general:smile"),
    ],
)
def test_parameters_of_forms_become_terms(query, line) -> None:
    assert read_view(split_query(query)) == View(q=line)


def test_an_order_within_the_line_is_the_order_of_the_view() -> None:
    assert read_view(split_query("q=smile+order:-width")) == View(q="smile", order="-width")
    assert View(q="smile", order="-width").line == "smile order:-width"


def test_only_a_random_order_has_a_seed() -> None:
    assert read_view(split_query("order=id&seed=4")).seed is None
    assert read_view(split_query("order=random&seed=4")).seed == 4


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("page=0", "^page: "),
        ("page=1000000001", "^page: "),
        ("page=two", "^page: "),
        ("page=1&page=2", "^page is given 2 times$"),
        ("q=order:a+order:b", "^order: give one column"),
        ("order=random&seed=-1", "^seed: "),
        ("order=random&seed=4294967296", "^seed: "),
        ("klass=a", "^there is no parameter `klass`$"),
        ("general=%ff", "^the address is not UTF-8$"),
        (f"general={'x' * 2001}", "longer than 2,000 letters"),
        ("&".join(f"general={number}" for number in range(101)), "more than 100 parameters$"),
        ("&".join(f"general={number}" for number in range(41)), "more than 40 terms$"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(query, reason) -> None:
    with pytest.raises(UsageError, match=reason):
        read_view(split_query(query)).terms  # noqa: B018


@given(views(), terms)
def test_a_term_that_was_added_can_be_removed(view, term) -> None:
    bare = view.without(term, term.opposite)
    added = bare.added(term)
    assert term in added.terms
    assert term not in added.without(term).terms
    assert term.opposite in added.added(term.opposite).terms
    assert term not in added.added(term.opposite).terms


def test_another_class_takes_the_place_of_one() -> None:
    view = View(q="class:a smile").added(named("class", "b"))
    assert view.q == "smile class:b"


@given(views())
def test_a_changed_view_starts_at_page_one(view) -> None:
    assert view.added(named("general", "solo")).page == 1
    assert msgspec.structs.replace(view, page=1) == view.but()
