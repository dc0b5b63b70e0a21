"""A model on disk, and what it answers for pictures."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.learning.augment import middle
from dafre_fast.learning.feeding import VIEWS, Batch
from dafre_fast.learning.metrics import MOST_LIKELY, Answers
from dafre_fast.learning.networks import Recogniser
from dafre_fast.learning.recipes import Recipe
from dafre_fast.learning.records import MODEL, Config, read_config
from dafre_fast.learning.settings import Computing


class Computer(NamedTuple):
    """The device that computes, and how many processes decode images for it."""

    device: torch.device
    workers: int


def set_up(computing: Computing, processes: int = 1) -> Computer:
    """Choose the device of one of so many processes, and set its threads. Raises UsageError for a
    device that is not there.
    """
    cores = max(usable_cores() // processes, 1)
    torch.set_num_threads(computing.threads or cores)
    device = _device(computing.device)
    on_gpu = device.type != "cpu"
    return Computer(device, computing.workers or (0 if computing.workers == 0 else cores * on_gpu))


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # as PyTorch is built, and what the machine has
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"--device {name!r}: {why}") from error
    return device


def save_model(model: nn.Module, run: Path) -> None:
    """Write the weights of a model. Raises OutputError."""
    weights = {name: one.contiguous().cpu() for name, one in model.state_dict().items()}
    with replacing(run / MODEL) as part:
        part.write_bytes(save(weights))


def load_model(run: Path, device: torch.device) -> tuple[Config, Recogniser]:
    """Load the model in a folder, ready to answer. Raises InputError if it cannot be read."""
    config, path = read_config(run), run / MODEL
    model = Recogniser(config.recipe, config.class_sizes, len(VIEWS[config.images]))
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        why = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read: {why}") from error
    return config, model.eval().to(device, memory_format=torch.channels_last)


def look(
    model: Recogniser, recipe: Recipe, pictures: Tensor, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the probability of each class, float32 (n, classes), and the embeddings, float32
    (n, embedding) of length 1, both on the CPU.

    `pictures` are uint8 (n, views, 3, `recipe.shown`, `recipe.shown`).
    """
    with torch.inference_mode():
        seen = middle(pictures.to(device, non_blocking=True), recipe.side)
        embeddings = model.embed(seen.float() / 255).float()
        shares = model.scores(embeddings).softmax(1)
        return shares.cpu(), functional.normalize(embeddings).cpu()


class Answered(NamedTuple):
    """The answers of a model for a number of images, the numbers of these in the dataset, and their
    embeddings, float16 (n, embedding) of length 1; and a message for each that cannot be read.
    """

    answers: Answers
    numbers: Sequence[int]
    embeddings: NDArray[np.float16]
    damaged: Sequence[str]


def answer(
    model: Recogniser,
    recipe: Recipe,
    batches: Iterable[Batch],
    labels: Sequence[int],
    device: torch.device,
) -> Answered:
    """Ask a model about all images. `labels` are the right classes by number."""
    numbers, damaged = list[int](), list[str]()
    kept = min(MOST_LIKELY, len(model.scores.margins))
    classes, shares = [np.zeros((0, kept), np.int64)], [np.zeros((0, kept), np.float32)]
    embeddings = [np.zeros((0, recipe.embedding), np.float16)]
    for batch in batches:
        damaged += batch.damaged
        if not len(batch.numbers):
            continue
        numbers += batch.numbers.tolist()
        found, embedded = look(model, recipe, batch.pictures, device)
        best = found.topk(kept)
        classes.append(best.indices.numpy())
        shares.append(best.values.numpy())
        embeddings.append(embedded.half().numpy())
    truth = np.asarray(labels, np.int64)[np.asarray(numbers, np.int64)]
    answers = Answers(truth, np.concatenate(classes), np.concatenate(shares))
    return Answered(answers, numbers, np.concatenate(embeddings), damaged)
