"""Turn a lack of memory into one line that names the batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dafre_fast.core.errors import DafreError
from dafre_fast.learning.recipes import Recipe


@contextmanager
def memory(recipe: Recipe, kind: type[DafreError], batch_size: int | None = None) -> Iterator[None]:
    """Raise an error of this kind if memory runs out meanwhile. `batch_size` is that of the recipe
    if none is given.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_lack_of_memory(error):
            raise
        size = batch_size or recipe.batch_size
        raise kind(
            f"out of memory with a batch of {size} images of {recipe.side} pixels; try"
            f" --batch-size {max(size // 2, 1 if batch_size else 2)}"
            f"{'' if batch_size else ' in another folder'}"
        ) from error


def _is_lack_of_memory(error: RuntimeError) -> bool:
    # PyTorch has a class for it on GPUs alone.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
