"""Messages put together from bytes, however these arrive."""

from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.engine.executors.messages import Inbox, framed


@given(messages=st.lists(st.binary(max_size=300)), pieces=st.lists(st.integers(1, 50)))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(messages, pieces) -> None:
    sent = b"".join(map(framed, messages))
    inbox, found = Inbox(), []
    for size in [*pieces, len(sent)]:
        found += inbox.feed(sent[:size])
        sent = sent[size:]
    assert found == messages


def test_a_message_that_has_not_arrived_whole_is_kept() -> None:
    inbox = Inbox()
    assert inbox.feed(framed(b"one") + framed(b"two")[:-1]) == [b"one"]
    assert inbox.feed(b"") == []
    assert inbox.feed(b"o") == [b"two"]
