"""Carry out a command in one engine or in several, whose parts are merged."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import SharedFetching
from dafre_fast.core.settings.running import Dividing
from dafre_fast.engine.coordinator import Job
from dafre_fast.engine.engines import divided, engines_for, make_way, run_engines, shared
from dafre_fast.merge.run import merge

S = TypeVar("S")


def carry_out(
    call: Callable[..., S],
    arguments: Sequence[Any],
    output: Path,
    source: str | None,
    tell: Tell,
    **named: Any,
) -> S:
    """Return what a function of a command returns: its summary. If the run has several engines, it
    is called once in each of them, with their shares of workers and downloads, and what they made
    is merged. `source` is where originals are fetched from, None if nothing is.

    Raises what the function does, and as `engine.engines.run_engines` and `merge` do.
    """
    (running,) = (one for one in arguments if isinstance(one, Dividing))
    fetching = next((one for one in arguments if isinstance(one, SharedFetching)), SharedFetching())
    engines = engines_for(running, source, fetching)
    if engines == 1:
        return call(*arguments, tell=tell, **named)
    make_way(output, resume=running.resume)

    def job_of(number: int, starts: int) -> Job:
        own = divided(running, number, engines)
        if starts:  # an engine that is started again goes on
            own = replace(own, resume=True)
        shares = [_share(one, own, engines) for one in arguments]
        return Job(f"{call.__module__}:{call.__qualname__}", shares, named)

    run_engines(job_of, engines, tell)
    return cast("S", merge(output, tell).summary)


def _share(argument: object, running: Dividing, engines: int) -> object:
    match argument:
        case Dividing():
            return running
        case SharedFetching():
            return shared(argument, engines)
    return argument
