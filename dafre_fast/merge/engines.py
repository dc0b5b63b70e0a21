"""Carry out a command in one engine, in several, or on the nodes of a cluster; then parts are
merged.
"""

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from dafre_fast.core.events import Doing, Notice, Tell
from dafre_fast.core.settings.fetching import SharedFetching
from dafre_fast.core.settings.running import Dividing
from dafre_fast.dataset.division import (
    Division,
    forget_division,
    path_of_division,
    read_division,
    record_division,
)
from dafre_fast.dataset.in_store import address_of
from dafre_fast.engine.coordinator import Job, Rules, Start, carry_out_parts
from dafre_fast.engine.engines import (
    CORES,
    divided,
    engines_for,
    make_way,
    most_at_once,
    run_engines,
    shared,
)
from dafre_fast.engine.ray_nodes import PAUSE_SECONDS, Proof, RayNodes
from dafre_fast.merge.run import merge

PARTS_PER_NODE = 10
"""So that nodes that are slow, or join late, have their share."""
S = TypeVar("S")


def carry_out(
    call: Callable[..., S],
    arguments: Sequence[Any],
    output: Path,
    source: str | None,
    tell: Tell,
    begin: Callable[[], object] | None = None,
    **named: Any,
) -> S:
    """Return what a function of a command returns: its summary. If the run has several engines, it
    is called once in each of them, with their shares of workers and downloads, and what they made
    is merged; the same holds for the parts of a run on a cluster. `source` is where originals are
    fetched from, None if nothing is. `begin` is called before parts are started; where there is
    one, the function itself begins.

    Raises what the function does, and as `engine.coordinator.carry_out_parts`,
    `engine.ray_nodes.RayNodes` and `merge` do.
    """
    (running,) = (one for one in arguments if isinstance(one, Dividing))
    fetching = next((one for one in arguments if isinstance(one, SharedFetching)), SharedFetching())

    def job(own: Dividing, sharers: int) -> Job:
        shares = [_share(one, own, sharers) for one in arguments]
        return Job(f"{call.__module__}:{call.__qualname__}", shares, named)

    if running.executor == "ray":
        if begin:
            begin()
        _run_on_ray(job, running, output, most_at_once(source, fetching), tell)
        summary = merge(output, tell).summary
        forget_division(output)
        return cast("S", summary)
    engines = engines_for(running, source, fetching)
    if engines == 1:
        return call(*arguments, tell=tell, **named)
    if begin:
        begin()
    make_way(output, resume=running.resume)

    def job_of(number: int, starts: int) -> Job:
        own = divided(running, number, engines)
        if starts:  # an engine that is started again goes on
            own = replace(own, resume=True)
        return job(own, engines)

    run_engines(job_of, engines, tell)
    return cast("S", merge(output, tell, fetch=False).summary)


def _share(argument: object, running: Dividing, engines: int) -> object:
    match argument:
        case Dividing():
            return running
        case SharedFetching():
            return shared(argument, engines)
    return argument


def _run_on_ray(
    job: Callable[[Dividing, int], Job],
    running: Dividing,
    output: Path,
    at_once: float,
    tell: Tell,
) -> None:
    """Carry out all parts on the nodes of a Ray cluster."""

    def engines_of(cores: int) -> int:
        return running.engines or (cores // CORES if at_once != inf else 1)

    tell(Doing("connecting to Ray"))
    with RayNodes(running.ray_address, engines_of) as nodes:
        division = _division(running, output, PARTS_PER_NODE * len(nodes.all()), tell)
        if address_of(output) is None:
            path = path_of_division(output).absolute()
            nodes.proof = Proof(path, path.read_bytes())

        def job_of(start: Start) -> Job:
            own = replace(
                running,
                part=f"{start.number}/{division.parts}",
                engines=None,
                executor="local",
                ray_address=None,
                parts=None,
                workers=running.workers or start.place.cores,
                resume=running.resume or start.before > 0,
            )
            return job(own, start.sharers)

        rules = Rules(at_once, PAUSE_SECONDS, joins_late=True)
        carry_out_parts(job_of, division.parts, nodes, tell, rules)


def _division(running: Dividing, output: Path, usual: int, tell: Tell) -> Division:
    """Return the parts of a run: those of an earlier one that is not merged, unless all starts
    anew or another number is asked for.
    """
    found = read_division(output) if running.resume else None
    if found and running.parts in {None, found.parts}:
        if found.parts != usual:
            tell(Notice(f"goes on with the {found.parts} parts of the run before"))
        return found
    make_way(output, resume=running.resume)
    return record_division(output, running.parts or usual)
