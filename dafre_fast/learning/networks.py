"""The recogniser: ResNet-18 (He et al., arXiv:1512.03385), an embedding, and scores of classes."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from dafre_fast.learning.losses import Scores
from dafre_fast.learning.recipes import Recipe

_TIMES = (1, 2, 4, 8)
"""Channels of the stages, as multiples of the first one's."""


class Block(nn.Module):
    """Two 3 x 3 convolutions and a way around them."""

    def __init__(self, entering: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(entering, width, 3, stride)
        self.second = _convolution(width, width, 3, 1)
        same = stride == 1 and entering == width
        self.around = nn.Identity() if same else _convolution(entering, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.around(x))


def _convolution(entering: int, width: int, size: int, stride: int) -> nn.Sequential:
    """Return a convolution without bias, and batch normalisation."""
    made = nn.Conv2d(entering, width, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(made, nn.BatchNorm2d(width))


def resnet18(channels: int, stem: str, width: int = 64) -> nn.Sequential:
    """Return ResNet-18 up to the mean of its last feature map: (n, channels, side, side) to
    (n, 8 x width).

    The 7 x 7 stem divides the side by 4, the 3 x 3 stem by 2.
    """
    first = (7, 2) if stem == "7x7" else (3, 1)
    layers = [_convolution(channels, width, *first), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    entering = width
    for leaving in (width * times for times in _TIMES):
        stride = 1 if leaving == entering else 2
        layers += [Block(entering, leaving, stride), Block(leaving, leaving, 1)]
        entering = leaving
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Recogniser(nn.Module):
    """One trunk for all views of an image, one embedding of them, and a score for each class.

    `class_sizes` are the numbers of training images of the classes; `views` is 1 or 2.
    """

    def __init__(self, recipe: Recipe, class_sizes: Sequence[int], views: int) -> None:
        super().__init__()
        self.grey = recipe.colours == "grey"
        self.trunk = resnet18(1 if self.grey else 3, recipe.stem, recipe.width)
        self.embedding = nn.Sequential(
            nn.Linear(_TIMES[-1] * recipe.width * views, recipe.embedding, bias=False),
            nn.BatchNorm1d(recipe.embedding),
        )
        self.scores = Scores(recipe, class_sizes)

    def embed(self, pictures: Tensor) -> Tensor:
        """Return the embeddings (n, embedding) of pictures, float (n, views, 3, side, side) from 0
        to 1, RGB.
        """
        images, views = pictures.shape[:2]
        flat = pictures.flatten(0, 1) * 2 - 1
        if self.grey:
            flat = flat.mul(flat.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        flat = flat.contiguous(memory_format=torch.channels_last)
        features = self.trunk(flat).view(images, views, -1).flatten(1)
        return self.embedding(features)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return scores (n, classes); with `labels` (n,), those of training, with margins."""
        return self.scores(self.embed(pictures), labels)


LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


class Average:
    """A moving average of a model, itself a `model` to be used.

    The decay rises to `decay` from 1 / `rise`, so that the first steps are soon forgotten.
    """

    def __init__(self, model: Recogniser, decay: float, rise: float) -> None:
        self.model = deepcopy(model).eval().requires_grad_(False)
        self._decay, self._rise = decay, rise

    def update(self, model: nn.Module, step: int) -> None:
        """Bring the average closer to a model after a step (from 0)."""
        decay = min(self._decay, (1 + step) / (self._rise + step))
        mine, theirs = (one.state_dict().values() for one in (self.model, model))
        with torch.no_grad():
            for average, now in zip(mine, theirs, strict=True):
                if average.is_floating_point():
                    average.lerp_(now, 1 - decay)
                else:
                    average.copy_(now)
