"""Attempts, retries and time of one original."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Again, Event, Failed
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching, SharedFetching
from dafre_fast.sources.manners import effort as module
from dafre_fast.sources.manners.effort import Budget, Effort, Passing
from tests.sources.loopback import ignore

URL = "http://host/7.jpg"


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_BACKOFF_SECONDS", 0.0)


def failing(*failures: Refusal | None) -> Callable[[], Awaitable[str]]:
    """An attempt that raises the failures one after another, and succeeds where one is None."""
    left = iter(failures)

    async def attempt() -> str:
        if failure := next(left):
            raise failure
        return "there"

    return attempt


def busy(wrong: bytes | None = None) -> Passing:
    return Passing(Reason.SERVER_ERROR, "status 503", wrong)


def persist(
    attempt: Callable[[], Awaitable[str]], retries: int = 4, budget: Budget | None = None
) -> tuple[str, list[Event]]:
    told = list[Event]()

    async def main() -> str:
        settings = Fetching(retries=retries)
        async with Effort(settings, budget or Budget(1), told.append) as effort:
            return await effort.persist(URL, attempt)

    return asyncio.run(main()), told


@pytest.mark.parametrize(("runs", "retries"), [(1, 100), (4, 25), (1000, 1)])
def test_runs_that_share_hosts_share_the_free_retries_and_each_has_one(runs, retries) -> None:
    budget = Budget.of(SharedFetching(runs_at_once=runs))
    assert sum(budget.spend() for _ in range(200)) == retries


def test_a_passing_failure_is_followed_by_another_attempt() -> None:
    found, told = persist(failing(busy(), None))
    assert found == "there"
    assert told == [
        Failed(URL, 1, Reason.SERVER_ERROR, "status 503"),
        Again(URL, 2, Reason.SERVER_ERROR),
    ]


def test_a_refusal_for_good_is_raised_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        persist(failing(Refusal(Reason.NOT_FOUND), None))
    assert refused.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_last_failure_is_raised_after_so_many_retries(retries) -> None:
    failures = [Passing(Reason.SERVER_ERROR, f"number {n}") for n in range(10)]
    with pytest.raises(Passing, match=f"number {retries}"):
        persist(failing(*failures), retries)


def test_the_same_wrong_content_twice_is_final() -> None:
    with pytest.raises(Refusal, match="twice"):
        persist(failing(busy(b"a"), busy(b"b"), busy(b"a"), None))


def test_a_run_without_retries_left_refuses() -> None:
    budget = Budget(0)
    while budget.spend():
        pass
    assert repr(budget) == "<Budget [0.0 retries left]>"
    with pytest.raises(Refusal, match="no retries left in this run"):
        persist(failing(busy(), None), budget=budget)


def test_a_run_has_a_hundred_free_retries_and_a_share_for_each_image() -> None:
    budget = Budget(0.5)
    for _ in range(8):
        budget.one_more_image()
    assert sum(budget.spend() for _ in range(1000)) == 104


def test_backoff_doubles_up_to_half_a_minute(monkeypatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_BACKOFF_SECONDS", 30.0)
    for retry, least in [(1, 0.1), (2, 0.2), (5, 1.6), (8, 12.8)]:
        assert least <= module._backoff_seconds(retry) <= least + 1
    assert module._backoff_seconds(10) == module._backoff_seconds(5000) == 30.0


def test_time_that_is_up_is_a_refusal() -> None:
    async def main() -> None:
        async with Effort(Fetching(timeout=0.01), Budget(0), ignore):
            await asyncio.Event().wait()

    with pytest.raises(Refusal, match=r"after 0\.01 s") as refused:
        asyncio.run(main())
    assert refused.value.reason is Reason.DOWNLOAD_TIMEOUT


def test_a_pause_takes_no_time_of_the_original() -> None:
    async def main() -> None:
        effort = Effort(Fetching(timeout=0.5), Budget(0), ignore)
        async with effort:
            assert repr(effort) == "<Effort [0 attempts, clock running]>"
            with effort.paused():
                assert repr(effort) == "<Effort [0 attempts, clock stopped]>"
                await asyncio.sleep(0.6)
            assert repr(effort) == "<Effort [0 attempts, clock running]>"
        assert effort.waited > 0.5
        assert effort.seconds < effort.waited

    asyncio.run(main())


def test_after_a_pause_the_time_that_was_left_is_left() -> None:
    async def main() -> None:
        async with Effort(Fetching(timeout=0.05), Budget(0), ignore) as effort:
            with effort.paused():
                await asyncio.sleep(0.1)
            await asyncio.Event().wait()

    with pytest.raises(Refusal) as refused:
        asyncio.run(main())
    assert refused.value.reason is Reason.DOWNLOAD_TIMEOUT


def test_failures_leave_no_garbage_in_cycles() -> None:
    numbers = iter(range(60))

    async def fails_twice() -> str:
        if next(numbers) % 3 < 2:
            raise busy()
        return "there"

    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            persist(fails_twice)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kept = [found for found in gc.garbage if isinstance(found, Refusal)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert kept == []
