import itertools

from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.sources.archives.members import coalesce
from dafre_fast.sources.interface import Span

Records = list[tuple[Span, int]]


@st.composite
def records(draw: st.DrawFn) -> Records:
    """Records that do not overlap, in any order, numbered by their position."""
    lengths = draw(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=30))
    found, at = [], 0
    for number, (gap, length) in enumerate(lengths):
        at += gap
        found.append((Span(at, at + length), number))
        at += length
    return draw(st.permutations(found))


@given(records(), st.integers(0, 60), st.integers(1, 200))
def test_each_record_is_in_one_request_and_requests_ascend(found, gap, most) -> None:
    requests = list(coalesce(found, gap_bytes=gap, request_bytes=most))
    assert [what for request in requests for what in request] == list(range(len(found)))


@given(records(), st.integers(0, 60), st.integers(1, 200))
def test_a_request_bridges_no_larger_gap_and_is_no_longer_than_its_bounds(found, gap, most) -> None:
    spans = {number: span for span, number in found}
    for request in coalesce(found, gap_bytes=gap, request_bytes=most):
        parts = [spans[number] for number in request]
        assert all(b.start - a.stop <= gap for a, b in itertools.pairwise(parts))
        assert len(parts) == 1 or parts[-1].stop - parts[0].start <= most


@given(records(), st.integers(0, 60), st.integers(1, 200))
def test_neighbours_are_in_two_requests_only_where_a_bound_says_so(found, gap, most) -> None:
    spans = {number: span for span, number in found}
    requests = list(coalesce(found, gap_bytes=gap, request_bytes=most))
    for one, other in itertools.pairwise(requests):
        start, end, next_ = spans[one[0]].start, spans[one[-1]].stop, spans[other[0]]
        assert next_.start - end > gap or next_.stop - start > most
