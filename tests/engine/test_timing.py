import asyncio
import time

import pytest

from dafre_fast.core.events import Again, Event, Outcome, Waited
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.core.summaries import Bottleneck, Downloads
from dafre_fast.engine.timing import LoopTime, Tally, run_measured
from dafre_fast.sources.disk_clock import on_disk

FETCHED = Fetched("5", attempts=1, bytes=1000, seconds=2.0)


def downloads(loop: LoopTime, *events: Event, workers: float = 0.0) -> Downloads:
    tally = Tally()
    for event in events:
        tally(event)
    tally.waited_for_workers(workers)
    found = tally.downloads(loop)
    assert found is not None
    return found


def loop(*, idle: float = 0.0, disk: float = 0.0) -> LoopTime:
    """Times of a loop that ran for ten seconds."""
    return LoopTime(10.0, idle, disk, 1.0)


def test_requests_retries_and_bytes_are_those_of_originals_that_were_asked_for() -> None:
    refused = Fetched("6", reason=Reason.SERVER_ERROR, attempts=3, seconds=9.0)
    again = Again("http://host/6", 2, Reason.SERVER_ERROR)
    found = downloads(
        loop(), Outcome(FETCHED), again, again, Outcome(refused), Outcome(Fetched("7", bytes=5))
    )
    counts = (found.originals, found.bytes, found.requests, found.retries)
    assert counts == (1, 1000, 4, 2)


def test_a_run_that_asked_for_nothing_has_no_bottleneck() -> None:
    tally = Tally()
    tally(Outcome(Fetched("7", path="7.png")))
    assert tally.downloads(loop(idle=9.0)) is None


@pytest.mark.parametrize(
    ("spent", "waited", "workers", "bottleneck"),
    [
        (loop(idle=9.0), 0.0, 0.0, Bottleneck.NETWORK),
        (loop(idle=9.0), 5.0, 0.0, Bottleneck.RATE_LIMITS),
        (loop(idle=9.0), 0.0, 5.0, Bottleneck.CPU),
        (loop(idle=2.0, disk=7.0), 0.0, 0.0, Bottleneck.DISK),
        (loop(idle=2.0), 0.0, 0.0, Bottleneck.CPU),
    ],
)
def test_the_bottleneck_is_what_took_the_largest_share_of_the_time(
    spent, waited, workers, bottleneck
) -> None:
    found = downloads(spent, Outcome(FETCHED), Waited("host", waited), workers=workers)
    assert found.bottleneck is bottleneck
    assert sum(found.shares.values()) == pytest.approx(1)


def test_a_loop_is_idle_while_it_waits_and_not_while_it_writes_or_works() -> None:
    @on_disk
    def write() -> None:
        time.sleep(0.02)

    async def main() -> str:
        await asyncio.sleep(0.05)
        write()
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return "done"

    result, spent = run_measured(main())
    assert result == "done"
    assert spent.idle >= 0.045
    assert spent.disk >= 0.02
    assert spent.all >= spent.idle + spent.disk + 0.02
    assert spent.cpu >= 0.02
