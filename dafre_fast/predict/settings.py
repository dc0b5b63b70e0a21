"""Settings of `predict` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group


class PredictRun(Group, frozen=True):
    """Model and pictures."""

    model: Annotated[Path, Meta(description="Folder of the model, as `train` leaves it.")]
    pictures: Annotated[
        tuple[str, ...], Meta(description="Files, folders or URLs; the words without a flag.")
    ] = ()
    names: Annotated[Count, Meta(description="Likeliest names given for each.")] = 5
    export: Annotated[
        Literal["onnx"] | None, Meta(description="Write the model in another format.")
    ] = None
