"""Settings of the cleaning of tags."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group, Share


class TagSteps(Group, frozen=True):
    """What is done to posts and their tags; each step can be switched off (or on)."""

    filter_flags: Annotated[
        bool, Meta(description="Leave out posts that are pending, flagged, deleted or banned.")
    ] = True
    filter_rating: Annotated[bool, Meta(description="Leave out posts of other --ratings.")] = True
    ratings: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Ratings of posts to keep: s was safe; since 2021 g is."),
    ] = ("s", "g")
    filter_empty: Annotated[
        bool, Meta(description="Leave out posts without a tag in one of the three categories.")
    ] = False
    labels_first: Annotated[
        bool, Meta(description="Count uses over the images of the labels, not over all posts.")
    ] = False
    remove_symbols: Annotated[bool, Meta(description="1girl to 1 girl, punctuation to spaces.")] = (
        True
    )
    remove_short: Annotated[bool, Meta(description="Remove tags shorter than --min-length.")] = True
    min_length: Annotated[Count, Meta(description="Least characters, spaces not counted.")] = 3
    return_less_than: Annotated[
        bool, Meta(description="The inverse: keep only tags shorter than --min-length.")
    ] = False
    remove_rare: Annotated[bool, Meta(description="Remove tags of fewer than --min-uses.")] = True
    min_uses: Annotated[Count, Meta(description="Least uses of a tag in its category.")] = 2
    remove_profanities: Annotated[
        bool, Meta(description="Remove tags of category 0 that contain one of --profanities.")
    ] = True
    profanities: Annotated[
        Path | None, Meta(description="Text file with one per line. Default: a short list of ours.")
    ] = None
    fill_empty: Annotated[bool, Meta(description="Fill empty lists with `unlabeled`.")] = True
    max_bad_records: Annotated[
        Share, Meta(description="Share of bad records of a file above which the run stops.")
    ] = 0.01
