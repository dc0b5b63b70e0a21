"""Engines: processes that carry out a part each, under one that supervises them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dafre_fast.core.errors import SourceError, UsageError, WorkerError
from dafre_fast.core.events import Advanced, Asked, Began, Ended, Event, Held, Notice
from dafre_fast.core.settings.fetching import Fetching, SharedFetching
from dafre_fast.core.settings.running import Dividing
from dafre_fast.engine.coordinator import Job
from dafre_fast.engine.engines import divided, engines_for, run_engines, shared
from dafre_fast.sources.manners.hosts import Host, Reach
from tests.processes import needs_proc, runs
from tests.torture.kills import await_true

LOOPBACK = "http://127.0.0.1:1/{id}.jpg"


def carry_out(call: str, folder: Path, engines: int = 2) -> list[Event]:
    told: list[Event] = []
    function = f"tests.engine_jobs:{call}"
    run_engines(lambda number, _: Job(function, (folder, number)), engines, told.append)
    return told


def notices(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Notice)]


def process_of(folder: Path, number: int) -> int:
    (path,) = folder.glob(f"* {number} *")
    return int(path.name.split()[-1])


def test_the_events_of_all_engines_are_those_of_one_run(tmp_path) -> None:
    told = carry_out("make_ten", tmp_path)
    advanced = [event for event in told if isinstance(event, Advanced)]
    others = [event for event in told if not isinstance(event, Advanced)]
    assert others == [Began("images", 20), Asked(20, 0), Ended()]
    assert advanced == [Advanced((None,))] * 20
    assert len([*tmp_path.iterdir()]) == 20


def test_an_engine_that_is_killed_is_started_again_and_goes_on(tmp_path) -> None:
    told = carry_out("die_once", tmp_path)
    assert notices(told) == ["engine 2 of 2 died (killed by signal 9) and is started again"]
    assert len([*tmp_path.glob("?-*")]) == 20


def test_what_one_engine_learns_of_a_host_the_others_hear_and_who_is_started_again(
    tmp_path,
) -> None:
    (tmp_path / "images").mkdir()
    told = carry_out("listen", tmp_path)
    assert told.count(Held("host", 60.0)) == 1
    assert [path.read_text() for path in sorted(tmp_path.glob("heard *"))] == ["host True"] * 2


def test_an_engine_that_always_dies_is_given_up_and_the_others_do_their_parts(tmp_path) -> None:
    with pytest.raises(WorkerError, match=r"engine 2 of 2 died 4 times \(exit status 7\)"):
        carry_out("die", tmp_path)
    assert len([*tmp_path.glob("1-*")]) == 10


@needs_proc
def test_an_error_in_one_engine_is_that_of_the_run_and_stops_the_others(tmp_path) -> None:
    with pytest.raises(SourceError, match="must not be asked"):
        carry_out("fail", tmp_path)
    (hanging,) = tmp_path.glob("hanging 2 *")
    assert not runs(int(hanging.name.split()[-1]))


PARENT = (
    "import sys; from pathlib import Path\n"
    "from dafre_fast.core import stopping\n"
    "stopping.PATIENCE_SECONDS = 0\n"
    "from dafre_fast.core.stopping import raise_stopped\n"
    "from tests.engine.test_engines import carry_out\n"
    "raise_stopped('parent')\n"
    "carry_out(sys.argv[1], Path(sys.argv[2]))\n"
)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_engines_end_with_their_parent(tmp_path, number) -> None:
    command = [sys.executable, "-c", PARENT, "hang", tmp_path]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        assert await_true(lambda: len([*tmp_path.glob("hanging *")]) == 2, seconds=60)
        engines = [process_of(tmp_path, engine) for engine in (1, 2)]
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)  # as from a terminal
        else:
            parent.send_signal(number)
        parent.wait(timeout=60)
    assert await_true(lambda: not any(map(runs, engines)))


@needs_proc
def test_at_a_second_ctrl_c_engines_that_do_not_end_are_ended_at_once(tmp_path) -> None:
    (tmp_path / "stopped").mkdir()
    command = [sys.executable, "-c", PARENT, "hang_when_stopped", tmp_path]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        assert await_true(lambda: len([*tmp_path.glob("hanging *")]) == 2, seconds=60)
        engines = [process_of(tmp_path, engine) for engine in (1, 2)]
        os.killpg(parent.pid, signal.SIGINT)
        assert await_true(lambda: len([*tmp_path.glob("stopped/hanging *")]) == 2)
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(timeout=5) == 128 + signal.SIGINT
    assert await_true(lambda: not any(map(runs, engines)), seconds=5)  # else it takes them ten


def test_workers_are_divided_and_each_engine_has_one_at_least() -> None:
    shares = [divided(Dividing(workers=5), number, 3) for number in (1, 2, 3)]
    assert [share.workers for share in shares] == [2, 2, 1]
    assert [share.part for share in shares] == ["1/3", "2/3", "3/3"]
    assert divided(Dividing(workers=1), 2, 2).workers == 1


@pytest.mark.parametrize(
    ("running", "source", "fetching", "engines"),
    [
        (Dividing(workers=2), LOOPBACK, SharedFetching(), 1),
        (Dividing(workers=64), LOOPBACK, SharedFetching(), 8),
        (Dividing(workers=64), "s3://bucket/{id}", SharedFetching(), 5),  # requests per second
        (Dividing(workers=64), "s3://bucket/{id}", SharedFetching(rate=100.0), 8),
        (Dividing(workers=64), "originals", SharedFetching(), 1),
        (Dividing(workers=64), None, SharedFetching(), 1),
        (Dividing(engines=3), None, SharedFetching(), 3),
        (Dividing(engines=9), LOOPBACK, SharedFetching(connections=4), 4),
        (Dividing(engines=9), LOOPBACK, SharedFetching(connections_per_host=2), 2),
        (Dividing(engines=9), LOOPBACK, SharedFetching(connections=8, runs_at_once=4), 2),
        (Dividing(engines=9), LOOPBACK, SharedFetching(rate=0.5), 1),
        (Dividing(part="1/2"), LOOPBACK, SharedFetching(), 1),
    ],
)
def test_there_are_as_many_engines_as_keep_cores_busy_and_share_a_host(
    running, source, fetching, engines
) -> None:
    assert engines_for(running, source, fetching) == engines


def test_a_part_has_one_engine() -> None:
    with pytest.raises(UsageError, match="--engines and --part exclude each other"):
        engines_for(Dividing(part="1/2", engines=2), None, SharedFetching())


@pytest.mark.parametrize("reach", [Reach.PUBLIC, Reach.LOOPBACK])
@pytest.mark.parametrize(
    "fetching", [SharedFetching(), SharedFetching(rate=20.0, connections_per_host=6)]
)
def test_rate_and_connections_of_a_host_are_divided(reach, fetching) -> None:
    whole, third = Host("host", reach, fetching), Host("host", reach, shared(fetching, 3))
    if reach is Reach.PUBLIC or fetching.connections_per_host:
        assert 3 * third.most <= whole.most
    if whole.limiter:
        per_second = (host.limiter.max_rate / host.limiter.time_period for host in (whole, third))
        assert next(per_second) == pytest.approx(3 * next(per_second))


def test_downloads_that_share_no_host_are_as_ever() -> None:
    assert Host("host", Reach.PUBLIC, Fetching()).most == 8
