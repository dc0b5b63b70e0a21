"""Settings of `merge` alone."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import STORES, Group


class MergeRun(Group, frozen=True):
    """Output of the parts."""

    output: Annotated[
        Path,
        Meta(
            description="The --output of the parts: a dataset, or a folder of images; or their"
            " --into, s3://BUCKET/PREFIX.",
            extra=STORES,
        ),
    ] = Path("dataset")
