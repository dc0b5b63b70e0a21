"""Several originals at once, where a source fetches them one by one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from dafre_fast.model.records import Fetched, Sought
from dafre_fast.sources.source import Take


async def concurrently(
    fetch: Callable[[Sought], Awaitable[Fetched]],
    sought: Iterable[Sought],
    take: Take,
    connections: int,
) -> None:
    """What one raises ends them all and is raised here, on its own."""
    left = iter(sought)

    async def feed() -> None:
        for one in left:
            await take(one, await fetch(one))

    try:
        async with asyncio.TaskGroup() as feeders:
            for _ in range(connections):
                feeders.create_task(feed())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
