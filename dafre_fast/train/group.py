"""The processes that train one model together, as torchrun starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from msgspec.structs import replace
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from dafre_fast.core.errors import UsageError
from dafre_fast.learning.models import Computer, set_up
from dafre_fast.learning.settings import Computing


class Group(NamedTuple):
    """The number of this process, from 0, the number of all, and what this one computes with."""

    rank: int
    ranks: int
    computer: Computer

    @property
    def device(self) -> torch.device:
        """The device that computes."""
        return self.computer.device

    @property
    def is_first(self) -> bool:
        """True for the process that writes."""
        return self.rank == 0

    def joined(self, model: nn.Module) -> nn.Module:
        """Return a model that computes the mean of all gradients."""
        return DistributedDataParallel(model) if self.ranks > 1 else model

    def gathered(self, value: Any) -> list[Any]:
        """Return the value of every process; all have to call this."""
        if self.ranks == 1:
            return [value]
        values = [None] * self.ranks
        distributed.all_gather_object(values, value)
        return values


@contextmanager
def process_group(computing: Computing) -> Iterator[Group]:
    """Join the processes of torchrun, if it started this one. Raises UsageError for a device that
    is not there, or an environment that is not torchrun's.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks == 1:
        yield Group(0, 1, set_up(computing))
        return
    if torch.cuda.is_available() and computing.device in {None, "cuda"}:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        torch.cuda.set_device(local)
        computing = replace(computing, device=f"cuda:{local}")
    computer = set_up(computing, ranks)
    try:
        distributed.init_process_group("gloo" if computer.device.type == "cpu" else "nccl")
    except (ValueError, RuntimeError) as error:
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"no group of {ranks} processes: {why}; start them by torchrun") from error
    try:
        yield Group(distributed.get_rank(), ranks, computer)
    finally:
        distributed.destroy_process_group()
