"""Settings of `report` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Group
from dafre_fast.gallery.settings import GalleryRun

_GALLERY = GalleryRun()


class Presenting(Group, frozen=True):
    """Title and text of the report, and the gallery that it links to."""

    title: Annotated[
        str | None, Meta(description="Name of the dataset. Default: that of its folder.")
    ] = None
    description: Annotated[
        str, Meta(description="What the dataset is, in a sentence or a few.")
    ] = ""
    gallery: Annotated[
        str,
        Meta(
            description="Address of the gallery that classes, tags, sheets and refusals link to;"
            " '' for no links. It may be relative to the page, such as ../"
        ),
    ] = f"http://{_GALLERY.host}:{_GALLERY.port}/"


class ReportRun(Presenting, frozen=True):
    """Dataset of the report, its words, and how much of it is shown."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    into: Annotated[
        Path | None, Meta(description="Folder of the report. Default: report in the dataset.")
    ] = None
    audit: Annotated[
        Path | None,
        Meta(description="Folder of an audit to show. Default: audit in the dataset."),
    ] = None
    seed: Annotated[
        int, Meta(ge=0, le=2**32 - 1, description="Seed that decides which images are shown.")
    ] = 1
    sheet: Annotated[int, Meta(ge=1, le=400, description="Most images on a contact sheet.")] = 50
    labelled: Annotated[
        int,
        Meta(
            ge=0, le=100, description="Images of each sheet that are also shown with their labels."
        ),
    ] = 20
    classes: Annotated[int, Meta(ge=1, le=200, description="Classes listed, largest first.")] = 24
    examples: Annotated[
        int, Meta(ge=0, le=20, description="Examples shown for each refusal reason.")
    ] = 3
    pairs: Annotated[
        int, Meta(ge=0, le=200, description="Pairs of duplicates shown, if an audit found some.")
    ] = 12
