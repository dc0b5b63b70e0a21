import re
import threading
import urllib.error
import urllib.request

import pytest

from dafre_fast.core.events import Again, Asked, Down, Event, Held, Notice, Outcome, Pace, Up
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.core.settings.fetching import Watching
from dafre_fast.views.metrics import Metrics

EVENTS: list[Event] = [
    Asked(100, 40),
    Outcome(Fetched("1", attempts=2, bytes=1000, seconds=0.3)),
    Outcome(Fetched("2", path="2.png", bytes=50)),
    Outcome(Fetched("3", reason=Reason.NOT_FOUND, attempts=5, seconds=0.7)),
    Again("http://a/1", 2, Reason.SERVER_ERROR),
    Pace(6, "throughput grows"),
    Down("a:80", 10, 2.0),
    Down("b:80", 10, 2.0),
    Up("a:80"),
    Held("c:80", 300.0),
    Held("d:80", 0.0),
]


def read(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def test_a_free_port_is_said_and_answers_on_the_loopback_until_the_end() -> None:
    told: list[Event] = []
    before = threading.active_count()
    with Metrics(Watching(metrics_port=0), told.append) as metrics:
        (notice,) = told
        assert isinstance(notice, Notice)
        (address,) = re.findall(r"^metrics: (http://127\.0\.0\.1:\d+/metrics)$", notice.text)
        for event in EVENTS:
            metrics(event)
        samples = read(address)
    assert (
        samples.items()
        >= {
            'dafre_fast_originals_total{status="success"}': 2,
            'dafre_fast_originals_total{status="not_found"}': 1,
            "dafre_fast_received_bytes_total": 1000,
            "dafre_fast_requests_total": 7,
            'dafre_fast_retries_total{reason="server_error"}': 1,
            "dafre_fast_connections": 6,
            "dafre_fast_hosts_down": 1,
            "dafre_fast_hosts_held": 1,
            "dafre_fast_originals_asked": 100,
            "dafre_fast_originals_standing": 40,
            'dafre_fast_original_seconds_bucket{le="0.5"}': 1,
            "dafre_fast_original_seconds_count": 2,
            "dafre_fast_original_seconds_sum": 1.0,
        }.items()
    )
    with pytest.raises(urllib.error.URLError):
        read(address)
    assert threading.active_count() == before


def test_a_file_is_written_again_and_again_and_at_the_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.views.metrics._EVERY_SECONDS", 0.01)
    path = tmp_path / "run.prom"
    written = threading.Event()
    with Metrics(Watching(metrics_file=path), pytest.fail) as metrics:
        write = metrics._write

        def watch(to):
            write(to)
            written.set()

        metrics._write = watch
        metrics(EVENTS[1])
        written.clear()
        assert written.wait(10)
        assert "dafre_fast_received_bytes_total 1000.0\n" in path.read_text()
        metrics(EVENTS[1])
    assert "dafre_fast_received_bytes_total 2000.0\n" in path.read_text()
    assert "_created" not in path.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["run.prom"]


def test_a_file_that_cannot_be_written_any_more_is_said_once_and_ends_nothing(tmp_path) -> None:
    folder, told = tmp_path / "metrics", list[Event]()
    with Metrics(Watching(metrics_file=folder / "run.prom"), told.append) as metrics:
        (folder / "run.prom").unlink()
        folder.rmdir()
        folder.touch()
        metrics._write_or_notice(folder / "run.prom")
    (notice,) = told
    assert isinstance(notice, Notice)
    assert notice.text.startswith(f"{folder / 'run.prom'}: ")
