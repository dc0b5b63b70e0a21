"""Settings of `stats` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group
from dafre_fast.core.settings.tables import Tolerance


class StatsRun(Tolerance, frozen=True, kw_only=True):
    """Inputs and output of the statistics."""

    input: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Tables of tags (CSV, Parquet), or metadata (as `tags` reads it).",
        ),
    ]
    output: Annotated[Path, Meta(description="Folder of the statistics.")] = Path("stats")
    funnel: Annotated[
        tuple[Path, ...],
        Meta(
            description="Funnels to plot. Default: funnel.json, tags_funnel.json next to the input."
        ),
    ] = ()


class Plotting(Group, frozen=True):
    """Statistics and their plots."""

    title: Annotated[
        str | None,
        Meta(description="Name of the dataset in text and plots. Default: name of the input."),
    ] = None
    top_k: Annotated[Count, Meta(description="How many of the most used tags to list.")] = 1000
    words: Annotated[bool, Meta(description="Count the words in general tags, too.")] = True
    plots: Annotated[bool, Meta(description="Draw plots.")] = True
    format: Annotated[
        Literal["png", "pdf", "svg"], Meta(description="File format of the plots.")
    ] = "png"
