"""Scores of classes and the loss of training: ArcFace (Deng et al., arXiv:1801.07698), sub-centre
ArcFace (ECCV 2020) with margins by class size (Ha et al., arXiv:2010.05350), and softmax.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dafre_fast.learning.recipes import Recipe

_CLOSE = 1e-6
"""How close a cosine may come to 1, where the derivative of its angle has no bound."""


def margins(class_sizes: Sequence[int], most: float, least: float, power: float) -> Tensor:
    """Return the margin of each class in radians, float32: `most` for the smallest class, less with
    this power of the size, towards `least`.
    """
    sizes = torch.tensor(class_sizes, dtype=torch.float32).clamp(min=1)
    return least + (most - least) * (sizes / sizes.min()) ** -power


class Scores(nn.Module):
    """Scores of classes for embeddings: cosines to centres times a scale, or, for softmax, a linear
    layer. With labels, the angle to the right class is enlarged by its margin.
    """

    def __init__(self, recipe: Recipe, class_sizes: Sequence[int]) -> None:
        super().__init__()
        self._shape = (len(class_sizes), recipe.centres if recipe.loss == "subcentre" else 1)
        self._angular = recipe.loss != "softmax"
        self._scale = recipe.scale
        number = self._shape[0] * self._shape[1]
        self.weight = nn.Parameter(torch.empty(number, recipe.embedding))
        nn.init.xavier_uniform_(self.weight)
        least = recipe.least_margin if recipe.loss == "subcentre" else recipe.margin
        by_size = margins(class_sizes, recipe.margin, least, recipe.margin_power)
        self.register_buffer("margins", by_size, persistent=False)

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return scores (n, classes) of embeddings (n, d), float32."""
        embeddings = embeddings.float()
        if not self._angular:
            return functional.linear(embeddings, self.weight)
        cosines = functional.linear(
            functional.normalize(embeddings), functional.normalize(self.weight)
        )
        cosines = cosines.unflatten(1, self._shape).amax(2)
        if labels is not None:
            right = cosines.gather(1, labels[:, None])
            cosines = cosines.scatter(1, labels[:, None], self._enlarged(right, labels))
        return self._scale * cosines

    def _enlarged(self, cosines: Tensor, labels: Tensor) -> Tensor:
        """Return cos(angle + margin); beyond the half circle it goes on falling, as a line."""
        margin = self.margins[labels][:, None]
        angles = torch.acos(cosines.clamp(-1 + _CLOSE, 1 - _CLOSE))
        beyond = cosines - margin * torch.sin(margin)
        return torch.where(angles + margin < torch.pi, torch.cos(angles + margin), beyond)


def loss_of(scores: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the mean cross-entropy of scores (n, classes)."""
    return functional.cross_entropy(scores, labels, label_smoothing=smoothing)
