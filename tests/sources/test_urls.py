"""Addresses go out as they were written."""

import asyncio

import pytest
from yarl import URL

from dafre_fast.core.records import Sought
from dafre_fast.sources.transports.urls import joined, origin, url_of
from dafre_fast.testing.plays import redirect, right
from dafre_fast.testing.server import Exchange, Server
from tests.sources.loopback import JPEG, fetch, fetch_from, files

SIGNED = "sig=rX7%2FXCC2w%3D&exp=%7e1%27&name=a+b&empty=&again=1&again=2"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://h/a%2Fb%7e.png?sig=%2f%3d%27", "/a%2Fb%7e.png?sig=%2f%3d%27"),
        ("http://h/a/../b//c/./d", "/a/../b//c/./d"),
        ("http://h/100%/1.png", "/100%/1.png"),
        (
            "http://h/(1)[2]'3'!$&,;=:@~*.png?a[]=1&b={c}|d",
            "/(1)[2]'3'!$&,;=:@~*.png?a[]=1&b={c}|d",
        ),
        ("http://h/a b.png?c d", "/a%20b.png?c%20d"),
        ("http://h/ü.png?é=1", "/%C3%BC.png?%C3%A9=1"),
        ("http://h/a\tb\nc\x7f", "/a%09b%0Ac%7F"),
        ("http://h?a=b", "/?a=b"),
        ("http://h", "/"),
        ("http://h/1.png#part", "/1.png"),
    ],
)
def test_only_what_http_cannot_carry_is_escaped(written, sent) -> None:
    assert url_of(written).raw_path_qs == sent


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("HTTP://Ho.St:80/x", "http://ho.st:80"),
        ("https://h/x", "https://h:443"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example:80"),
        ("http://me:p%2Fw@h:81/x", "http://h:81"),
        ("http://[::1]:8080/", "http://::1:8080"),
    ],
)
def test_an_origin_is_scheme_host_and_port(written, place) -> None:
    assert origin(url_of(written)) == place


@pytest.mark.parametrize(
    "written",
    [
        "", "/x", "x", "//h/x", "http:", "http://", "http:///x", "http:h/x", "file:///etc/passwd",
        "javascript:alert(1)", "http://h:99999/", "http://h:-1/", "http://h:x/", "http://[::1/",
        "http://h /x", "http://a\0b/", "http://a..b/", "http://h\\x/", "http://\udcff/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_http_is_a_value_error(written) -> None:
    with pytest.raises(ValueError, match=r".+"):
        url_of(written)


@pytest.mark.parametrize(
    ("reference", "means"),
    [
        ("b.jpg?x=%2f%27", "http://h/a/b.jpg?x=%2f%27"),
        ("/b%7Ec d?e=%2F f", "http://h/b%7Ec%20d?e=%2F%20f"),
        ("?page=%32", "http://h/a/7.jpg?page=%32"),
        ("//o/x%2F", "http://o/x%2F"),
        ("//bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("https://o/a/../b?%2F", "https://o/a/../b?%2F"),
        ("/caf\udce9.jpg", "http://h/caf%E9.jpg"),
    ],
)
def test_a_reference_keeps_its_bytes(reference, means) -> None:
    assert str(joined(URL("http://h/a/7.jpg"), reference)) == means


@pytest.mark.parametrize(
    "reference",
    ["file:///etc/passwd", "ftp://h/x", "javascript:alert(1)", "http://h:x/",
     "//h:99999/", "//[::1/x", "data:image/png;base64,AA"],
)  # fmt: skip
def test_a_reference_to_what_is_no_address_of_http_is_a_value_error(reference) -> None:
    with pytest.raises(ValueError, match=r".+"):
        joined(URL("http://h/a/7.jpg"), reference)


def test_the_server_gets_the_query_that_was_signed(tmp_path) -> None:
    server = Server(right, JPEG)

    async def main() -> None:
        async with server.on("127.0.0.1") as port:
            await fetch(f"http://127.0.0.1:{port}/{{id}}%2F.{{ext}}?{SIGNED}", tmp_path)

    asyncio.run(main())
    assert [x.path for x in server.requests] == [f"/7%2F.jpg?{SIGNED}"]


def test_the_server_gets_the_location_that_was_signed(tmp_path) -> None:
    async def moved(x: Exchange) -> None:
        await (right if x.path.startswith("/to") else redirect(f"/to%2F?{SIGNED}"))(x)

    server = Server(moved, JPEG)
    fetch_from(server, tmp_path)
    assert [x.path for x in server.requests] == ["/7.jpg", f"/to%2F?{SIGNED}"]
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


def test_a_name_of_a_list_is_a_path_and_no_part_of_the_syntax(tmp_path) -> None:
    server = Server(right, JPEG)
    known = Sought("7", extension="jpg", name="a#1/b?/50%25/ü 7.jpg")

    async def main() -> None:
        async with server.on("127.0.0.1") as port:
            await fetch(f"http://127.0.0.1:{port}/{{name}}", tmp_path, [known])

    asyncio.run(main())
    assert [x.path for x in server.requests] == ["/a%231/b%3F/50%2525/%C3%BC%207.jpg"]


@pytest.mark.parametrize(
    ("other", "shown"), [("", True), ("localhost", False)], ids=["same", "other name"]
)
def test_a_password_goes_along_to_the_same_place_only(tmp_path, other, shown) -> None:
    async def moved(x: Exchange) -> None:
        host = x.headers["host"]
        place = host.replace("127.0.0.1", other) if other else host
        await (right if x.path == "/to" else redirect(f"http://{place}/to"))(x)

    server = Server(moved, JPEG)

    async def main() -> None:
        async with server.on("127.0.0.1") as port:
            await fetch(f"http://me:p%2Fw@127.0.0.1:{port}/{{id}}.{{ext}}", tmp_path)

    asyncio.run(main())
    assert [x.path for x in server.requests] == ["/7.jpg", "/to"]
    first, second = (x.headers.get("authorization") for x in server.requests)
    assert (first, second) == ("Basic bWU6cC93", first if shown else None)


def test_a_port_is_another_place(tmp_path) -> None:
    inner = Server(right, JPEG)

    async def main() -> None:
        async with inner.on("127.0.0.1") as port:
            outer = Server(redirect(f"http://127.0.0.1:{port}/7.jpg"))
            async with outer.on("127.0.0.1") as place:
                await fetch(f"http://me:secret@127.0.0.1:{place}/{{id}}.{{ext}}", tmp_path)

    asyncio.run(main())
    assert ["authorization" in x.headers for x in inner.requests] == [False]
