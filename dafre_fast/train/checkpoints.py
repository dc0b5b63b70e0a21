"""Checkpoints: all that a training needs to go on after an epoch."""

from pathlib import Path
from pickle import UnpicklingError

import torch

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError
from dafre_fast.learning.records import CHECKPOINT
from dafre_fast.train.loop import Training


def write_checkpoint(run: Path, training: Training, epochs: int) -> None:
    """Write the state of a training after so many epochs. Raises OutputError."""
    state = {
        "epochs": epochs,
        "model": training.model.state_dict(),
        "optimiser": training.optimiser.state_dict(),
        "average": training.average.model.state_dict() if training.average else None,
    }
    with replacing(run / CHECKPOINT) as part, part.open("wb") as file:
        torch.save(state, file)


def read_checkpoint(run: Path, training: Training) -> int:
    """Put a training into the state of the last checkpoint; return how many epochs were done.

    Without a checkpoint, nothing changes. Raises InputError if it cannot be read.
    """
    path = run / CHECKPOINT
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=training.group.device, weights_only=True)
        training.model.load_state_dict(state["model"])
        training.optimiser.load_state_dict(state["optimiser"])
        if training.average:
            training.average.model.load_state_dict(state["average"])
        return int(state["epochs"])
    except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, ValueError) as error:
        why = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read: {why}; start over with --no-resume") from error
