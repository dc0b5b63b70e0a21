"""A log for TensorBoard, where that is installed."""

from importlib.util import find_spec
from pathlib import Path

from msgspec import structs

from dafre_fast.learning.records import Epoch

FOLDER = "tensorboard"


def log_epoch(run: Path, epoch: Epoch) -> None:
    """Add the metrics of an epoch to the log in the folder of a model."""
    if not find_spec("tensorboard"):
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / FOLDER)) as writer:
        for name, value in structs.asdict(epoch).items():
            if value is not None and name not in ("epoch", "step"):
                writer.add_scalar(name, value, epoch.epoch)
