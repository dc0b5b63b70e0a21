"""The comparison on one list of addresses: its server and its pictures."""

import io
import socket
import struct
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead

import pytest
from PIL import Image

from bench import addresses


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with addresses.serving() as address:
        yield address.removeprefix("http://")


def answer(server: str, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(server, timeout=60)
    try:
        connection.request("GET", path)
        found = connection.getresponse()
        return found.status, found.read()
    finally:
        connection.close()


def test_pictures_are_drawn_in_all_formats() -> None:
    for form in {*addresses._FORMATS}:
        number = addresses._FORMATS.index(form)
        picture = addresses.drawn(number, (120, 90))
        assert Image.open(io.BytesIO(picture)).format == form


@pytest.mark.slow
def test_the_server_plays_each_fault(server) -> None:
    _, whole = answer(server, "/p/0")
    statuses = [answer(server, f"/fault/{name}")[0] for name in ("404", "busy", "busy", "loop")]
    assert statuses == [404, 503, 200, 302]
    assert b"html" in answer(server, "/fault/page")[1]
    assert (
        answer(server, "/fault/half")[1]
        == answer(server, "/fault/short")[1]
        == whole[: len(whole) // 2]
    )
    with pytest.raises(IncompleteRead):
        answer(server, "/fault/cut")
    sides = answer(server, "/fault/bomb")[1][16:24]  # of the header of a PNG
    assert struct.unpack(">II", sides) == (20_000, 20_000)


@pytest.mark.slow
def test_the_server_stalls_in_the_middle_of_a_body(server) -> None:
    host, _, port = server.partition(":")
    with socket.create_connection((host, int(port)), timeout=1) as connection:
        connection.sendall(b"GET /fault/stall HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError), connection.makefile("rb") as answered:
            answered.read()
