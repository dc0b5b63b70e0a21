"""Data sets of the hub, rebuilt on the loopback."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest

from dafre_fast.core.errors import SourceError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.huggingface import find_token
from tests.sources.archived import ORIGINALS, expected, fetch, originals, write_index, write_tar

REVISIONS = ("main", "feature/x", "refs/pr/1")
SET, INDEXES = "nyanko7/danbooru2023", "deepghs/danbooru2023_index"


class Hub:
    """Serves the files of sets below a folder as the hub does: resolved by a redirect. One that is
    `gated` is for `Bearer allowed` alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, Counter[str]()
        self.tokens = dict[str, str | None]()
        self.sends_to = ""
        """Scheme and host of files, another name of its own if empty."""
        self.calls_itself = ""
        """Scheme and host in links to the next page, those that it was asked by if empty."""
        self.gated = False

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked[request.path] += 1
        token = self.tokens[request.path] = request.headers.get("Authorization")
        if self.gated and token != "Bearer allowed" and "/signed" not in request.path:
            request.send_response(403 if token else 401)
            request.send_header("X-Error-Code", "GatedRepo")
            request.send_header("X-Error-Message", "Access to dataset some/set is restricted.")
            self._body(request, b"")
            return
        path = unquote(request.path.partition("?")[0])
        if path.startswith("/api/datasets/"):
            self._list(request, path.removeprefix("/api/datasets/"))
        elif path.startswith("/datasets/"):
            host = request.headers["Host"].replace("127.0.0.1", "127.0.0.2")
            place = self.sends_to or f"http://{host}"
            request.send_response(302)
            request.send_header("Location", f"{place}/signed{request.path}")
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            self._send(request, self.folder / path.removeprefix("/signed/datasets/"))

    def _list(self, request: BaseHTTPRequestHandler, path: str) -> None:
        repo, _, rest = path.partition("/tree/")
        revision = next(one for one in REVISIONS if rest.startswith(one))
        top = self.folder / repo / "resolve" / revision
        found = (top / rest.removeprefix(revision).strip("/")).rglob("*")
        files = [
            {"type": "directory" if file.is_dir() else "file", "path": str(file.relative_to(top))}
            for file in sorted(found)
        ]
        page = int(request.path.partition("page=")[2] or 0)
        request.send_response(200)
        if files[page + 1 :]:
            host = self.calls_itself or f"http://{request.headers['Host']}"
            link = f"{host}{request.path.partition('?')[0]}?page={page + 1}"
            request.send_header("Link", f'<{link}>; rel="next"')
        self._body(request, json.dumps(files[page : page + 1]).encode())

    def _send(self, request: BaseHTTPRequestHandler, path: Path) -> None:
        if not path.is_file():
            request.send_response(404)
            self._body(request, b"")
            return
        data, part = path.read_bytes(), request.headers.get("Range")
        if part is None:
            request.send_response(200)
            self._body(request, data)
            return
        first, last = (int(end) for end in part.removeprefix("bytes=").split("-"))
        chosen = data[first : last + 1]
        request.send_response(206)
        place = f"bytes {first}-{first + len(chosen) - 1}/{len(data)}"
        request.send_header("Content-Range", place)
        self._body(request, chosen)

    def _body(self, request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    @contextmanager
    def open(self) -> Iterator[str]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

        server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[Hub]:
    hub = Hub(tmp_path / "hub")
    with hub.open() as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        yield hub


def put(
    hub: Hub, repo: str, path: str, keys: list[int], indexes: str, revision: str = "main"
) -> None:
    tar = hub.folder / repo / "resolve" / revision / path
    write_tar(tar, keys)
    write_index(tar)
    index = hub.folder / indexes / "resolve" / revision / path.replace(".tar", ".json")
    index.parent.mkdir(parents=True, exist_ok=True)
    tar.with_suffix(".json").rename(index)


def test_a_set_of_known_layout_is_looked_through_from_original_to_updates(hub, tmp_path) -> None:
    put(hub, SET, "original/data-0007.tar", [7], INDEXES)
    put(hub, SET, "original/data-0005.tar", [5], INDEXES)
    put(hub, SET, "original/data-0446.tar", [], INDEXES)
    put(hub, SET, "recent/data-1007.tar", [1007], INDEXES)
    put(hub, SET, "updates/20240319/20240319-7.tar", [2007], INDEXES)
    put(hub, SET, "updates/20240319/20240319-6.tar", [332446], INDEXES)
    fetch(f"hf:{SET}", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()
    assert not any("1005" in path or "-5.tar" in path for path in hub.asked)


def test_any_other_set_is_read_by_its_list_with_indexes_beside(hub, tmp_path) -> None:
    put(hub, "some/set", "images/a.tar", [7, 5], "some/set")
    put(hub, "some/set", "images/b.tar", [1007, 2007, 332446], "some/set")
    fetch("hf:some/set", tmp_path / "out")
    assert originals(tmp_path / "out") == expected()


def test_single_files_of_a_set_are_addressed_by_a_template(hub, tmp_path) -> None:
    file = hub.folder / "some/set/resolve/main/0007/7.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(ORIGINALS[7])
    fetch("hf://datasets/some/set/{bucket}/{id}.{ext}", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}


def test_a_token_is_shown_to_the_hub_and_not_to_where_it_redirects(
    hub, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    put(hub, "some/set", "a.tar", [7], "some/set")
    fetch("hf:some/set", tmp_path / "out", [7])
    shown = {path for path, token in hub.tokens.items() if token == "Bearer secret"}
    assert shown == {path for path in hub.asked if not path.startswith("/signed")}
    assert shown != {*hub.asked}


@pytest.mark.parametrize(
    ("token", "advice"), [("", "set HF_TOKEN"), ("other", "the token has no access to it")]
)
def test_a_gated_set_ends_the_run_with_what_the_hub_says_and_what_to_do(
    hub, tmp_path, monkeypatch, token, advice
) -> None:
    put(hub, "some/set", "a.tar", [7], "some/set")
    hub.gated = True
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(SourceError, match=f"Access to dataset some/set is restricted.*{advice}"):
        fetch("hf:some/set", tmp_path / "out", [7])
    template = "hf://datasets/some/set/{bucket}/{id}.{ext}"
    assert fetch(template, tmp_path / "out", [7])[7].reason is Reason.UNAUTHORIZED
    monkeypatch.setenv("HF_TOKEN", "allowed")
    fetch("hf:some/set", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}


@pytest.mark.parametrize("name", ["part#1", "what?", "50%25", "a b", "ü", "a+b&c=d", "deep/{1}"])
def test_a_name_may_have_any_character(hub, tmp_path, name) -> None:
    put(hub, "some/set", f"{name}.tar", [7], "some/set")
    fetch("hf:some/set", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}


@pytest.mark.parametrize("name", ["part#1", "what?", "50%25", "a b"])
def test_a_folder_in_a_template_may_have_any_character(hub, tmp_path, name) -> None:
    file = hub.folder / f"some/set/resolve/main/{name}/0007/7.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(ORIGINALS[7])
    fetch(f"hf://datasets/some/set/{name}/{{bucket}}/{{id}}.{{ext}}", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}


@pytest.mark.parametrize(
    ("spec", "revision"),
    [
        ("hf:some/set@feature/x", "feature/x"),
        ("hf:some/set@feature%2Fx", "feature/x"),
        ("hf:some/set@refs/pr/1", "refs/pr/1"),
        ("hf://datasets/some/set@refs/pr/1/a.tar", "refs/pr/1"),
        ("hf://datasets/some/set@feature%2Fx/a.tar", "feature/x"),
    ],
)
def test_a_revision_is_one_segment_of_the_address(hub, tmp_path, spec, revision) -> None:
    put(hub, "some/set", "a.tar", [7], "some/set", revision)
    fetch(spec, tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}
    segment = revision.replace("/", "%2F")
    asked = [path for path in hub.asked if not path.startswith("/signed")]
    assert all(f"/{segment}/" in path or f"/{segment}?" in path for path in asked)


def test_all_pages_of_a_list_are_asked_of_the_endpoint(hub, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    hub.calls_itself = "https://hub.invalid"
    put(hub, "some/set", "a.tar", [7], "some/set")
    put(hub, "some/set", "b.tar", [5], "some/set")
    fetch("hf:some/set", tmp_path / "out", [7, 5])
    assert len(originals(tmp_path / "out")) == 2


@pytest.mark.parametrize("itself", ["http://[bad", "http://h:99999", "javascript:x"])
def test_a_next_page_that_cannot_be_asked_for_is_no_end_of_the_list(hub, tmp_path, itself) -> None:
    hub.calls_itself = itself
    put(hub, "some/set", "a.tar", [7], "some/set")
    with pytest.raises(SourceError, match="next page"):
        fetch("hf:some/set", tmp_path / "out", [7])


def test_a_list_that_goes_round_in_circles_ends(hub, tmp_path) -> None:
    hub.calls_itself = "https://hub.invalid/api/datasets/some/set/tree/main?recursive=true#"
    put(hub, "some/set", "a.tar", [7], "some/set")
    with pytest.raises(SourceError, match="circles"):
        fetch("hf:some/set", tmp_path / "out", [7])


def test_a_token_is_not_shown_to_another_port_of_the_endpoint(hub, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    put(hub, "some/set", "a.tar", [7], "some/set")
    other = Hub(tmp_path / "hub")
    with other.open() as address:
        hub.sends_to = address
        fetch("hf:some/set", tmp_path / "out", [7])
    assert other.tokens
    assert {*other.tokens.values()} == {None}


@pytest.mark.parametrize("endpoint", ["hub.invalid", "ftp://h", "http://[bad", "http://h:99999"])
def test_an_endpoint_that_is_no_address_is_wrong_usage(tmp_path, monkeypatch, endpoint) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(UsageError, match="HF_ENDPOINT"):
        fetch("hf:some/set", tmp_path / "out", [7])


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home of the hub's own tools without a token."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "huggingface").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "token"),
    [
        ({}, "of the cache"),
        ({"HF_HOME": "{home}/other"}, "of the home"),
        ({"HF_TOKEN_PATH": "$XDG_CACHE_HOME/mine"}, "of the path"),
        ({"HF_TOKEN": " secret\n"}, "secret"),
        ({"HUGGING_FACE_HUB_TOKEN": "old"}, "old"),
        ({"HF_TOKEN": "", "HF_HOME": "{home}/none"}, None),
    ],
)
def test_a_token_is_found_where_the_tools_of_the_hub_find_it(
    home, monkeypatch, variables, token
) -> None:
    (home / "other").mkdir()
    for file, text in (
        ("huggingface/token", "of-the-cache\n"),
        ("other/token", "of-the-home"),
        ("mine", "of-the-path"),
    ):
        (home / file).write_text(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=home))
    assert find_token() == (token and token.replace(" ", "-"))


def test_text_that_is_no_token_is_wrong_usage_and_is_not_shown(home, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "sec\nret")
    with pytest.raises(UsageError, match="HF_TOKEN") as raised:
        find_token()
    assert "sec" not in str(raised.value)
    monkeypatch.delenv("HF_TOKEN")
    (home / "huggingface/token").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="token"):
        find_token()


@pytest.mark.usefixtures("hub")
def test_a_set_that_cannot_be_listed_ends_the_run(tmp_path) -> None:
    with pytest.raises(
        SourceError, match=r"cannot be listed: bad_index: some/set: has no archives"
    ):
        fetch("hf:some/set", tmp_path / "out", [7])
