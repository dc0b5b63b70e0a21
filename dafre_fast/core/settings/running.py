"""Settings of a run: workers, resuming, printing."""

import os
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group


class Workers(Group, frozen=True):
    """How the work is spread."""

    workers: Annotated[
        Count | None, Meta(description="Worker processes. Default: the usable cores.")
    ] = None
    image_timeout: Annotated[float, Meta(gt=0, description="Seconds that one image may take.")] = (
        60.0
    )


class Running(Workers, frozen=True):
    """What earlier runs did, and what of it is done again."""

    resume: Annotated[
        bool, Meta(description="Go on where an earlier run stopped, or make everything anew.")
    ] = True
    retry_failed: Annotated[
        bool, Meta(description="Try images again that an earlier run refused for good.")
    ] = False


class Printing(Group, frozen=True):
    """What a command prints."""

    json: Annotated[bool, Meta(description="Print the summary as JSON.")] = False


class Reporting(Printing, frozen=True):
    """What a command prints and when it fails."""

    max_refused: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Refusals above which the exit status is 1. Default: any."),
    ] = None


def usable_cores() -> int:
    """Cores that this process may run on (affinity, where the system tells it)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
