"""Originals in archives of every kind, and a server for them."""

import asyncio
import hashlib
import io
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from PIL import Image

from dafre_fast.core.events import Tell, silent
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check

FAST = Fetching(retries=1, timeout=20.0)
KEYS = [7, 1007, 2007, 332446, 5]
EXTENSIONS = {7: "jpg", 1007: "png", 2007: "jpg", 332446: "gif", 5: "jpg"}


def drawn(key: int) -> bytes:
    file = io.BytesIO()
    image = Image.effect_noise((40 + key % 7, 30), 80).convert("RGB")
    image.save(file, {"jpg": "jpeg"}.get(EXTENSIONS[key], EXTENSIONS[key]))
    return file.getvalue()


ORIGINALS = {key: drawn(key) for key in KEYS}


def expected() -> dict[str, bytes]:
    return {f"{key % 1000:04}/{key}.{EXTENSIONS[key]}": data for key, data in ORIGINALS.items()}


def write_tar(path: Path, keys: list[int], *, name: str = "{}", extra: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "w:gz" if path.suffix == ".gz" else "w"
    with tarfile.open(path, mode) as archive:
        for key in keys:
            for member, data in (
                (f"{name.format(key)}.{EXTENSIONS[key]}", ORIGINALS[key]),
                (f"{name.format(key)}.json", b"{}" + extra),
            ):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def write_index(path: Path) -> None:
    with tarfile.open(path) as archive:
        files = {
            info.name: {
                "offset": info.offset_data,
                "size": info.size,
                "sha256": hashlib.sha256(archive.extractfile(info).read()).hexdigest(),
            }
            for info in archive
            if info.isfile()
        }
    whole = {"filesize": path.stat().st_size, "hash": "", "hash_lfs": "", "files": files}
    path.with_suffix(".json").write_text(json.dumps(whole))


def write_zip(path: Path, keys: list[int], method: int = zipfile.ZIP_DEFLATED) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for key in keys:
            archive.writestr(f"images/{key}.{EXTENSIONS[key]}", ORIGINALS[key])


def fetch(
    spec: object,
    folder: Path,
    keys: list[int] = KEYS,
    settings: Fetching = FAST,
    tell: Tell = silent,
    *,
    twice: bool = False,
) -> dict[int, Fetched]:
    """Return the last outcomes by id. Only with `twice` an original may have several."""
    found: dict[int, Fetched] = {}

    async def take(one: Sought, fetched: Fetched) -> None:
        assert twice or int(one.key) not in found
        found[int(one.key)] = fetched

    async def main() -> None:
        source = choose(str(spec), folder, settings, Check(sniff, check_end), tell)
        async with source:
            await source.fetch([Sought(str(key)) for key in keys], take)

    asyncio.run(main())
    return found


def originals(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path.read_bytes() for path in found}
    return {name: data for name, data in names.items() if not name.startswith(".dafre_fast")}


class Requests(Counter[str]):
    """Number of requests by path; a path has `*` at its end if a part of the file was asked for."""


@contextmanager
def served(
    folder: Path, *, ranges: bool = True, sized: bool = True, most: int | None = None
) -> Iterator[tuple[str, Requests]]:
    """Serve files over HTTP, with parts (`bytes=a-b`, `most` bytes of them) or without, with the
    size told or without; yields address and requests.
    """
    asked = Requests()

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = folder / self.path.lstrip("/")
            part = self.headers.get("Range") if ranges else None
            asked[self.path + "*" * bool(part)] += 1
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            total = len(data) if sized else "*"
            if part:
                first, last = part.removeprefix("bytes=").split("-")
                if int(first) >= len(data):
                    self.send_error(416)
                    return
                data = data[int(first) : int(last) + 1 if last else None][:most]
                self.send_response(206)
                stop = int(first) + len(data)
                self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{total}")
            else:
                self.send_response(200)
            if sized or part:
                self.send_header("Content-Length", str(len(data)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
