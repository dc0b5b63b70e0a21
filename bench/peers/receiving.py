"""The floor of a download: receive, hash and write, with one request after another on each of a few
connections, and none of the checks.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_BUFFER_BYTES = 1 << 18


def receive_all(address: str, names: list[str], folder: Path, connections: int) -> None:
    """Fetch `{address}/{name}` for all names into files of a folder, over plain HTTP."""
    asyncio.run(_receive_all(address, iter(names), folder, connections))


async def _receive_all(address: str, names: Iterator[str], folder: Path, connections: int) -> None:
    place, _, root = address.partition("://")[2].partition("/")
    host, _, port = place.partition(":")
    loop = asyncio.get_running_loop()
    over = [loop.create_future() for _ in range(connections)]
    for one in over:
        await loop.create_connection(
            lambda one=one: _Connection(names, root, folder, one), host, int(port)
        )
    await asyncio.gather(*over)


class _Connection(asyncio.BufferedProtocol):
    def __init__(
        self, names: Iterator[str], root: str, folder: Path, over: asyncio.Future[None]
    ) -> None:
        self._names, self._root, self._folder, self._over = names, root, folder, over
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._ask()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = self._buffer[:nbytes]
        if self._left is None:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            size = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            self._left, data = int(size), body
        self._sha256.update(data)
        os.write(self._file, data)
        self._left -= len(data)
        if not self._left:
            self._finish()
            self._ask()

    def _ask(self) -> None:
        name = next(self._names, None)
        if name is None:
            self._transport.close()
            self._over.set_result(None)
            return
        self._path = self._folder / name.replace("/", "-")
        self._file = os.open(f"{self._path}.part", os.O_WRONLY | os.O_CREAT)
        self._head, self._left, self._sha256 = b"", None, hashlib.sha256()
        self._transport.write(f"GET /{self._root}/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def _finish(self) -> None:
        self._sha256.hexdigest()
        os.close(self._file)
        os.replace(f"{self._path}.part", self._path)  # noqa: PTH105
