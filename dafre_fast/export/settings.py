"""Settings of `export` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import ExcludeList, Group, MarkNames, OnlyList

Split = Literal["train", "val", "test"]


class ExportRun(Group, frozen=True):
    """Dataset, format and folder of the export."""

    format: Annotated[
        Literal["fiftyone", "coco", "imagefolder", "yolo"],
        Meta(description="imagefolder: a folder per class, as torchvision and Keras read it."),
    ]
    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    into: Annotated[
        Path | None, Meta(description="Folder of the export. Default: exports/FORMAT-IMAGES.")
    ] = None
    images: Annotated[
        str,
        Meta(
            description="Images to export: full, faces or another output by its name. coco and yolo"
            " take those that show whole pictures, which have boxes."
        ),
    ] = "full"
    split: Annotated[tuple[Split, ...], Meta(description="Splits to export. Default: all.")] = ()
    only: OnlyList = None
    exclude: ExcludeList = None
    mark: MarkNames = ()
    files: Annotated[
        Literal["copy", "link"],
        Meta(
            description="Copy images, or make hard links where possible: they take no room, but"
            " whoever edits one edits the dataset."
        ),
    ] = "copy"
