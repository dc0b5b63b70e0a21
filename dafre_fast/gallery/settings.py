"""Settings of `gallery` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import STORES, Group


class GalleryRun(Group, frozen=True):
    """Dataset and address of the gallery."""

    output: Annotated[
        Path, Meta(description="Folder of the dataset, or s3://BUCKET/PREFIX.", extra=STORES)
    ] = Path("dataset")
    host: Annotated[
        str, Meta(min_length=1, description="Name or IP address to serve the gallery at.")
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65_535, description="Port to serve the gallery at; 0 picks a free one.")
    ] = 8000
    prefix: Annotated[
        str,
        Meta(description="Path of the gallery behind a reverse proxy, such as /photos."),
    ] = ""
    allow_host: Annotated[
        tuple[str, ...],
        Meta(description="Further names under which browsers ask for it, such as a proxy's."),
    ] = ()
    model: Annotated[
        Path | None,
        Meta(
            description="Folder of a model of `train`: shows what `evaluate` left there, and names"
            " pictures that are uploaded."
        ),
    ] = None
    reviewer: Annotated[
        str | None, Meta(description="Name of who reviews images. Default: asked in the page.")
    ] = None
    reviews: Annotated[
        tuple[Path, ...],
        Meta(description="Marks files (marks.jsonl) of others, whose verdicts count, too."),
    ] = ()
    allow_others: Annotated[
        bool,
        Meta(
            description="People at other machines may mark and review images and upload pictures,"
            " too."
        ),
    ] = False
    index: Annotated[
        Path | None,
        Meta(description="Folder of the index. Default: .dafre_fast/gallery in the dataset."),
    ] = None
