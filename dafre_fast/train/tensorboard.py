"""A log for TensorBoard, where that is installed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from typing import Any

from msgspec import structs

from dafre_fast.core.events import Notice, Tell
from dafre_fast.learning.records import Epoch

FOLDER = "tensorboard"


@contextmanager
def tensorboard(
    run: Path, epochs: Sequence[Epoch], tell: Tell
) -> Iterator[Callable[[Epoch], None]]:
    """Yield a function that adds an epoch to the log in the folder of a model; without TensorBoard
    it does nothing. The log is begun afresh, with the epochs that are done.
    """
    writer = _writer(run / FOLDER, tell) if find_spec("tensorboard") else None
    if writer is None:
        yield lambda _: None
        return
    with writer:
        for epoch in epochs:
            _add(writer, epoch)
        yield lambda epoch: _add(writer, epoch)


def _writer(folder: Path, tell: Tell) -> Any:
    """Return a writer of an empty log, None if TensorBoard does not work here."""
    try:
        from torch.utils.tensorboard import SummaryWriter

        rmtree(folder, ignore_errors=True)
        return SummaryWriter(str(folder))
    except (ImportError, AttributeError, TypeError) as error:  # libraries that do not fit together
        tell(Notice(f"no log for TensorBoard: {type(error).__name__}: {error}"))
        return None


def _add(writer: Any, epoch: Epoch) -> None:
    for name, value in structs.asdict(epoch).items():
        if value is not None and name not in ("epoch", "step"):
            writer.add_scalar(name, value, epoch.epoch)
    writer.flush()
