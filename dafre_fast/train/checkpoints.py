"""Checkpoints: all that a training needs to go on after an epoch, in one file."""

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import msgspec
import torch

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError
from dafre_fast.learning.records import CHECKPOINT, Epoch
from dafre_fast.train.loop import Training


def write_checkpoint(run: Path, training: Training, epochs: Sequence[Epoch]) -> None:
    """Write the state of a training, with the metrics of its epochs. Raises OutputError."""
    state = {
        "epochs": msgspec.to_builtins(epochs),
        "model": training.model.state_dict(),
        "optimiser": training.optimiser.state_dict(),
        "average": training.average.model.state_dict() if training.average else None,
    }
    with replacing(run / CHECKPOINT) as part, part.open("wb") as file:
        torch.save(state, file)


def read_checkpoint(run: Path, training: Training) -> list[Epoch]:
    """Put a training into the state of the last checkpoint; return the metrics of its epochs.

    Without a checkpoint, nothing changes. Raises InputError if it cannot be read.
    """
    path = run / CHECKPOINT
    if not path.exists():
        return []
    try:
        state = torch.load(path, map_location=training.group.device, weights_only=True)
        epochs = msgspec.convert(state["epochs"], list[Epoch])
        training.model.load_state_dict(state["model"])
        training.optimiser.load_state_dict(state["optimiser"])
        if training.average:
            training.average.model.load_state_dict(state["average"])
    except _BAD as error:
        why = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read: {why}; start over with --no-resume") from error
    return epochs


_BAD = (
    *(OSError, RuntimeError, EOFError, KeyError, ValueError, TypeError, AttributeError),
    *(UnpicklingError, msgspec.ValidationError),
)
"""Errors of reading a damaged checkpoint, or one of something else."""
