"""Write a model as ONNX, for any runtime."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dafre_fast.core.atomic import replacing
from dafre_fast.learning.networks import Recogniser
from dafre_fast.learning.recipes import Recipe

NAME = "model.onnx"
_OPSET = 17


class _Exported(nn.Module):
    """Pictures in, probabilities and embeddings out."""

    def __init__(self, model: Recogniser) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        embeddings = self.model.embed(pictures)
        return self.model.scores(embeddings).softmax(1), embeddings


def export(model: Recogniser, recipe: Recipe, views: Sequence[str], run: Path) -> Path:
    """Write a model into a folder, and return the path.

    Input `pictures`: float32 (n, views, 3, side, side), RGB from 0 to 1. Outputs `probabilities`
    (n, classes) and `embeddings` (n, embedding). Raises OutputError.
    """
    before = next(model.parameters()).device
    pictures = torch.zeros(2, len(views), 3, recipe.side, recipe.side)
    names = ("pictures", "probabilities", "embeddings")
    with replacing(run / NAME) as part, warnings.catch_warnings():
        # The newer exporter needs further packages; this one is kept for such plain networks.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _Exported(model.eval().cpu()),
            (pictures,),
            part,
            dynamo=False,
            opset_version=_OPSET,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "images"} for name in names},
        )
    model.to(before)
    return run / NAME
