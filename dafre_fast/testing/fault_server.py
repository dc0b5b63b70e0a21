"""Serve every fault of the table on loopback, in a process of its own.

Each fault has a port of its own: to a client it is a host, and must not count against another.
"""

import asyncio
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from dafre_fast.testing.faults import FAULTS
from dafre_fast.testing.server import Server


@contextmanager
def serving_faults(jpeg: bytes, png: bytes, certificate: Path) -> Iterator[dict[str, str]]:
    """Serve every fault on loopback; yields a URL template for each, by name.

    `jpeg` and `png` are the files to serve, at least 10 kB each. `certificate` is a PEM file with a
    private key and a certificate that no authority signed.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    arguments = (jpeg, png, certificate, theirs)
    server = context.Process(target=_serve, args=arguments, daemon=True)
    server.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def _serve(jpeg: bytes, png: bytes, certificate: Path, started: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test answers Ctrl-C, and ends this process
    asyncio.run(_serve_forever(jpeg, png, certificate, started))


async def _serve_forever(jpeg: bytes, png: bytes, certificate: Path, started: Connection) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    templates = {}
    async with AsyncExitStack() as stack:
        for fault in FAULTS:
            if fault.play:
                server = Server(fault.play, png if fault.png else jpeg)
                serving = server.on("127.0.0.1", tls if fault.tls else None)
                port = await stack.enter_async_context(serving)
            else:
                port = stack.enter_context(_a_port_without_a_listener())
            scheme = "https" if fault.tls else "http"
            templates[fault.name] = f"{scheme}://{fault.host}:{port}/{{id}}.{{ext}}"
        started.send(templates)
        started.close()
        await asyncio.Event().wait()


@contextmanager
def _a_port_without_a_listener() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
