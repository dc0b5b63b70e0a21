"""Compare `full --table` with img2dataset on one list of addresses, served on this machine.

usage: python -m bench.addresses [--images N] [--samples N] [--json FILE]

Pictures of all formats are drawn. Both tools make the same shards of them; then both meet ten
faults. img2dataset may be in an environment of its own, whose Python `BENCH_IMG2DATASET` names. The
CPU time of the server is not counted, that of all processes of a tool is.
"""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import numpy as np
import polars as pl
from PIL import Image, ImageDraw

from bench.measure import cpu_seconds, run
from bench.peers import by_img2dataset

_FORMATS = ("JPEG",) * 12 + ("PNG",) * 4 + ("WEBP",) * 2 + ("GIF", "BMP", "TIFF", "AVIF")
_SIZE = (1200, 900)
_PICTURES = 2 * len(_FORMATS)
"""Pictures that are served, each at many addresses."""
_STALL_SECONDS = 120.0
_WORKERS, _CONNECTIONS, _SHARD = 2, 16, 100
_BOMB_SIDE = 20_000

FAULTS = {
    "404": "status 404",
    "busy": "503 once, then the picture",
    "cut": "a body that is cut off, every time",
    "page": "an HTML page with status 200 as image/jpeg",
    "stall": "half a body, then nothing",
    "short": "a Content-Length that is too small",
    "loop": "a redirect to itself",
    "half": "a truncated JPEG",
    "bomb": f"a PNG of {_BOMB_SIDE:,} x {_BOMB_SIDE:,} pixels",
}


class Cost(NamedTuple):
    """Seconds of CPU of all processes of a tool, seconds that passed, and the memory of its largest
    process.
    """

    cpu_seconds: float
    seconds: float
    megabytes: float


@cache
def drawn(number: int, size: tuple[int, int] = _SIZE) -> bytes:
    """Return a picture of soft colours, shapes and some noise, in the format of its number."""
    dice = np.random.default_rng(number)
    small = dice.integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, side = dice.integers(0, 1100), dice.integers(0, 800), dice.integers(20, 200)
        colour = tuple(map(int, dice.integers(0, 256, 3)))
        pen.ellipse((int(x), int(y), int(x + side), int(y + side)), fill=colour)
    noise = dice.normal(0, 4, (*size[::-1], 3))
    noisy = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, _FORMATS[number % len(_FORMATS)])
    return file.getvalue()


@cache
def _bomb() -> bytes:
    file = io.BytesIO()
    Image.new("L", (_BOMB_SIDE, _BOMB_SIDE), 127).save(file, "PNG")
    return file.getvalue()


class _Server:
    """Serves pictures `/p/{number}` and faults `/fault/{name}`, and counts requests."""

    def __init__(self) -> None:
        self.asked, self.refused_once = Counter[str](), set[str]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                if not await self._answer(line.split()[1].decode(), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        if path == "/counts":
            return await _send(writer, json.dumps(self.asked).encode())
        if path == "/reset":
            self.asked.clear()
            self.refused_once.clear()
            return await _send(writer, b"")
        self.asked[path] += 1
        _, kind, name = path.split("/")
        if kind == "p":
            return await _send(writer, drawn(int(name) % _PICTURES))
        return await self._fail(name, path, writer)

    async def _fail(self, name: str, path: str, writer: asyncio.StreamWriter) -> bool:
        jpeg = drawn(0)
        half = jpeg[: len(jpeg) // 2]
        match name:
            case "busy" if path not in self.refused_once:
                self.refused_once.add(path)
                return await _send(writer, b"", "503 Service Unavailable")
            case "busy":
                return await _send(writer, jpeg)
            case "cut":
                return await _send(writer, half, length=len(jpeg), stays=False)
            case "page":
                return await _send(writer, b"<!doctype html><p>not here</p>")
            case "stall":
                await _send(writer, half, length=len(jpeg))
                await asyncio.sleep(_STALL_SECONDS)
                return False
            case "short":
                return await _send(writer, jpeg, length=len(half), stays=False)
            case "loop":
                return await _send(writer, b"", "302 Found", more=f"Location: {path}\r\n")
            case "half":
                return await _send(writer, half)
            case "bomb":
                return await _send(writer, _bomb())
        return await _send(writer, b"", "404 Not Found")


async def _send(
    writer: asyncio.StreamWriter,
    body: bytes,
    status: str = "200 OK",
    *,
    length: int | None = None,
    stays: bool = True,
    more: str = "",
) -> bool:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: image/jpeg\r\nContent-Length: {size}\r\n{more}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return stays


def _serve(port: Connection) -> None:
    async def main() -> None:
        served = await asyncio.start_server(_Server().serve, "127.0.0.1", 0)
        port.send(served.sockets[0].getsockname()[1])
        await served.serve_forever()

    asyncio.run(main())


@contextmanager
def serving() -> Iterator[str]:
    """Yield the address of the server, which runs in a process of its own."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _asked(address: str, path: str) -> bytes:
    from urllib.request import urlopen

    with urlopen(f"{address}/{path}") as answer:
        found: bytes = answer.read()
        return found


def _counts(address: str) -> Mapping[str, int]:
    found: Mapping[str, int] = json.loads(_asked(address, "counts"))
    return found


def _ours(urls: Path, output: Path) -> list[str]:
    flags = ("--pack", "webdataset", "--no-keep-originals", "--no-report", "--retries", 2)
    sizes = ("--workers", _WORKERS, "--connections", _CONNECTIONS, "--shard-size", _SHARD)
    given = ("--table", urls, "--output", output, "--timeout", 10, *flags, *sizes)
    return [sys.executable, "-m", "dafre_fast.full", *map(str, given)]


def _theirs(urls: Path, output: Path) -> list[str]:
    flags = {
        "url_list": urls,
        "output_folder": output,
        "output_format": "webdataset",
        "image_size": 256,
        "resize_mode": "keep_ratio",
        "encode_quality": 90,
        "processes_count": _WORKERS,
        "thread_count": _CONNECTIONS,
        "number_sample_per_shard": _SHARD,
        "timeout": 10,
        "retries": 2,
    }
    python = by_img2dataset.interpreter() or sys.exit(2)
    pairs = (f"--{name}={value}" for name, value in flags.items())
    return [python, str(by_img2dataset.SCRIPT), "tool", *pairs]


Command = Callable[[Path, Path], list[str]]
TOOLS: Mapping[str, Command] = {"dafre_fast": _ours, "img2dataset": _theirs}


def _run(command: Sequence[str]) -> Cost:
    """Run a tool until its last process ends."""
    began, cpu = time.perf_counter(), cpu_seconds()
    peak = run(*command)
    return Cost(cpu_seconds() - cpu, time.perf_counter() - began, peak / 1e6)


def _outcomes(tool: str, output: Path) -> dict[str, str]:
    """Return the status of each address, with its message."""
    if tool == "dafre_fast":
        table = pl.read_parquet(output / "manifest.parquet", columns=["url", "status"])
        return dict(table.iter_rows())
    tables = [pl.read_parquet(path) for path in sorted(output.glob("*.parquet"))]
    rows = pl.concat(tables).select("url", "status", "error_message").iter_rows()
    return {
        url: status if message is None else f"{status}: {message}" for url, status, message in rows
    }


def _written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _listed(folder: Path, urls: Sequence[str]) -> Path:
    path = folder / "urls.txt"
    path.write_text("".join(f"{url}\n" for url in urls))
    return path


def compare_costs(address: str, folder: Path, images: int, samples: int) -> dict[str, object]:
    """Return the cost of each tool for a list of pictures, the least of some samples in turn."""
    urls = _listed(folder, [f"{address}/p/{number}" for number in range(images)])
    first = _listed(folder / "warm", [f"{address}/p/{number}" for number in range(20)])
    found: dict[str, list[Cost]] = {tool: [] for tool in TOOLS}
    facts: dict[str, object] = {}
    for tool, command in TOOLS.items():
        _run(command(first, folder / "warm" / tool))
    for sample in range(samples):
        for tool, command in TOOLS.items():
            output = folder / f"{tool}-{sample}"
            found[tool].append(_run(command(urls, output)))
            statuses = Counter(one.partition(":")[0] for one in _outcomes(tool, output).values())
            facts[tool] = {"statuses": statuses, "bytes": _written(output)}
    return {
        tool: {
            "images_per_cpu_second": images / min(cost.cpu_seconds for cost in costs),
            "images_per_second": images / min(cost.seconds for cost in costs),
            "megabytes_of_memory": max(cost.megabytes for cost in costs),
            **facts[tool],  # type: ignore[dict-item]
        }
        for tool, costs in found.items()
    }


def compare_faults(address: str, folder: Path) -> dict[str, object]:
    """Return what becomes of each fault in each tool, among twenty pictures."""
    good = [f"{address}/p/{number}" for number in range(20)]
    urls = _listed(folder, [*good, *(f"{address}/fault/{name}" for name in FAULTS)])
    found: dict[str, object] = {}
    for tool, command in TOOLS.items():
        _asked(address, "reset")
        cost = _run(command(urls, folder / tool))
        outcomes, asked = _outcomes(tool, folder / tool), _counts(address)
        found[tool] = {
            "seconds": cost.seconds,
            "megabytes_of_memory": cost.megabytes,
            "pictures": sum(outcomes.get(url) == "success" for url in good),
            **{
                name: f"{outcomes.get(f'{address}/fault/{name}', 'no row')}"
                f" ({asked.get(f'/fault/{name}', 0)} requests)"
                for name in FAULTS
            },
        }
    return found


def compare_kills(address: str, folder: Path, images: int) -> dict[str, object]:
    """Kill each tool with SIGKILL when half of the pictures were asked for, then run it again."""
    urls = _listed(folder, [f"{address}/p/{number}" for number in range(images)])
    found: dict[str, object] = {}
    for tool, command in TOOLS.items():
        _asked(address, "reset")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = subprocess.Popen(command(urls, folder / tool), start_new_session=True, **quiet)  # type: ignore[call-overload]
        while sum(_counts(address).values()) < images // 2:
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        time.sleep(1.0)
        before = sum(_counts(address).values())
        _run(command(urls, folder / tool))
        outcomes = _outcomes(tool, folder / tool)
        found[tool] = {
            "asked_before": before,
            "asked_again": sum(_counts(address).values()) - before,
            "made": sum(status == "success" for status in outcomes.values()),
        }
    return found


@click.command()
@click.option("--images", default=600, help="Addresses in the list.")
@click.option("--samples", default=2, help="Times that each tool makes the list.")
@click.option("--json", "into", type=click.Path(path_type=Path), help="Write figures here.")
def main(images: int, samples: int, into: Path | None) -> None:
    """Compare `full --table` with img2dataset on one list of addresses."""
    if by_img2dataset.interpreter() is None:
        sys.exit(2)
    with TemporaryDirectory() as temporary, serving() as address:
        folder = Path(temporary)
        for number in range(_PICTURES):  # so that no tool waits for the drawing
            _asked(address, f"p/{number}")
        for name in ("costs/warm", "faults", "kills"):
            (folder / name).mkdir(parents=True)
        found = {
            "costs": compare_costs(address, folder / "costs", images, samples),
            "faults": compare_faults(address, folder / "faults"),
            "kills": compare_kills(address, folder / "kills", images),
        }
    text = json.dumps(found, indent=2)
    print(text)
    if into:
        into.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
