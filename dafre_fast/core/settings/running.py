"""Settings of a run: workers, resuming, parts, printing."""

import os
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.errors import UsageError
from dafre_fast.core.parts import Part
from dafre_fast.core.settings.groups import Count, Group


class Workers(Group, frozen=True):
    """Worker processes and their time limit."""

    workers: Annotated[
        Count | None, Meta(description="Number of worker processes. Default: the usable cores.")
    ] = None
    image_timeout: Annotated[
        float, Meta(gt=0, description="Longest time for one image, in seconds.")
    ] = 60.0


class Cores(Group, frozen=True):
    """Processes at work."""

    workers: Annotated[
        Count | None, Meta(description="Number of processes. Default: the usable cores.")
    ] = None

    @property
    def count(self) -> int:
        """The number of processes."""
        return self.workers or usable_cores()


class Running(Workers, frozen=True):
    """Worker processes, and what to do with results of earlier runs."""

    resume: Annotated[bool, Meta(description="Resume an earlier run, or start over.")] = True
    retry_failed: Annotated[
        bool, Meta(description="Retry images that an earlier run refused permanently.")
    ] = False


class Dividing(Running, frozen=True):
    """Worker processes, parts, and what to do with results of earlier runs.

    Raises UsageError if `part` is none, or settings exclude each other.
    """

    part: Annotated[
        str | None,
        Meta(description="Do part I of N alone, such as 3/10; `merge` joins all N parts."),
    ] = None
    engines: Annotated[
        Count | None,
        Meta(
            description="Processes that each download and make a part, and share the workers."
            " Default: one for each 8 cores, one on fewer than 16. With Ray: parts that a node"
            " does at once."
        ),
    ] = None
    executor: Annotated[
        Literal["local", "ray"],
        Meta(
            description="Where parts are done: by this machine, or by the nodes of a Ray cluster."
        ),
    ] = "local"
    ray_address: Annotated[
        str | None,
        Meta(
            description="HOST:PORT of the head node of a Ray cluster; local: one that is started"
            " on this machine. Default: the one that is found, else local."
        ),
    ] = None
    parts: Annotated[
        Count | None,
        Meta(
            description="Parts that are done on a Ray cluster. Default: ten for each node, or as"
            " many as an earlier run that was stopped had."
        ),
    ] = None

    def __post_init__(self) -> None:
        _ = self.own_part
        if self.part and self.executor == "ray":
            raise UsageError("--part and --executor ray exclude each other: Ray does all parts")
        for name, value in (("ray-address", self.ray_address), ("parts", self.parts)):
            if value is not None and self.executor != "ray":
                raise UsageError(f"--{name} needs --executor ray")

    @property
    def own_part(self) -> Part | None:
        """The part to do, None for the whole."""
        return None if self.part is None else Part.parse(self.part)

    @property
    def is_engine(self) -> bool:
        """Whether the part is that of one of the engines of a machine, which merges them."""
        return self.part is not None and (self.engines or 1) > 1


def part_of(running: Running) -> Part | None:
    """Return the part that a run does, None for the whole."""
    return running.own_part if isinstance(running, Dividing) else None


class Printing(Group, frozen=True):
    """Form of the printed summary."""

    json: Annotated[bool, Meta(description="Print the summary as JSON.")] = False


class Reporting(Printing, frozen=True):
    """Form of the printed summary, and when the exit status is 1."""

    max_refused: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Exit with status 1 if more images are refused. Default: never."),
    ] = None


def usable_cores() -> int:
    """Return the number of cores that this process may run on (its affinity, if known)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
