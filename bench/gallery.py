"""`python -m bench gallery`: the time until the first byte of a page, question by question.

A dataset of `--rows` rows without pictures is drawn, indexed, and served by the real command.
Before each sample other questions are asked, so many that no answer to this one is kept any more.
The server's CPU time is that of the whole page.
"""

import http.client
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import click
import msgspec
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from bench.processes import Use, use_of
from dafre_fast.core.splits import SPLITS

LIMIT = 0.1
"""Seconds until the first byte that a question may take."""
_CLASSES, _SERIES = 3_000, 500
_TAGS = 20_000
_TAGS_OF_ONE = 18
_KEPT = 17
"""Questions after which the gallery keeps no answer to one before."""
_REASONS = ("not_found", "truncated", "timeout")


class Timing(NamedTuple):
    """Medians of the samples of a question: seconds until the first byte, and the server's CPU."""

    first_byte: float
    slowest: float
    cpu: float


def questions(rows: int) -> Mapping[str, Mapping[str, object]]:
    """Return the parameters of the address of each question by its name."""
    last = (rows // 2) // 60
    return {
        "all": {},
        "one tag": {"q": "tag_3"},
        "a tag and not another": {"q": "tag_3 -tag_5"},
        "a rare tag": {"q": f"tag_{min(15_000, rows // 3)}"},
        "four tags": {"q": "tag_1 tag_2 -tag_3 -tag_4"},
        "a form of tags": {"q": "*_19"},
        "not a form of tags": {"q": "-*_1*"},
        "a class": {"q": "class:class_7"},
        "a split": {"q": "split:test"},
        "refused": {"q": "status:refused"},
        "a reason": {"q": "status:truncated"},
        "width": {"q": "width:>300"},
        "a range of bytes": {"q": "bytes:10000..20000"},
        "the side of originals": {"q": "original:>=500"},
        "a date": {"q": "date:2024-05"},
        "since a date": {"q": "date:>2024-05"},
        "a form of addresses": {"q": "url:*7.jpg"},
        "a form, excluded": {"q": "-url:*1*2*"},
        "a hash": {"q": "sha256:0123*"},
        "text of errors": {"q": "error_message:*breaks*"},
        "no value": {"q": "face_width:none"},
        "a list": {"q": "notes:truncated"},
        "a value of a record": {"q": "url:none"},
        "by width": {"order": "-width"},
        "by address": {"order": "url"},
        "by hash, of a tag": {"order": "sha256", "q": "tag_1"},
        "at random": {"order": "random"},
        "by id": {"order": "id"},
        "as in the manifest": {"order": "manifest"},
        "a page deep down": {"page": last},
        "deep down, by date": {"page": last, "order": "last_modified"},
        "heads": {"show": "faces", "q": "head:>90"},
    }


@click.command()
@click.option("--rows", type=click.IntRange(1000), default=1_000_000, help="Rows of the manifest.")
@click.option("--samples", type=click.IntRange(1), default=5, help="Samples of every question.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/bench"))
def main(rows: int, samples: int, output: Path) -> None:
    """Measure the time until the first byte of every kind of question."""
    dataset = output / f"gallery-{rows}"
    if not (dataset / "manifest.parquet").exists():
        draw(dataset, rows)
    with served(dataset) as (server, place):
        table = Table("question", "first byte, ms", "slowest", "CPU, ms", box=None)
        slow = list[str]()
        for name, asked in questions(rows).items():
            found = measure(server, place, asked, samples)
            if found.first_byte > LIMIT:
                slow.append(name)
            table.add_row(name, *(f"{seconds * 1000:.0f}" for seconds in found))
        Console().print(table)
    print(f"above {LIMIT * 1000:.0f} ms:", ", ".join(slow) or "none")


def measure(server: int, place: str, asked: Mapping[str, object], samples: int) -> Timing:
    """Ask a question so often, anew each time."""
    seconds, spent = list[float](), list[float]()
    for _ in range(samples):
        if asked.get("order") == "random":
            asked = {**asked, "seed": time.monotonic_ns() % 2**32}
        path = f"/?{urlencode(asked, safe=':()*')}"
        _forget(place)
        before = _use(server).cpu_seconds
        seconds.append(first_byte(place, path))
        spent.append(_use(server).cpu_seconds - before)
    return Timing(statistics.median(seconds), max(seconds), statistics.median(spent))


def _forget(place: str) -> None:
    """Ask other questions with other terms, until those asked before are no more in any cache."""
    for number in range(_KEPT):
        terms = (f"-original:>{9000 + number * 5 + more}" for more in range(5))
        first_byte(place, f"/?{urlencode({'q': ' '.join(terms)}, safe=':()*')}")


def first_byte(place: str, path: str) -> float:
    """Return the seconds until the first byte of a page has come; the rest is read, too."""
    parts = urlsplit(place)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.connect()
    begin = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read(1)
    took = time.perf_counter() - begin
    answer.read()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise SystemExit(f"{path}: {answer.status} {answer.headers.get('Location', '')}")
    return took


@contextmanager
def served(dataset: Path) -> Iterator[tuple[int, str]]:
    """Serve a dataset by the command; its index is built first, and told with its cost."""
    command = [sys.executable, "-m", "dafre_fast.gallery", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--output", dataset], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with process:
        try:
            assert process.stdout
            place = msgspec.json.decode(process.stdout.readline())["address"].rstrip("/")
            server = process.pid
            cpu_seconds, memory = _use(server)
            print(f"ready after {cpu_seconds:.1f} CPU-seconds, at {memory / 1e9:.2f} GB")
            print(f"first page after the start: {first_byte(place, '/') * 1000:.0f} ms")
            yield server, place
        finally:
            process.terminate()


def _use(server: int) -> Use:
    return use_of(server) or Use(math.nan, 0)


def draw(dataset: Path, rows: int) -> None:
    """Write a manifest of so many rows with as many columns as `full` has, and tables of tags."""
    (dataset / "labels").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    classes = np.sort((_CLASSES * random.random(rows) ** 3).astype(np.int64))
    ids = random.permutation(rows * 3)[:rows]
    split = np.array(SPLITS)[(random.random(rows) > 0.7).astype(int) + (random.random(rows) > 0.8)]
    refused = random.random(rows) < 0.02
    table = pl.DataFrame({"id": ids, "class_id": classes, "split": split}).with_columns(
        path=pl.format("{}/{}.jpg", (pl.col("id") % 1000).cast(pl.String).str.zfill(4), "id"),
        tag_id="class_id",
        class_name=pl.format("class_{}", "class_id"),
        left=pl.Series(random.random(rows) * 0.4),
        top=pl.Series(random.random(rows) * 0.4),
        right=pl.Series(0.5 + random.random(rows) * 0.4),
        bottom=pl.Series(0.5 + random.random(rows) * 0.4),
        confidence=pl.Series(0.85 + random.random(rows) * 0.15),
        status=pl.Series(
            np.where(refused, np.array(_REASONS)[random.integers(0, 3, rows)], "success")
        ),
        notes=pl.Series(np.where(random.random(rows) < 0.01, "truncated", "")).map_elements(
            lambda note: [note] if note else [], return_dtype=pl.List(pl.String)
        ),
        format=pl.Series(np.array(["jpeg", "png", "gif"])[random.integers(0, 3, rows)]),
        url=pl.format("https://host.example/original/{}/{}.jpg", pl.col("id") % 1000, "id"),
        last_modified=pl.Series(
            np.datetime64("2020-01-01T00:00:00", "ms") + random.integers(0, 2**27, rows) * 1000
        ).dt.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        download_seconds=pl.Series(random.random(rows)),
        attempts=pl.Series(random.integers(1, 4, rows)),
        proof=pl.lit("md5"),
        **{
            f"{prefix}{side}": pl.Series(random.integers(80, top, rows))
            for prefix, top in (("original_", 4000), ("", 600), ("face_", 200))
            for side in ("width", "height", "bytes")
        },
        **{f"{prefix}sha256": _hashes(random, rows) for prefix in ("original_", "", "face_")},
    )
    made = pl.col("status") == "success"
    gone = [
        name for name in table.columns if name.startswith(("width", "height", "bytes", "face_"))
    ]
    table = table.with_columns(
        *(pl.when(made).then(pl.col(name)).alias(name) for name in [*gone, "sha256"]),
        error_message=pl.when(~made).then(pl.format("{} breaks off", "path")),
    )
    table.write_parquet(dataset / "manifest.parquet")
    for name in SPLITS:
        own = table.filter(split=name)["id"]
        drawn = (_TAGS * random.random((len(own), _TAGS_OF_ONE)) ** 4).astype(np.int64)
        lists = (
            pl.Series(drawn).cast(pl.List(pl.Int64)).list.eval(pl.format("tag_{}", pl.element()))
        )
        nothing = pl.lit([], pl.List(pl.String))
        series = pl.format("series_{}", pl.col("id") % _SERIES)
        pl.DataFrame({"id": own, "tags_cat0": lists}).with_columns(
            tags_cat3=pl.concat_list(series), tags_cat4=nothing
        ).write_parquet(dataset / f"labels/{name}_tags.parquet")


def _hashes(random: np.random.Generator, rows: int) -> pl.Series:
    digits = random.bytes(32 * rows).hex()
    return pl.Series(digits[place : place + 64] for place in range(0, len(digits), 64))


if __name__ == "__main__":
    main()
