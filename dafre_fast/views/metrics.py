"""Metrics of a run for Prometheus: in a file, and over HTTP on the loopback."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Self

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    start_http_server,
    write_to_textfile,
)

from dafre_fast.core.errors import OutputError, UsageError
from dafre_fast.core.events import (
    Again,
    Asked,
    Down,
    Event,
    Held,
    Notice,
    Outcome,
    Pace,
    Tell,
    Up,
)
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.fetching import Watching

_EVERY_SECONDS = 5.0
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class _Registry(CollectorRegistry):
    """Leaves out when each metric was created, which prometheus_client adds to every one."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric


class Metrics:
    """An observer that counts events, and a context that writes or serves the counts.

    Its own notices go to `tell`: the address, and a file that can no longer be written. Raises
    OutputError if the file cannot be written at first, UsageError if the port is taken.
    """

    def __init__(self, settings: Watching, tell: Tell) -> None:
        self._settings, self._tell = settings, tell
        self._registry = _Registry()
        self._over, self._stack = Flag(), ExitStack()
        self._outdated = False
        self._held_until = dict[str, float]()
        self._down = set[str]()
        self._originals = self._counter("originals", "Originals by outcome.", "status")
        self._bytes = self._counter("received_bytes", "Bytes of the originals fetched.")
        self._requests = self._counter("requests", "Attempts at originals.")
        self._retries = self._counter("retries", "Those after a passing failure.", "reason")
        self._seconds = Histogram(
            "dafre_fast_original_seconds",
            "Seconds of all attempts at an original, waits for a turn aside.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._asked = self._gauge("originals_asked", "Images asked for.")
        self._standing = self._gauge("originals_standing", "Images done by earlier runs.")
        self._connections = self._gauge("connections", "Connections allowed at once.")
        down = self._gauge("hosts_down", "Hosts paused after failures in a row.")
        held = self._gauge("hosts_held", "Hosts that asked to wait.")
        down.set_function(lambda: len(self._down))
        held.set_function(
            lambda: sum(end > time.monotonic() for end in [*self._held_until.values()])
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"dafre_fast_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"dafre_fast_{name}", text, registry=self._registry)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._settings.metrics_port is not None:
                stack.callback(self._serve(self._settings.metrics_port))
            if self._settings.metrics_file:
                self._write(self._settings.metrics_file)
                stack.callback(self._keep_writing(self._settings.metrics_file))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def __call__(self, event: Event) -> None:
        match event:
            case Outcome(fetched):
                self._originals.labels(fetched.reason or SUCCESS).inc()
                self._requests.inc(fetched.attempts)
                if fetched.attempts:
                    self._bytes.inc(fetched.bytes or 0)
                    self._seconds.observe(fetched.seconds or 0.0)
            case Asked(images, standing):
                self._asked.set(images)
                self._standing.set(standing)
            case Again():
                self._retries.labels(event.reason).inc()
            case Pace():
                self._connections.set(event.connections)
            case Down():
                self._down.add(event.host)
            case Up():
                self._down.discard(event.host)
            case Held():
                self._held_until[event.host] = time.monotonic() + event.seconds
            case _:
                pass

    def _serve(self, port: int) -> Callable[[], None]:
        """Start the server; the function returned stops it."""
        try:
            server, thread = start_http_server(port, "127.0.0.1", self._registry)
        except OSError as error:
            raise UsageError(f"--metrics-port {port}: {error.strerror}") from error
        self._tell(Notice(f"metrics: http://127.0.0.1:{server.server_port}/metrics"))

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return end

    def _keep_writing(self, path: Path) -> Callable[[], None]:
        """Write the file every few seconds; the function returned stops that and writes the last
        numbers.
        """

        def keep_writing() -> None:
            while not self._over.wait(_EVERY_SECONDS):
                self._write_or_notice(path)

        thread = Thread(target=keep_writing, daemon=True)
        thread.start()

        def end() -> None:
            self._over.set()
            thread.join()
            self._write_or_notice(path)

        return end

    def _write_or_notice(self, path: Path) -> None:
        """Write the file; if that fails, raise a notice once: a run does not end because of it."""
        try:
            self._write(path)
        except OutputError as error:
            if not self._outdated:
                self._tell(Notice(f"{error}; the metrics there are not up to date"))
            self._outdated = True

    def _write(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_to_textfile(str(path), self._registry)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
