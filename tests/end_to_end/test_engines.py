"""`--engines 2`: the bytes of one run, whoever dies; and no more for a host than from one run."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.engine.coordinator import MOST_STARTS
from tests.commands import dafre
from tests.merge.small import IMAGES, contents, draw, make
from tests.processes import children, descendants, runs
from tests.torture.kills import await_true

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]


WAIT_SECONDS = 4


class Busy(Exception):
    """A request comes at a bad time."""


class Counting:
    """A host that answers slowly, and counts how many requests it answers at once."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.most = self._now = 0
        self.busy_at: int | None = None
        """The number of a request that is told to come again later."""
        self.told_to_wait: float | None = None
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self.asked.append(time.monotonic())
            self._now += 1
            if len(self.asked) == self.busy_at:
                self.told_to_wait = time.monotonic()
                raise Busy
            self.most = max(self.most, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def served(folder: Path, seconds: float = 0.05) -> Iterator[tuple[str, Counting]]:
    counting = Counting()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                with counting.one():
                    time.sleep(seconds)
                    data = (folder / f"originals{self.path}").read_bytes()
                self.send_response(200)
            except Busy:
                data = b""
                self.send_response(429)
                self.send_header("Retry-After", str(WAIT_SECONDS))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A client that is gone is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{{id}}.png", counting
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "ds"
    with served(inputs, 0) as (source, _):
        make(inputs, output, source=source)
    return output


def flags(inputs: Path, source: str) -> list[object]:
    tables = ("--faces", inputs / "faces.tsv", "--tag-ids", inputs / "tagIds.tsv")
    rules = ("--min-images", 2, "--max-bad-rows", 0.5, "--no-report", "--workers", 2)
    return [*tables, "--source", source, *rules, "--engines", 2, "--output", "ds"]


def start(folder: Path, inputs: Path, source: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "dafre_fast.full", *map(str, flags(inputs, source))]
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen(
            command, cwd=folder, stderr=errors, stdout=subprocess.DEVNULL, start_new_session=True
        )


def fetched(folder: Path) -> int:
    return len([*(folder / "ds/original").glob("*/*.*")])


OF_DOWNLOADS = ("url", "http_status", "attempts", "original_sha256", "proof")


def same(output: Path, whole: Path, *, killed: bool = False) -> bool:
    """Tell whether two datasets are the same but for the port that served them. After a kill, the
    record of a download that had just ended may be missing from the first.
    """
    ours, theirs = contents(output), contents(whole)
    (columns, own_rows), (known, rows) = ours.pop(MANIFEST), theirs.pop(MANIFEST)
    ported = re.compile(r"127.0.0.1:\d+")
    for row, one in zip(own_rows, rows, strict=True):
        for name, value, expected in zip(columns, row, one, strict=True):
            lost = killed and name in OF_DOWNLOADS and row[columns.index("attempts")] is None
            if not lost and ported.sub("host", str(value)) != ported.sub("host", str(expected)):
                return False
    return (ours, columns) == (theirs, known)


def test_two_engines_end_in_the_bytes_of_one_run(inputs, whole, tmp_path) -> None:
    with served(inputs, 0) as (source, _):
        done = dafre("full", *flags(inputs, source), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["work"]["images"]) == (IMAGES, IMAGES)
    assert {*re.findall(r"^images \d+/(\d+)", done.stderr, re.MULTILINE)} == {str(IMAGES)}
    assert same(tmp_path / "ds", whole)


def test_an_engine_that_is_killed_in_its_part_costs_nothing(inputs, whole, tmp_path) -> None:
    with served(inputs, 0.3) as (source, _), start(tmp_path, inputs, source) as run:
        assert await_true(lambda: fetched(tmp_path) > 2)
        (engine,) = _engines(run.pid)[:1]
        os.kill(engine, signal.SIGKILL)
        assert run.wait(timeout=120) == 0
    assert "died (killed by signal 9) and is started again" in (tmp_path / "errors").read_text()
    assert same(tmp_path / "ds", whole, killed=True)


def test_a_worker_that_is_killed_in_an_engine_costs_nothing(inputs, whole, tmp_path) -> None:
    with served(inputs, 0.3) as (source, _), start(tmp_path, inputs, source) as run:
        assert await_true(lambda: fetched(tmp_path) > 2)
        assert await_true(lambda: _workers(run.pid))
        os.kill(_workers(run.pid)[0], signal.SIGKILL)
        assert run.wait(timeout=120) == 0
    assert same(tmp_path / "ds", whole)


def test_an_engine_that_dies_again_and_again_is_given_up_and_the_others_finish(
    inputs, whole, tmp_path
) -> None:
    with served(inputs, 0.3) as (source, _):
        with start(tmp_path, inputs, source) as run:
            assert await_true(lambda: len(_engines(run.pid)) == 2)
            _, spared = _engines(run.pid)
            while run.poll() is None:
                for engine in {*_engines(run.pid)} - {spared}:
                    os.kill(engine, signal.SIGKILL)
            assert run.returncode == 1
        said = (tmp_path / "errors").read_text()
        assert said.count("died (killed by signal 9) and is started again") == MOST_STARTS - 1
        assert re.search(rf"engine \d of 2 died {MOST_STARTS} times \(killed by signal 9\)", said)
        assert "Traceback" not in said
        assert fetched(tmp_path) >= IMAGES // 2 - 1  # one is no image
        with start(tmp_path, inputs, source) as run:
            assert run.wait(timeout=120) == 0
    assert same(tmp_path / "ds", whole, killed=True)


def test_a_driver_that_is_killed_leaves_nobody_and_goes_on(inputs, whole, tmp_path) -> None:
    with served(inputs, 0.3) as (source, _):
        with start(tmp_path, inputs, source) as run:
            assert await_true(lambda: fetched(tmp_path) > 2)
            family = descendants(run.pid)
            os.kill(run.pid, signal.SIGKILL)
        assert await_true(lambda: not any(map(runs, family)))
        assert (tmp_path / "ds" / STATE / "parts").is_dir()
        with start(tmp_path, inputs, source) as run:
            assert run.wait(timeout=120) == 0
    assert same(tmp_path / "ds", whole, killed=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_all_engines(inputs, tmp_path, number) -> None:
    with served(inputs, 0.5) as (source, _), start(tmp_path, inputs, source) as run:
        assert await_true(lambda: fetched(tmp_path) > 2)
        family = descendants(run.pid)
        with suppress(ProcessLookupError):
            os.killpg(run.pid, number)
        assert run.wait(timeout=60) == 128 + number
    assert await_true(lambda: not any(map(runs, family)))
    said = (tmp_path / "errors").read_text()
    assert said.count("stopped; what is finished is kept") == 1
    assert "Traceback" not in said


def test_a_host_sees_no_more_of_two_engines_than_of_one(inputs, tmp_path) -> None:
    manners = ("--rate", 20, "--connections-per-host", 4)
    with served(inputs) as (source, counting):
        done = dafre("full", *flags(inputs, source), *manners, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert counting.most <= 4
    asked = sorted(counting.asked)
    in_a_second = max(sum(at <= one < at + 1 for one in asked) for at in asked)
    assert in_a_second <= 20 + 20  # a second's worth at once, and one more in that second


def test_a_host_that_asks_one_engine_to_wait_is_asked_by_none(inputs, tmp_path) -> None:
    with served(inputs) as (source, host):
        host.busy_at = 8
        done = dafre("full", *flags(inputs, source), "--rate", 10, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert host.told_to_wait
    waits = [at - host.told_to_wait for at in host.asked]
    assert not [wait for wait in waits if 0.5 < wait < WAIT_SECONDS]  # half a second on the way
    assert [wait for wait in waits if wait > WAIT_SECONDS]
    assert fetched(tmp_path) == IMAGES - 1  # one is no image


def _engines(driver: int) -> list[int]:
    """Processes that are engines, of one driver."""
    found = []
    for process in descendants(driver):
        with suppress(OSError):
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if words[1:3] == [b"-m", b"dafre_fast.engine.engine"]:
                found.append(process)
    return found


def _workers(driver: int) -> list[int]:
    servers = [server for engine in _engines(driver) for server in children(engine)]
    return [worker for server in servers for worker in children(server)]
