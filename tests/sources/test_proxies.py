"""Proxies and certificates of the environment."""

import asyncio
import os
import ssl

import pytest
import trustme
from yarl import URL

from dafre_fast.core.errors import UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.transports.proxies import Proxies
from dafre_fast.testing.plays import body, redirect, right
from dafre_fast.testing.server import Server
from tests.commands import here
from tests.sources.loopback import JPEG, fetch, files

# The library of object stores keeps connections until its objects are collected; to a server whose
# certificate it refused, one may be in the middle of a handshake when the server is gone.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PROXY = "http://proxy.example:3128"
ONCE = Fetching(retries=0)
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

dated = body('ETag: "a"', "Last-Modified: Wed, 01 May 2024 12:00:00 GMT", of=lambda file: file)


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy") or name in CERTIFICATES:
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variables", "address", "proxy"),
    [
        ({"http_proxy": PROXY}, "http://h/", PROXY),
        ({"HTTP_PROXY": PROXY}, "http://h/", PROXY),
        ({"http_proxy": PROXY}, "https://h/", None),
        ({"ALL_PROXY": PROXY}, "http://h/", PROXY),
        ({"all_proxy": PROXY}, "https://h/", PROXY),
        ({"all_proxy": "http://other:1", "https_proxy": PROXY}, "https://h/", PROXY),
        ({"ALL_PROXY": PROXY, "http_proxy": ""}, "http://h/", PROXY),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "h"}, "http://h/", None),
        ({"ALL_PROXY": "socks5://127.0.0.1:1", "http_proxy": PROXY}, "http://h/", PROXY),
        ({"ALL_PROXY": "socks5://127.0.0.1:1", "no_proxy": "h"}, "http://h/", None),
    ],
)
def test_a_proxy_is_that_of_the_scheme_or_that_of_all(
    monkeypatch, variables, address, proxy
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Proxies().to(URL(address)) == (proxy and URL(proxy))


@pytest.mark.parametrize(
    ("no_proxy", "address", "direct"),
    [
        ("*", "http://h/", True),
        ("example.org", "http://example.org/", True),
        ("example.org", "http://cdn.EXAMPLE.org./", True),
        (".example.org", "http://cdn.example.org/", True),
        ("*.example.org", "http://cdn.example.org/", True),
        ("example.org", "http://notexample.org/", False),
        ("example.org:8080", "http://example.org:8080/", True),
        ("example.org:8080", "http://example.org/", False),
        ("example.org:443", "https://example.org/", True),
        ("a, b  c", "http://c/", True),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.1", "http://10.0.0.1/", True),
        ("192.168.1.7/24", "http://192.168.1.200/", True),
        ("fd00::/8", "http://[fd00::1]/", True),
        ("::1", "http://[::1]/", True),
        ("[::1]:80", "http://[0:0:0:0:0:0:0:1]/", True),
        ("10.0.0.0/99, ,:,[", "http://10.0.0.1/", False),
    ],
)
def test_no_proxy_names_hosts_suffixes_ports_and_networks(
    monkeypatch, no_proxy, address, direct
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (Proxies().to(URL(address)) is None) is direct


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "http_proxy"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
def test_a_proxy_that_speaks_socks_is_wrong_usage(monkeypatch, name, scheme) -> None:
    monkeypatch.setenv(name, f"{scheme}://me:secret@127.0.0.1:1080")
    proxies = Proxies()
    with pytest.raises(UsageError, match=f"{scheme} proxies are not supported") as raised:
        proxies.to(URL("http://h/"))
    assert "secret" not in str(raised.value)


def test_a_proxy_that_speaks_socks_is_exit_status_2_and_one_line(tmp_path, monkeypatch) -> None:
    faces = tmp_path / "faces.tsv"
    faces.write_text("0007\\7.jpg\t5\t0.1, 0.1, 0.5, 0.5 0.9\n")
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:1080")
    flags = ("--faces", faces, "--source", "http://h/{id}.jpg", "--min-images", "1")
    done = here("download", *flags, cwd=tmp_path)
    assert (done.returncode, "secret" in done.stderr, "Traceback" in done.stderr) == (
        2,
        False,
        False,
    )
    assert len([line for line in done.stderr.splitlines() if "all_proxy" in line]) == 1


def test_a_redirect_to_where_only_socks_leads_costs_its_image(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")

    async def main():
        async with Server(redirect("https://h/7.jpg")).on("127.0.0.1") as port:
            return await fetch(f"http://127.0.0.1:{port}/{{id}}.{{ext}}", tmp_path)

    (fetched,) = asyncio.run(main())
    assert (fetched.reason, "socks5" in fetched.detail) == (Reason.BAD_REDIRECT, True)


@pytest.mark.parametrize("direct", [False, True])
def test_all_requests_go_through_the_proxy_of_all(tmp_path, monkeypatch, direct) -> None:
    server, proxy = Server(right, JPEG), Server(right, JPEG)

    async def main() -> None:
        async with server.on("127.0.0.1") as port, proxy.on("127.0.0.1") as place:
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{place}")
            monkeypatch.setenv("NO_PROXY", f"127.0.0.1:{port}" if direct else "")
            await fetch(f"http://127.0.0.1:{port}/{{id}}.{{ext}}", tmp_path)

    asyncio.run(main())
    assert (len(server.requests), len(proxy.requests)) == ((1, 0) if direct else (0, 1))


WEB, STORE = "https://127.0.0.1:{port}/{{id}}.{{ext}}", "s3://bucket/{{id}}.{{ext}}"


@pytest.fixture(params=[WEB, STORE], ids=["https", "s3"])
def template(request, monkeypatch) -> str:
    """An address of the web, or of an object store at the same port."""
    if request.param == STORE:
        pytest.importorskip("obstore")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return request.param


def fetch_with_certificate(folder, template: str = WEB):
    """Fetch one image from a server whose certificate is signed by `folder`/ca.pem."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def main():
        async with Server(dated, JPEG).on("127.0.0.1", context) as port:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{port}")
                address = template.format(port=port)
                return await fetch(address, folder / "out", settings=ONCE)

    (fetched,) = asyncio.run(main())
    return fetched


@pytest.mark.parametrize(
    ("no_proxy", "direct"), [("", False), ("*", True), ("127.0.0.0/8", True), ("h", False)]
)
def test_an_object_store_is_asked_through_the_proxy_of_all(
    tmp_path, monkeypatch, no_proxy, direct
) -> None:
    pytest.importorskip("obstore")
    server, proxy = Server(dated, JPEG), Server(dated, JPEG)

    async def main() -> None:
        async with server.on("127.0.0.1") as port, proxy.on("127.0.0.1") as place:
            for name, value in {
                "AWS_ACCESS_KEY_ID": "someone",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "ALL_PROXY": f"http://127.0.0.1:{place}",
                "NO_PROXY": no_proxy,
            }.items():
                monkeypatch.setenv(name, value)
            await fetch("s3://bucket/{id}.{ext}", tmp_path, settings=ONCE)

    asyncio.run(main())
    assert files(tmp_path) == {"0007/7.jpg": JPEG}
    assert (len(server.requests), len(proxy.requests)) == ((1, 0) if direct else (0, 1))


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_that_the_environment_names_are_trusted(
    tmp_path, monkeypatch, name, template
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    assert fetch_with_certificate(tmp_path, template).reason is None
    assert files(tmp_path / "out") == {"0007/7.jpg": JPEG}


def test_certificates_of_others_are_not_trusted(tmp_path, monkeypatch) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    assert fetch_with_certificate(tmp_path).reason is Reason.BAD_CERTIFICATE


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates_that_are_not_there_are_wrong_usage(
    tmp_path, monkeypatch, name, template
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "nowhere.pem"))
    with pytest.raises(UsageError, match=rf"{name}.*nowhere\.pem"):
        fetch_with_certificate(tmp_path, template)


def test_a_file_without_certificates_is_wrong_usage(tmp_path, monkeypatch) -> None:
    (tmp_path / "text").write_text("none")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "text"))
    with pytest.raises(UsageError, match="holds no certificates"):
        fetch_with_certificate(tmp_path)


def test_http_needs_no_certificates(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))

    async def main():
        async with Server(right, JPEG).on("127.0.0.1") as port:
            return await fetch(f"http://127.0.0.1:{port}/{{id}}.{{ext}}", tmp_path)

    assert asyncio.run(main())[0].reason is None
