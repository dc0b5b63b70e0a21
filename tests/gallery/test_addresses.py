"""Addresses of the gallery: each view has exactly one, and each address one view."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery.view import View, address, pairs_of, read_view, split_query

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
tags = st.lists(names, max_size=4, unique=True).map(tuple)
pixels = st.none() | st.integers(1, 1_000_000)
orders = st.one_of(
    st.tuples(st.sampled_from(["manifest", "id"]), st.none()),
    st.tuples(st.just("random"), st.none() | st.integers(0, 2**32 - 1)),
)


@st.composite
def views(draw: st.DrawFn) -> View:
    order, seed = draw(orders)
    return View(
        show=draw(st.sampled_from(["full", "faces"])),
        split=draw(st.none() | names),
        status=draw(st.none() | names),
        klass=draw(st.none() | names),
        general=draw(tags),
        series=draw(tags),
        character=draw(tags),
        original_min=draw(pixels),
        original_max=draw(pixels),
        head_min=draw(pixels),
        head_max=draw(pixels),
        order=order,
        seed=seed,
        page=draw(st.integers(1, 10**9)),
    )


@given(views())
def test_an_address_leads_back_to_its_view(view) -> None:
    assert read_view(split_query(address(view).removeprefix("?"))) == view


@given(views(), st.randoms())
def test_only_the_order_of_tags_matters_in_an_address(view, random) -> None:
    pairs = pairs_of(view)
    by_name = {name: [pair for pair in pairs if pair[0] == name] for name, _ in pairs}
    shuffled = [*by_name.values()]
    random.shuffle(shuffled)
    assert read_view(pair for group in shuffled for pair in group) == view


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


def test_blank_fields_are_ignored() -> None:
    assert read_view(split_query("split=&original_min=&general=&page=2")) == View(page=2)


def test_a_repeated_tag_counts_once() -> None:
    assert read_view(split_query("general=solo&general=solo")).general == ("solo",)


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
        ("order=size", "^order: Invalid enum value 'size'$"),
        ("order=random&seed=-1", "^seed: "),
        ("order=random&seed=4294967296", "^seed: "),
        ("head_min=0", "^head_min: "),
        ("klass=a", "^there is no parameter `klass`$"),
        ("general=%ff", "^the address is not UTF-8$"),
        (f"general={'x' * 501}", "^general"),
        ("&".join(f"general={number}" for number in range(101)), "more than 100 parameters$"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(query, reason) -> None:
    with pytest.raises(UsageError, match=reason):
        read_view(split_query(query))


@given(views(), st.sampled_from(["class", "split", "status", "general", "series"]), names)
def test_a_filter_that_was_added_can_be_removed(view, kind, name) -> None:
    bare = view.without(kind, name)
    added = bare.added(kind, name)
    assert (kind, name) in added.terms
    expected = bare if kind in {"general", "series"} else bare.without(kind, name)
    assert added.without(kind, name) == expected


@given(views())
def test_a_changed_view_starts_at_page_one(view) -> None:
    assert view.added("general", "solo").page == 1
    assert msgspec.structs.replace(view, page=1) == view.but()
