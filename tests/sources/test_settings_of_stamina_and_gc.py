"""Downloads leave settings of the whole process as they found them."""

import asyncio
import gc

import pytest
from loopback import JPEG, fetch_from, one_from
from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks

from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import Budget, Effort, Passing
from dafre_fast.testing.fault_server import Server, first, status


@pytest.fixture
def called():
    """What a hook of another part of the process is called with."""
    before, calls = get_on_retry_hooks(), []
    set_on_retry_hooks([calls.append])
    yield calls
    set_on_retry_hooks(before)


def test_a_retry_calls_no_hook_of_others_and_leaves_these_in_place(tmp_path, called) -> None:
    fetched = one_from(first(1, status("500 Oh")), tmp_path)
    assert (fetched.reason, fetched.attempts) == (None, 2)
    assert called == []
    assert get_on_retry_hooks() == (called.append,)


def test_hooks_are_in_place_after_the_last_of_several_that_were_retried_at_once(called) -> None:
    first_may_end, second_may_end = asyncio.Event(), asyncio.Event()

    async def persist(may_end: asyncio.Event, *, then_begins: asyncio.Event | None) -> None:
        async def attempt() -> None:
            if effort.attempts == 1:
                raise Passing(Reason.SERVER_ERROR)
            if then_begins:
                then_begins.set()
            await may_end.wait()

        async with Effort(Fetching(), Budget(1.0), lambda _: None) as effort:
            await effort.persist("http://host/1.jpg", attempt)

    async def main() -> None:
        both_retry = asyncio.Event()
        one = asyncio.create_task(persist(first_may_end, then_begins=None))
        other = asyncio.create_task(persist(second_may_end, then_begins=both_retry))
        await both_retry.wait()
        first_may_end.set()
        await one
        assert get_on_retry_hooks() == ()
        second_may_end.set()
        await other

    asyncio.run(main())
    assert called == []
    assert get_on_retry_hooks() == (called.append,)


def test_hooks_are_in_place_after_a_refusal(tmp_path, called) -> None:
    settings = Fetching(retries=1)
    fetched = one_from(status("500 Oh"), tmp_path, settings=settings)
    assert fetched.reason is Reason.SERVER_ERROR
    assert get_on_retry_hooks() == (called.append,)


@pytest.mark.parametrize("frozen", [False, True])
def test_what_garbage_collection_excludes_is_as_before(tmp_path, frozen) -> None:
    if frozen:
        gc.freeze()
    try:
        before = gc.get_freeze_count()
        assert bool(before) is frozen
        (fetched,) = fetch_from(Server(first(0, status("500 Oh")), JPEG), tmp_path, Sought("7"))
        assert fetched.reason is not Reason.SERVER_ERROR
        assert before - 100 <= gc.get_freeze_count() <= before  # those may die that are not used
    finally:
        gc.unfreeze()
