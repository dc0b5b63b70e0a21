"""Passwords, tokens and signatures of addresses and of the environment are in nothing that a run
prints or writes.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import silent
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check
from tests.commands import dafre

pytestmark = pytest.mark.slow

SECRETS = ("Pa55word", "t0kenvalue", "s1gned", "Hub5ecret", "Cl0udkey", "Pr0xypass")
SOURCE = "http://user:Pa55word@{address}/{{bucket}}/{{id}}.{{ext}}?token=t0kenvalue"
ENVIRONMENT = {
    "HF_TOKEN": "Hub5ecret",
    "AWS_ACCESS_KEY_ID": "AKIDCl0udkey",
    "AWS_SECRET_ACCESS_KEY": "Cl0udkey",
    "AWS_SESSION_TOKEN": "Cl0udkey",
}


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (shade, 90, 90)).save(file, "png")
    return file.getvalue()


class Answers(BaseHTTPRequestHandler):
    """Gives a picture for most ids; others lead to a signed address, nowhere, or are damaged."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        number = int(re.search(r"/(\d+)\.", self.path)[1])
        status, headers, body = 200, {}, png(number)
        if "moved" not in self.path:
            match number:
                case 1:
                    status, body = 302, b""
                    headers["Location"] = "/moved/0001/1.png?X-Amz-Signature=s1gned"
                case 2:
                    status, body = 302, b""
                    headers["Location"] = "http://user:s1gned@[bad/2.png?sig=s1gned"
                case 3:
                    status, body = 404, b"s1gned"
                case 4:
                    status, body = 403, b"s1gned"
                case 5:
                    body = b"<html>s1gned</html>"
                case 6:
                    status = 503
                case 7:
                    body = body[: len(body) // 2]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Write the tables of twelve images of one class."""
    rows = (f"{key:04}\\{key}.jpg\t7\t0.1, 0.1, 0.9, 0.9 0.9\n" for key in range(1, 13))
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("one\t7\n")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def full(folder: Path, source: str, *flags: object) -> subprocess.CompletedProcess[str]:
    tables = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", 1)
    logs = ("--log-json", "out/events.jsonl", "--metrics-file", "out/metrics")
    fast = ("--retries", 1, "--workers", 1, "--extensions", "png", "--output", "out")
    return dafre("full", *tables, "--source", source, *logs, *fast, *flags, cwd=folder)


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder, and tables also as lines of JSON: they are compressed."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                yield str(path), pl.read_parquet(path).write_ndjson()


def told(*texts: tuple[str, str]) -> list[str]:
    """Return where a secret stands, and what is around it."""
    found = re.compile(f".{{0,60}}(?:{'|'.join(SECRETS)}).{{0,20}}")
    return [f"{name}: {match[0]}" for name, text in texts for match in found.finditer(text)]


def told_by(done: subprocess.CompletedProcess[str]) -> list[str]:
    return told(("output", done.stdout), ("errors", done.stderr))


@pytest.mark.slow
@pytest.mark.parametrize("into", [(), ("--pack", "webdataset")])
def test_no_file_of_a_dataset_has_a_secret_of_its_source(folder, into) -> None:
    with answering() as address:
        source = SOURCE.format(address=address)
        done = full(folder, source, *into)
        assert done.returncode == 0, done.stderr
        again = full(folder, source, "--json", *into)
    assert told_by(done) == told_by(again) == told(*texts(folder / "out")) == []
    manifest = pl.read_parquet(folder / "out/manifest.parquet")
    assert f"http://{address}/0008/8.png?token=***" in manifest["url"].to_list()
    statuses = manifest["status"].value_counts(sort=True).rows()
    assert statuses[0] == ("success", 6)
    assert {status for status, _ in statuses[1:]} >= {"not_found", "forbidden", "bad_redirect"}
    assert json.loads(again.stdout)["success"] == 6
    assert json.loads(again.stdout)["work"]["downloads"]["requests"] == 2  # for the passing failure


@pytest.mark.slow
def test_no_page_of_the_gallery_has_a_secret_of_the_source(folder) -> None:
    with answering() as address:
        full(folder, SOURCE.format(address=address))
    command = [sys.executable, "-m", "dafre_fast.gallery", "--output", "out", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--json"], cwd=folder, text=True, **pipes) as gallery:
        page = json.loads(gallery.stdout.readline())["address"]
        pages = [(f"{key}", urlopen(f"{page}image/{key}").read().decode()) for key in range(1, 13)]
        gallery.send_signal(signal.SIGTERM)
    assert "token=***" in pages[8][1]
    assert told(*pages) == []


@pytest.mark.parametrize(
    "source",
    [
        "http://user:Pa55word@host/5.png?token=t0kenvalue",
        "http://user:Pa55word@host/{id}/{nonsense}?token=t0kenvalue",
        "http://user:Pa55word@host/{0..-1}{id}.tar?token=t0kenvalue",
        "http://user:Pa55word@host/{1..0}.tar?token=t0kenvalue",
        "http://user:Pa55/word@host/{nonsense}?token=t0kenvalue",
        "ftp://user:Pa55word@host/{id}?token=t0kenvalue",
        "rsync://user:Pa55word@host",
        "rsync://user:Pa55word@host:port/module/{id}",
        "hf://Hub5ecret@datasets/x/{id}?token=t0kenvalue",
        "s3://AKID:Cl0udkey@bucket/5.png?token=t0kenvalue",
    ],
)
def test_the_error_for_an_address_does_not_repeat_its_secret(tmp_path, source) -> None:
    with pytest.raises(UsageError) as refused:
        choose(source, tmp_path, Fetching(), Check(head=len, whole=len), silent)
    assert source.partition(":")[0] in str(refused.value)
    assert told(("error", str(refused.value))) == []


@pytest.mark.slow
@pytest.mark.parametrize("proxy", ["http://user:Pr0xypass@127.0.0.1:9", "socks5://u:Pr0xypass@h:1"])
def test_the_password_of_a_proxy_is_not_told(folder, proxy, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    done = full(folder, "http://host/{id}.png", "--retries", 0, "--patience", 0)
    assert told_by(done) == told(*texts(folder / "out")) == []


def test_a_simulation_names_the_host_without_the_password(folder) -> None:
    source = "http://user:Pa55word@host/{id}.{ext}?token=t0kenvalue"
    flags = ("--faces", "faces.tsv", "--source", source, "--min-images", 1, "--simulate")
    done = dafre("download", *flags, cwd=folder)
    assert "http://host" in done.stdout
    assert told_by(done) == []


@pytest.mark.slow
def test_the_traceback_of_a_python_call_has_no_secret(tmp_path) -> None:
    (tmp_path / "script.py").write_text(
        "import sys, polars as pl, dafre_fast as df\n"
        "if __name__ == '__main__':\n"
        "    df.make_images(pl.DataFrame({'id': [5]}), sys.argv[1], 'out', retries=0, patience=0)\n"
    )
    for source in ("http://u:Pa55word@host:x/{nonsense}?a=t0kenvalue", "rsync://u:Pa55word@h:x/m/"):
        done = subprocess.run(
            [sys.executable, "script.py", source],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "UsageError" in done.stderr
        assert told_by(done) == []
