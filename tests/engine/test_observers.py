import pytest

from dafre_fast.core.events import Advanced, Asked, Began, Ended, Event, Outcome
from dafre_fast.core.findings import Flaw
from dafre_fast.core.records import Fetched
from dafre_fast.engine.observers import counted, watching
from dafre_fast.engine.timing import LoopTime

LOOP = LoopTime(all=1.0, idle=0.0, disk=0.0, cpu=1.0)


def test_a_run_reports_its_beginning_its_progress_and_its_end() -> None:
    seen: list[Event] = []
    with watching("images", seen.append) as watch:
        watch.begin(10, 4)
        watch.advance(None, None)
    assert seen == [Began("images", 10, 4), Asked(10, 4), Advanced((None, None)), Ended()]


def test_the_counts_of_the_summary_see_what_the_observer_sees() -> None:
    seen: list[Event] = []
    with watching("images", seen.append) as watch:
        watch.tell(Outcome(Fetched("5", attempts=2, bytes=7)))
    found = watch.tally.downloads(LOOP)
    assert found
    assert (found.requests, found.bytes, len(seen)) == (2, 7, 2)


def test_a_stage_is_reported_with_the_word_for_what_is_bad() -> None:
    seen: list[Event] = []
    with counted(seen.append, "files", 3, bad="found") as advance:
        advance(None, Flaw.MISSING)
    assert seen == [Began("files", 3, bad="found"), Advanced((None, Flaw.MISSING)), Ended()]


@pytest.mark.parametrize(
    "begin", [lambda tell: watching("images", tell), lambda tell: counted(tell, "files", 3)]
)
def test_a_stage_ends_for_its_observer_also_with_an_exception(begin) -> None:
    seen: list[Event] = []

    def stage() -> None:
        with begin(seen.append):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage()
    assert seen[-1] == Ended()
