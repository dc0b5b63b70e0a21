"""A proxy before an S3 server, which fails the requests that a test names."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Fault = Callable[["Handler", bytes], bytes | None]
"""Answers a request itself and returns None, or returns the body to pass on."""


class Faults:
    """The faults to come: each meets the next request of its method whose path has its text."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, str]] = []
        self._planned: list[tuple[str, str, Fault]] = []
        self._lock = threading.Lock()
        self.address = ""

    def plan(self, fault: Fault, method: str, path: str = "", times: int = 1) -> None:
        self._planned += [(method, path, fault)] * times

    def forget(self) -> None:
        self.asked.clear()
        self._planned.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.asked.append((method, path))
            for plan in self._planned:
                if plan[0] == method and plan[1] in path:
                    self._planned.remove(plan)
                    return plan[2]
        return None

    def puts(self) -> list[str]:
        """The paths of all objects that were sent, without the bucket."""
        return [path.split("/", 2)[2] for method, path in self.asked if method == "PUT"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults

    def _pass_on(self) -> None:
        fault = self.faults.take(self.command, self.path)
        length = int(self.headers.get("Content-Length", 0))
        if fault is cut_in_the_middle:
            fault(self, self.rfile.read(length // 2))
            return
        body: bytes | None = self.rfile.read(length)
        if fault and fault is not half_of_the_answer:
            body = fault(self, body or b"")
            if body is None:
                return
        connection = http.client.HTTPConnection("127.0.0.1", self.faults.port)
        headers = dict(self.headers.items())
        headers["Content-Length"] = str(len(body or b""))
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        found = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "server", "date"}:
                self.send_header(name, value)
        if self.command != "HEAD" and not answer.getheader("Content-Length"):
            self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        connection.close()
        if fault is half_of_the_answer:
            self.wfile.write(found[: len(found) // 2])
            hang_up(self)
        else:
            self.wfile.write(found)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def hang_up(handler: Handler) -> None:
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def status(number: int) -> Fault:
    def answer(handler: Handler, _: bytes) -> None:
        handler.send_response(number)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def cut_in_the_middle(handler: Handler, _: bytes) -> None:
    """Read half a request, and hang up."""
    hang_up(handler)


def answer_lost(handler: Handler, body: bytes) -> None:
    """Carry a request out, and hang up without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", handler.faults.port)
    connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
    connection.getresponse().read()
    connection.close()
    hang_up(handler)


def half_stored(_: Handler, body: bytes) -> bytes:
    """Store half of what was sent, and answer with success."""
    return body[: len(body) // 2]


def other_bytes_stored(_: Handler, body: bytes) -> bytes:
    """Store as many bytes as were sent, one of them wrong, and answer with success."""
    return body[:-1] + bytes([body[-1] ^ 1])


def half_of_the_answer(*_: object) -> None:
    """Send half of an answer, and hang up."""


@contextmanager
def faulty(port: int) -> Iterator[Faults]:
    """Run the proxy before the server at `port` of the loopback."""
    faults = Faults(port)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that is gone is no error."""

    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"faults": faults}))
    faults.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
