"""A server of tiny originals that counts, cheap enough that a client is what is measured."""

import asyncio
import io
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from PIL import Image

EXTENSIONS = ("jpg", "png", "gif")


class Fault(Enum):
    """Faults of the server in place of an answer; all but the first happen once per original."""

    GONE = "404"
    ERROR = "500 once"
    RESET = "reset once"
    TRUNCATED = "truncated once"


def extension(number: int) -> str:
    return EXTENSIONS[number % 3]


def original(number: int) -> bytes:
    """A JPEG, PNG or GIF of 16 x 16 pixels, no two alike."""
    data, told = _PLAIN[extension(number)], b"%d" % number
    if extension(number) == "jpg":
        return data[:2] + b"\xff\xfe" + struct.pack(">H", len(told) + 2) + told + data[2:]
    if extension(number) == "gif":
        return data[:-1] + b"\x21\xfe" + bytes([len(told)]) + told + b"\0;"
    text = b"tEXtComment\0" + told
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return data[:33] + chunk + data[33:]


def _plain(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 80, 160)).save(file, format)
    return file.getvalue()


_PLAIN = dict(zip(EXTENSIONS, map(_plain, ("jpeg", "png", "gif")), strict=True))


class Server:
    """A server of `/{id}.{ext}`, which answers only for the right extension, and of `/{id}`."""

    def __init__(self, fault: Callable[[int], Fault | None], latency_seconds: float) -> None:
        self.fault, self.latency_seconds = fault, latency_seconds
        self.address = ""
        self.served = Counter[int]()
        """Whole bodies, by id."""
        self.failed = Counter[Fault]()
        self.once = set[int]()


@contextmanager
def serving(
    fault: Callable[[int], Fault | None] = lambda _: None, latency_seconds: float = 0.0
) -> Iterator[Server]:
    """Run a server in a thread of this process."""
    server = Server(fault, latency_seconds)
    started, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        listening = await loop.create_server(lambda: _Connection(server), "127.0.0.1", 0)
        server.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        started.set()
        async with listening:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class _Connection(asyncio.Protocol):
    """One request after the other; whoever sends more at once is not served."""

    def __init__(self, server: Server) -> None:
        self._server, self._got = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(b"\r\n\r\n"):
            path = Path(self._got.split(b" ", 2)[1].decode())
            self._got = b""
            if self._server.latency_seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(self._server.latency_seconds, self._answer, path)
            else:
                self._answer(path)

    def _answer(self, path: Path) -> None:
        server, number = self._server, int(path.stem)
        fault = server.fault(number)
        if fault and fault is not Fault.GONE and number in server.once:
            fault = None
        if self._transport.is_closing():
            return
        if fault:
            server.once.add(number)
            server.failed[fault] += 1
        if path.suffix not in ("", f".{extension(number)}") or fault is Fault.GONE:
            self._send("404 Not Found", b"")
        elif fault is Fault.ERROR:
            self._send("500 Internal Server Error", b"")
        elif fault is Fault.RESET:
            self._transport.abort()
        else:
            body = original(number)
            if fault is Fault.TRUNCATED:
                self._send("200 OK", body, len(body) // 2)
                self._transport.close()
            else:
                self._send("200 OK", body)
                server.served[number] += 1

    def _send(self, status: str, body: bytes, sent: int | None = None) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body[:sent])
