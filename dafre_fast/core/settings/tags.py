"""Settings of cleaning tags."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dafre_fast.core.settings.groups import Count, Group, Share


class TagSteps(Group, frozen=True):
    """Steps that filter posts and clean their tags; each can be switched on or off."""

    filter_flags: Annotated[
        bool, Meta(description="Leave out posts that are pending, flagged, deleted or banned.")
    ] = True
    filter_rating: Annotated[
        bool, Meta(description="Leave out posts that have none of --ratings.")
    ] = True
    ratings: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Ratings of posts to keep: s meant safe until 2021, g since.",
        ),
    ] = ("s", "g")
    filter_empty: Annotated[
        bool, Meta(description="Leave out posts that lack tags in any of the three categories.")
    ] = False
    labels_first: Annotated[
        bool, Meta(description="Count uses over the labelled images only, not over all posts.")
    ] = False
    remove_symbols: Annotated[
        bool, Meta(description="Write 1girl as 1 girl, punctuation as spaces.")
    ] = True
    remove_short: Annotated[bool, Meta(description="Remove tags shorter than --min-length.")] = True
    min_length: Annotated[Count, Meta(description="Least length of a tag, without spaces.")] = 3
    return_less_than: Annotated[
        bool, Meta(description="Keep only the tags shorter than --min-length.")
    ] = False
    remove_rare: Annotated[bool, Meta(description="Remove tags of fewer than --min-uses uses.")] = (
        True
    )
    min_uses: Annotated[Count, Meta(description="Fewest uses of a tag within its category.")] = 2
    remove_profanities: Annotated[
        bool, Meta(description="Remove general tags that contain one of --profanities.")
    ] = True
    profanities: Annotated[
        Path | None,
        Meta(description="Text file, a word per line. Default: a short built-in list."),
    ] = None
    fill_empty: Annotated[bool, Meta(description="Fill empty lists of tags with `unlabeled`.")] = (
        True
    )
    max_bad_records: Annotated[
        Share, Meta(description="Stop if more than this share of a file's records is bad.")
    ] = 0.01
