"""Run `predict`: pictures, heads in them, and the likeliest names."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from msgspec import Struct
from torch import nn

from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.events import Advanced, Began, Ended, Tell, silent
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box, Head
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.images import Recipe as Making
from dafre_fast.core.walk import Walk
from dafre_fast.engine.detection import find_model
from dafre_fast.engine.loops import run as wait_for
from dafre_fast.engine.work import read_original
from dafre_fast.learning.feeding import VIEWS, Squashed
from dafre_fast.learning.models import load_model, probabilities, set_up
from dafre_fast.learning.records import Config
from dafre_fast.learning.settings import Computing
from dafre_fast.pixels.detectors.detector import Detector, load
from dafre_fast.pixels.making import make_images, show_picture
from dafre_fast.pixels.tensors import decode, planar
from dafre_fast.predict.settings import PredictRun
from dafre_fast.sources.one_file import fetch_file

_WHOLE = Head(Box(0.0, 0.0, 1.0, 1.0), 1.0)


class Name(Struct, frozen=True):
    """A class, and its probability."""

    name: str
    probability: float


class Predicted(Struct, frozen=True):
    """The likeliest names of a picture, or of one head in it: `head` is its box, as shares of
    width and height, and None without a detector.
    """

    picture: str
    names: Sequence[Name]
    head: Box | None = None
    score: float | None = None


class Refused(Struct, frozen=True):
    """A picture without names, and the reason."""

    picture: str
    reason: str
    detail: str = ""


class Predictions(Struct, frozen=True):
    """The result of `predict`: pictures = those named + refused."""

    pictures: int
    named: Sequence[Predicted]
    refused: Sequence[Refused]
    exported: str | None = None


class Namer(Struct, frozen=True):
    """A model with all that it needs to name what is in the bytes of a picture."""

    config: Config
    model: nn.Module
    device: torch.device
    making: Making
    detector: Detector | None
    threshold: float
    names: int

    def name(self, picture: str, data: bytes) -> list[Predicted]:
        """Return the likeliest names for each head. Raises Refusal if the picture cannot be read,
        or no head is found.
        """
        heads = self._heads(data)
        views = [self._views(data, head.box) for head in heads]
        found = probabilities(self.model, self.config.recipe, torch.stack(views), self.device)
        best = found.topk(min(self.names, found.shape[1]))
        return [
            Predicted(
                picture,
                [
                    Name(self.config.classes[number], probability)
                    for number, probability in zip(numbers, shares, strict=True)
                ],
                head.box if self.detector else None,
                head.score if self.detector else None,
            )
            for head, numbers, shares in zip(
                heads, best.indices.tolist(), best.values.tolist(), strict=True
            )
        ]

    def _heads(self, data: bytes) -> list[Head]:
        if self.detector is None:
            return [_WHOLE]
        _, pixels = show_picture(data, self.making.bounds, self.detector.side)
        heads = [head for head in self.detector.find(pixels) if head.score >= self.threshold]
        if not heads:
            raise Refusal(Reason.EMPTY_BOX, "no head was found")
        return heads

    def _views(self, data: bytes, box: Box) -> torch.Tensor:
        """Return what the model looks at, made as `full` makes it for a dataset: uint8 (views, 3,
        side, side).
        """
        names = VIEWS[self.config.images]
        made = make_images(data, self.making, names, box=box)
        if made.refused:
            raise made.refused
        squashed = Squashed(self.config.recipe.shown)
        return torch.from_numpy(
            np.stack(
                [planar(squashed(decode(made[name].data, squashed.least_side))) for name in names]
            )
        )


def predict(
    run: PredictRun,
    detecting: Detecting,
    fetching: Fetching,
    bounds: Bounds,
    computing: Computing,
    tell: Tell = silent,
) -> Predictions:
    """Name the characters of all pictures. Raises InputError if the model cannot be read,
    UsageError if there is nothing to do.
    """
    computer = set_up(computing)
    config, model = load_model(run.model, computer.device)
    if not run.pictures and not run.export:
        raise UsageError("name a picture: a file, a folder or a URL")
    if config.images == "both" and not detecting.detector and run.pictures:
        raise UsageError("the model looks at heads beside full images: --detector is needed")
    exported = _export(config, model, run) if run.export else None
    with TemporaryDirectory(prefix="dafre_fast-") as temporary:
        folder = Path(temporary)
        detector, threshold = _detector(detecting, folder, fetching, tell)
        making = Making(bounds=bounds)
        namer = Namer(config, model, computer.device, making, detector, threshold, run.names)
        named, refused = _all(run.pictures, namer, fetching, folder, tell)
    pictures = len({one.picture for one in named}) + len(refused)
    return Predictions(pictures, named, refused, exported)


def _all(
    words: Sequence[str], namer: Namer, fetching: Fetching, folder: Path, tell: Tell
) -> tuple[list[Predicted], list[Refused]]:
    named, refused = list[Predicted](), list[Refused]()
    pictures = [*dict.fromkeys(one for word in words for one in _pictures(word))]
    tell(Began("pictures", len(pictures)))
    for picture in pictures:
        reason = None
        try:
            named += _named(namer, picture, _read(picture, fetching, folder))
        except Refusal as refusal:
            reason = refusal.reason
            refused.append(Refused(picture, str(reason), refusal.detail))
        tell(Advanced((reason,)))
    tell(Ended())
    return named, refused


def _named(namer: Namer, picture: str, data: bytes) -> list[Predicted]:
    """Name a picture. An unexpected error of a decoder costs that picture alone: it is a Refusal,
    too.
    """
    try:
        return namer.name(picture, data)
    except Refusal:
        raise
    except MemoryError as error:
        raise Refusal(Reason.OUT_OF_MEMORY) from error
    except Exception as error:
        raise Refusal(Reason.DECODER_FAILED, f"{type(error).__name__}: {error}") from error


def _pictures(word: str) -> Iterator[str]:
    """Yield the pictures that a word names: itself, or all files of a folder."""
    folder = Path(word)
    if "://" in word or not folder.is_dir():
        yield word
        return
    files = sorted(Walk(folder))
    if not files:
        raise UsageError(f"{word}: the folder has no file")
    yield from (f"{folder / name}" for name in files)


def _read(picture: str, fetching: Fetching, folder: Path) -> bytes:
    """Return the bytes of a file or URL. Raises Refusal."""
    try:
        path = wait_for(fetch_file(picture, folder, fetching, silent))
    except (SourceError, UsageError) as error:
        raise Refusal(Reason.NETWORK_ERROR, str(error)) from error
    return read_original(str(path), fetching.max_bytes)


def _detector(
    detecting: Detecting, folder: Path, fetching: Fetching, tell: Tell
) -> tuple[Detector | None, float]:
    """Return the detector, if one is named, and the least score of a head."""
    if not detecting.detector:
        return None, 0.0
    model = find_model(detecting, folder, fetching, tell)
    return load(model.path.read_bytes(), model.options), model.count_threshold


def _export(config: Config, model: nn.Module, run: PredictRun) -> str:
    from dafre_fast.learning.onnx import export

    return str(export(model, config.recipe, VIEWS[config.images], run.model))
