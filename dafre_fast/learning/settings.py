"""Settings of all commands that run a model."""

from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group


class Computing(Group, frozen=True):
    """Device, threads and processes."""

    device: Annotated[
        str | None, Meta(description="Device, such as cpu or cuda:0. Default: a GPU if there is.")
    ] = None
    threads: Annotated[
        Count | None, Meta(description="Threads that compute on a CPU. Default: the usable cores.")
    ] = None
    workers: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Processes that decode images; 0: this one does, between steps."
            " Default: the usable cores with a GPU, else 0."
        ),
    ] = None
