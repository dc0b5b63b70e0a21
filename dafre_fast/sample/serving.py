"""Draw the sample on disk, and serve it by a small HTTP server with latency, in its own process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from dafre_fast.core.errors import WorkerError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import ORIGINALS
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.core.stopping import left_to_parent
from dafre_fast.engine import loops
from dafre_fast.engine.executors import forkserver
from dafre_fast.engine.executors.base import Lost, Spec, ready
from dafre_fast.engine.executors.choose import create
from dafre_fast.engine.observers import counted
from dafre_fast.sample.cast import Portrait, portraits, write_tables
from dafre_fast.sample.metadata import write_metadata
from dafre_fast.sample.originals import write_original

LATENCY_SECONDS = 0.02
_MOST_SECONDS = 120.0
"""Time for one picture of the sample, on a slow machine."""
_TEMPLATE = "{address}/original/{{bucket}}/{{id}}.{{ext}}"


class Sample(NamedTuple):
    """Paths of the sample's tables and metadata, and the source of its originals."""

    faces: Path
    tag_ids: Path
    metadata: tuple[Path, ...]
    source: str
    """Template of the addresses of originals, for `--source`."""


@contextmanager
def served_sample(folder: Path, tell: Tell = silent) -> Iterator[Sample]:
    """Draw what `folder` lacks of the sample, and serve the originals."""
    faces, tag_ids = folder / "faces.tsv", folder / "tagIds.tsv"
    draw_sample(folder / ORIGINALS, tell)
    tell(Doing("preparing the sample"))
    write_tables(portraits(), faces, tag_ids)
    metadata = write_metadata(portraits(), folder / "metadata")
    with serving(folder / ORIGINALS) as address:
        yield Sample(faces, tag_ids, metadata, _TEMPLATE.format(address=address))


def draw_sample(originals: Path, tell: Tell = silent) -> None:
    """Draw the originals that do not exist yet, on all cores."""
    left = [portrait for portrait in portraits() if not (originals / portrait.name).exists()]
    if not left:
        return
    with counted(tell, "drawing the sample", len(left)) as advance:

        def take(results: list[tuple[Portrait, Lost | None]]) -> None:
            for portrait, result in results:
                if result:
                    raise WorkerError(f"{portrait.name}: a worker {result.loss.value} drawing it")
                advance(None)

        loops.run(_draw(left, originals, take))
    forkserver.kill()  # the next one is prepared for the work of a run


async def _draw(
    portraits: list[Portrait],
    folder: Path,
    take: Callable[[list[tuple[Portrait, Lost | None]]], None],
) -> None:
    spec = Spec[Portrait, None](
        initialise=ready(partial(write_original, folder=folder)),
        on_results=take,
        workers=usable_cores(),
        job_timeout_seconds=_MOST_SECONDS,
        preload=("dafre_fast.sample.originals",),
    )
    async with create(spec) as executor:
        for portrait in portraits:
            await executor.submit(portrait)
        await executor.drain()


@contextmanager
def serving(originals: Path, latency_seconds: float = LATENCY_SECONDS) -> Iterator[str]:
    """Serve a folder below `/original/` on a free port of the loopback; yields the address.

    Each answer is sent `latency_seconds` after its request. A missing file is a 404.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    server = context.Process(target=_serve, args=(originals, latency_seconds, theirs), daemon=True)
    with left_to_parent():
        server.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.terminate()
        server.join()


def _serve(originals: Path, latency_seconds: float, started: Connection) -> None:
    asyncio.run(_serve_forever(originals, latency_seconds, started))


async def _serve_forever(originals: Path, latency_seconds: float, started: Connection) -> None:
    @web.middleware
    async def wait(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        await asyncio.sleep(latency_seconds)
        return await handler(request)

    app = web.Application(middlewares=[wait])
    app.router.add_static("/original", originals)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    started.send(runner.addresses[0][1])
    started.close()
    parent, over = parent_process(), asyncio.Event()
    assert parent is not None
    asyncio.get_running_loop().add_reader(parent.sentinel, over.set)  # however it ends
    await over.wait()
