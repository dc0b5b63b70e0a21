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
from tests.commands import dafre
from tests.merge.small import IMAGES, contents, draw, make
from tests.processes import descendants, runs
from tests.torture.kills import await_true

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]


class Counting:
    """A host that answers slowly, and counts how many requests it answers at once."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.most = self._now = 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self.asked.append(time.monotonic())
            self._now += 1
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
            with counting.one():
                time.sleep(seconds)
                data = (folder / f"originals{self.path}").read_bytes()
            self.send_response(200)
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


def same(output: Path, whole: Path) -> bool:
    """Tell whether two datasets are the same but for the port that served them."""
    ours, theirs = contents(output), contents(whole)
    tables = [re.sub(r"127.0.0.1:\d+", "host", repr(each.pop(MANIFEST))) for each in (ours, theirs)]
    return ours == theirs and tables[0] == tables[1]


def test_two_engines_end_in_the_bytes_of_one_run(inputs, whole, tmp_path) -> None:
    with served(inputs, 0) as (source, _):
        done = dafre("full", *flags(inputs, source), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["work"]["images"]) == (IMAGES, IMAGES)
    assert done.stderr.count(f"images {IMAGES}/{IMAGES}") == 1
    assert same(tmp_path / "ds", whole)


def test_an_engine_that_is_killed_in_its_part_costs_nothing(inputs, whole, tmp_path) -> None:
    with served(inputs, 0.3) as (source, _), start(tmp_path, inputs, source) as run:
        assert await_true(lambda: fetched(tmp_path) > 2)
        (engine,) = _engines(run.pid)[:1]
        os.kill(engine, signal.SIGKILL)
        assert run.wait(timeout=120) == 0
    assert "died (killed by signal 9) and is started again" in (tmp_path / "errors").read_text()
    assert same(tmp_path / "ds", whole)


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
    assert same(tmp_path / "ds", whole)


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


def _engines(driver: int) -> list[int]:
    """Processes that are engines, of one driver."""
    found = []
    for process in descendants(driver):
        with suppress(OSError):
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if words[1:3] == [b"-m", b"dafre_fast.engine.engine"]:
                found.append(process)
    return found
