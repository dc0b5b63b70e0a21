"""`python -m bench scale`: engines x workers, and many tiny originals in parts."""

import subprocess
import sys

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from bench import scale, tiny
from bench.processes import children, watching
from bench.scale import DISK, NETWORK, Case, Measured, cases_up_to, efficiency, measure
from tests.processes import needs_proc

IDLE = Measured(
    source=NETWORK,
    engines=2,
    workers=4,
    images=100,
    seconds=2.0,
    cpu_seconds=4.0,
    downloader=0.4,
    driver=0.1,
    server=0.5,
    cores=0.6,
    disk=0.0,
)


def test_cases_go_from_one_core_to_all_and_no_engine_is_without_a_worker() -> None:
    cases = cases_up_to(6)
    assert cases[0] == Case(DISK, 1, 1)
    of_network = [case[1:] for case in cases if case.source == NETWORK]
    assert of_network == [
        *[(1, 1), (1, 2), (2, 2), (1, 4), (2, 4), (4, 4)],
        *[(1, 6), (2, 6), (4, 6), (6, 6)],
    ]
    assert max(case.engines for case in cases_up_to(64, engines=4)) == 4


def test_the_median_run_of_a_case_counts_after_one_that_fills_caches() -> None:
    seconds = iter([99.0, 3.0, 1.0, 2.0])
    case = Case(NETWORK, 2, 4)
    (found,) = measure([case], 3, lambda _: replace(IDLE, seconds=next(seconds)))
    assert found.seconds == 2.0


def test_efficiency_is_that_of_a_worker_against_the_first_case_of_the_source() -> None:
    first = replace(IDLE, engines=1, workers=1, seconds=4.0)
    assert (first.rate, IDLE.rate) == (25.0, 50.0)
    assert efficiency(IDLE, [replace(first, source=DISK, seconds=1.0), first, IDLE]) == 0.5


@pytest.mark.parametrize(
    ("shares", "full"),
    [
        ({}, "none"),
        ({"cores": 0.95, "downloader": 0.95, "server": 1.0}, "cores"),
        ({"downloader": 0.95}, "loader"),
        ({"driver": 0.95, "downloader": 0.95}, "driver"),
        ({"server": 0.97}, "server"),
        ({"disk": 0.5}, "disk"),
    ],
)
def test_the_table_names_the_resource_that_has_no_more_to_give(shares, full) -> None:
    assert replace(IDLE, **shares).full == full


@needs_proc
def test_a_watched_process_is_counted_without_its_children() -> None:
    busy = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    with (
        subprocess.Popen(
            [sys.executable, "-c", f"{parent}\ninput()"], stdin=subprocess.PIPE
        ) as one,
        watching(one.pid) as watched,
    ):
        while not children(one.pid):
            pass
        while children(one.pid):
            pass
        one.communicate(b"\n")
    assert [*watched.cpu_seconds] == [one.pid]
    assert watched.cpu_seconds[one.pid] < 0.3
    assert max(memory for _, memory in watched.memory) > 1e6


@needs_proc
@pytest.mark.slow
def test_a_run_prints_every_case_and_writes_it(corpus, tmp_path) -> None:
    small = ("--corpus", corpus.folder, "--many", 60, "--samples", 1, "--latency", 0, "--cores", 1)
    paths = ("--json", tmp_path / "scale.json", "--output", tmp_path / "out")
    done = CliRunner().invoke(scale.main, [*map(str, (*small, *paths))])
    assert done.exit_code == 0, done.output
    report = msgspec.json.decode((tmp_path / "scale.json").read_bytes(), type=scale.Report)
    assert [(one.source, one.images) for one in report.measured] == [(DISK, 60), (NETWORK, 60)]
    assert [one.server > 0 for one in report.measured] == [False, True]
    for title in ("images/s", "efficiency", "full"):
        assert title in done.output


@needs_proc
@pytest.mark.slow
def test_memory_stays_flat_over_many_tiny_originals_in_parts(tmp_path) -> None:
    steps = tiny.measure(5_000, 2, tmp_path)
    assert [(step.name, step.images) for step in steps] == [
        ("part 1/2", 2500),
        ("part 2/2", 2500),
        ("merge", 5000),
        ("2 engines", 5000),
    ]
    first, second, _, engines = steps
    assert second.peak_mb < first.peak_mb * 1.2
    assert engines.peak_mb < first.peak_mb * 1.5
