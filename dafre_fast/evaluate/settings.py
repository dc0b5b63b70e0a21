"""Settings of `evaluate` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, ExcludeList, Group, MarkNames, OnlyList


class EvaluateRun(Group, frozen=True):
    """Model, dataset and split."""

    model: Annotated[Path, Meta(description="Folder of the model, as `train` leaves it.")]
    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    split: Annotated[
        str,
        Meta(
            description="Images that are judged: train, val, test, or a file of ids, one per line,"
            " plain or compressed."
        ),
    ] = "test"
    only: OnlyList = None
    exclude: ExcludeList = None
    mark: MarkNames = ()
    into: Annotated[
        Path | None,
        Meta(
            description="Folder of the page. Default: evaluation/SPLIT in that of the model, with"
            " the names of another dataset before it and of lists behind it."
        ),
    ] = None
    trained_on: Annotated[
        bool, Meta(description="Judge images that the model was trained on, or refuse them.")
    ] = False
    batch_size: Annotated[Count, Meta(description="Images that are judged at once.")] = 64
