"""A resolver that never answers holds up neither a cancellation nor the exit."""

import asyncio
import socket
import subprocess
import sys
import threading

import pytest

from dafre_fast.sources import lookup
from dafre_fast.sources.lookup import look_up
from dafre_fast.sources.transports.resolver import Resolver

HANG = (
    "import asyncio, socket, threading\n"
    "socket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
    "from dafre_fast.sources.lookup import look_up\n"
    "async def main():\n"
    "    try:\n"
    "        async with asyncio.timeout(0.1): await look_up('host', 80)\n"
    "    except TimeoutError: print('given up')\n"
    "asyncio.run(main())\n"
)


def test_a_name_is_looked_up() -> None:
    addresses = asyncio.run(look_up("127.0.0.1", 80))
    assert [address.place for address in addresses] == [("127.0.0.1", 80)]
    (resolved,) = asyncio.run(Resolver().resolve("127.0.0.1", 80))
    assert (resolved["host"], resolved["port"]) == ("127.0.0.1", 80)


def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(socket.gaierror):
        asyncio.run(look_up("host.invalid", 80))


def test_a_process_ends_while_a_resolver_hangs() -> None:
    command = [sys.executable, "-c", HANG]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "given up\n", "")


def test_hanging_lookups_take_a_bounded_number_of_threads(monkeypatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait() and [])

    async def many() -> list[object]:
        asked = [asyncio.create_task(look_up(f"host{number}", 80)) for number in range(100)]
        await asyncio.sleep(0)
        threads = [thread for thread in threading.enumerate() if "lookup" in thread.name]
        assert len(threads) <= lookup._LOOKUPS._most
        answer.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(many()) == [[]] * 100
