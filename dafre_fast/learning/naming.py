"""Name the characters in the bytes of a picture: decode it as `full` does, find heads, ask a model.

A picture passes through the decoders, the cutting and the JPEG encoder that made the dataset, so
that the model sees what it was trained on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box, Head
from dafre_fast.core.refusing import refusing
from dafre_fast.core.settings.images import Bounds, Recipe
from dafre_fast.learning.feeding import VIEWS, Squashed
from dafre_fast.learning.models import load_model, look, set_up
from dafre_fast.learning.networks import Recogniser
from dafre_fast.learning.records import Config
from dafre_fast.learning.settings import Computing
from dafre_fast.pixels.detectors.detector import Detector
from dafre_fast.pixels.making import make_images, show_picture
from dafre_fast.pixels.tensors import decode, planar

_WHOLE = Head(Box(0.0, 0.0, 1.0, 1.0), 1.0)
_AT_ONCE = 32
"""Heads of a picture that the network looks at together."""


class Name(Struct, frozen=True):
    """A class, and its probability."""

    name: str
    probability: float


class Seen(Struct, frozen=True):
    """A head in a picture, or the whole picture, with its likeliest names, the likeliest first.

    `head` is its box in shares of width and height, and `score` that of the detector; both are None
    without a detector. `embedding` is float32 (d,) of length 1: a dot product of two is the cosine.
    """

    names: Sequence[Name]
    head: Box | None
    score: float | None
    embedding: NDArray[np.float32]


class Namer(Struct, frozen=True):
    """A model with all that it needs to name what is in the bytes of a picture."""

    config: Config
    model: Recogniser
    device: torch.device
    making: Recipe
    names: int = 5
    """Names given for each head, at most."""
    detector: Detector | None = None
    """Finds heads; without one, the whole picture is taken for a head."""
    threshold: float = 0.0
    """Least score of a head."""

    def name(self, data: bytes) -> list[Seen]:
        """Return what is seen in a picture, head by head.

        Raises Refusal if the picture cannot be read, or if no head is found (NO_HEAD). An
        unexpected error of a decoder is a Refusal, too.
        """
        with _refusing():
            heads = self._heads(data)
            views = [self._views(data, head.box) for head in heads]
            seen = list[Seen]()
            for at in range(0, len(heads), _AT_ONCE):
                pictures = torch.stack(views[at : at + _AT_ONCE])
                seen += self._seen(heads[at : at + _AT_ONCE], pictures)
            return seen

    def _seen(self, heads: Sequence[Head], pictures: Tensor) -> Iterator[Seen]:
        shares, embeddings = look(self.model, self.config.recipe, pictures, self.device)
        best = shares.topk(min(self.names, shares.shape[1]))
        of_heads = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        for head, (numbers, likely), embedding in zip(
            heads, of_heads, embeddings.numpy(), strict=True
        ):
            told: tuple[Any, Any] = (head.box, head.score) if self.detector else (None, None)
            named = [
                Name(self.config.classes[number], share)
                for number, share in zip(numbers, likely, strict=True)
            ]
            yield Seen(named, *told, embedding)

    def _heads(self, data: bytes) -> list[Head]:
        if self.detector is None:
            return [_WHOLE]
        _, pixels = show_picture(data, self.making.bounds, self.detector.side)
        heads = [head for head in self.detector.find(pixels) if head.score >= self.threshold]
        if not heads:
            raise Refusal(Reason.NO_HEAD)
        return heads

    def _views(self, data: bytes, box: Box) -> Tensor:
        """Return what the model looks at, made as `full` makes it for a dataset: uint8 (views, 3,
        side, side).
        """
        names = VIEWS[self.config.images]
        made = make_images(data, self.making, names, box=box)
        if made.refused:
            raise made.refused
        squashed = Squashed(self.config.recipe.shown)
        pixels = (decode(made[name].data, squashed.least_side) for name in names)
        return torch.from_numpy(np.stack([planar(squashed(one)) for one in pixels]))


def open_namer(
    model: Path,
    computing: Computing,
    bounds: Bounds,
    names: int = 5,
    detector: Detector | None = None,
    threshold: float = 0.0,
) -> Namer:
    """Load the model in a folder of `train`, ready to name what is in pictures.

    Raises InputError if it cannot be read, UsageError for a device that is not there.
    """
    device = set_up(computing).device
    config, network = load_model(model, device)
    return Namer(config, network, device, Recipe(bounds=bounds), names, detector, threshold)


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise Refusal as `refusing` does, and in place of a MemoryError, too."""
    try:
        with refusing():
            yield
    except MemoryError as error:
        raise Refusal(Reason.OUT_OF_MEMORY) from error
