"""The `tags` command: make tables of tags from metadata, in the steps that `tags.steps` lists."""

from collections.abc import Sequence
from itertools import accumulate
from operator import and_
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.atomic import scratch
from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_RECORDS, TAGS_FUNNEL
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import FILLED, TagCount, TagsSummary, TagStep
from dafre_fast.dataset.manifest import read_ids
from dafre_fast.engine.apart import refuse_tables
from dafre_fast.tables.bad_rows import write_bad_rows
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.image_paths import image_paths
from dafre_fast.tables.labels import Split, read_splits
from dafre_fast.tables.posts import read_posts
from dafre_fast.tags import steps as step
from dafre_fast.tags.profanities import read_profanities
from dafre_fast.tags.settings import TagsRun
from dafre_fast.tags.vocabulary import Tags, count, read_vocabulary
from dafre_fast.tags.writing import (
    count_numbers,
    write_tag_table,
    write_untagged,
    write_vocabulary,
)

VOCABULARY, UNTAGGED, ALL = "vocab.json", "untagged.csv", "tags"
NOT_THERE = "not_in_metadata"


class _Filter(NamedTuple):
    """A condition on posts: the name of the step, and the reason noted for a post it leaves out."""

    name: str
    reason: str
    keeps: pl.Expr


class _Step(NamedTuple):
    """A change of tags: the name of the step, and the new tag (null to remove it)."""

    name: str
    tag: pl.Expr


class _Kept(NamedTuple):
    """The posts that are kept (`id`, and per category a list of numbers in `tags`), and the steps
    of the funnel so far.
    """

    posts: pl.LazyFrame
    tags: Tags
    funnel: list[TagStep]


def tags(run: TagsRun, steps: TagSteps, tell: Tell = silent) -> TagsSummary:
    """Read metadata, choose posts, clean their tags, and write tables, vocabulary and funnel.

    Raises UsageError for steps that contradict each other or lack an input, InputError for a file
    that cannot be read or if no post is left, and OutputError if a file cannot be written.
    """
    refuse_tables(run.metadata, run.output)
    tell(Doing("reading metadata"))
    splits = read_splits(run.labels, steps.max_bad_records)
    labels = pl.concat(split.images for split in splits) if splits else None
    filters, changes = _filters(run, steps, labels), _changes(steps)
    with scratch(run.output, "posts") as folder:
        posts = read_posts(run.metadata, folder, steps.max_bad_records)
        all_bad = pl.concat([posts.bad_rows, *(split.bad_rows for split in splits)])
        bad_rows = write_bad_rows(all_bad, run.output / BAD_RECORDS)
        tell(Doing("cleaning tags"))
        judged = posts.rows.with_columns(passed=_passed(filters))
        vocabulary = read_vocabulary(judged, posts.names, by="passed")
        kept = _clean(judged, vocabulary, filters, changes)
        if steps.fill_empty:
            kept = _fill(kept)
        tell(Doing("writing tables of tags"))
        if splits:
            summary = _write_splits(kept, splits, _reasons(judged, filters), run.output)
        else:
            summary = _write_all(kept, run.output)
    write_funnel(summary.steps, run.output / TAGS_FUNNEL)
    return bad_rows.added_to(summary)


def _filters(run: TagsRun, steps: TagSteps, labels: pl.DataFrame | None) -> list[_Filter]:
    """Return the filters of step 3, in order."""
    found = []
    if steps.filter_flags:
        name = "not pending, flagged, deleted or banned"
        found.append(_Filter(name, "flagged", step.unflagged()))
    if steps.filter_rating:
        name = f"rated {' or '.join(steps.ratings)}"
        found.append(_Filter(name, "rating", step.rated(steps.ratings)))
    for wanted, reason, opened in (
        (run.filter_exist, "no_original", False),
        (run.filter_opened, "not_opened", True),
    ):
        if wanted:
            if run.manifest is None:
                raise UsageError("--filter-exist and --filter-opened need --manifest")
            name = "opened as RGB" if opened else "original exists"
            found.append(_Filter(name, reason, step.among(read_ids(run.manifest, opened=opened))))
    if steps.filter_empty:
        found.append(_Filter("tags in every category", "empty_category", step.fully_tagged()))
    if steps.labels_first:
        if labels is None:
            raise UsageError("--labels-first needs --labels")
        found.append(_Filter("images of the labels", "not_labelled", step.among(labels["id"])))
    return found


def _changes(steps: TagSteps) -> list[_Step]:
    """Return the changes of steps 4 to 6, in order."""
    if steps.return_less_than and not steps.remove_short:
        raise UsageError("--return-less-than inverts --remove-short, which must be on")
    found = []
    if steps.remove_symbols:
        found.append(_Step("symbols removed", step.without_symbols()))
    if steps.return_less_than:
        name = f"fewer than {steps.min_length} characters"
        found.append(_Step(name, step.too_short(steps.min_length)))
    elif steps.remove_short:
        name = f"{steps.min_length} characters or more"
        found.append(_Step(name, step.long_enough(steps.min_length)))
    if steps.remove_rare:
        found.append(_Step(f"{steps.min_uses} uses or more", step.used(steps.min_uses)))
    if steps.remove_profanities:
        found.append(_Step("no profanities", step.clean(read_profanities(steps.profanities))))
    return found


def _passed(filters: Sequence[_Filter]) -> pl.Expr:
    """Return the number of filters that a post passes before the first it fails (uint8)."""
    so_far = accumulate((one.keeps for one in filters), and_)
    return pl.sum_horizontal(pl.lit(0), *so_far).cast(pl.UInt8)


def _clean(
    judged: pl.LazyFrame,
    vocabulary: pl.DataFrame,
    filters: Sequence[_Filter],
    changes: Sequence[_Step],
) -> _Kept:
    """Apply the filters (step 3) and changes (steps 4 to 6), counting what each leaves."""
    funnel = []
    images = judged.group_by("passed").agg(images=pl.len()).collect(engine="streaming")
    for passed, name in enumerate(["records", *(one.name for one in filters)]):
        so_far = pl.col("passed") >= passed
        left = count(vocabulary.lazy().filter(so_far))
        funnel.append(TagStep(name, int(images.filter(so_far)["images"].sum()), left))
    if not funnel[-1].images:
        losses = ", ".join(f"{one.name} ({one.images:,})" for one in funnel)
        raise InputError(f"nothing is left of the metadata after these steps: {losses}")
    of_kept = pl.col("passed") == len(filters)
    vocabulary = vocabulary.filter(of_kept)
    for name, change in changes:
        vocabulary = vocabulary.with_columns(change)
        funnel.append(TagStep(name, funnel[-1].images, count(vocabulary.lazy())))
    left_tags = Tags(vocabulary)
    renumbered = (left_tags.renumbered(category) for category in CATEGORIES)
    return _Kept(judged.filter(of_kept).select("id", *renumbered), left_tags, funnel)


def _fill(kept: _Kept) -> _Kept:
    """Put one tag into every empty list (step 7)."""
    posts, left, funnel = kept
    empty = posts.select(
        pl.len().alias("images"),
        *((pl.col(column(category)).list.len() == 0).sum() for category in CATEGORIES),
    ).collect(engine="streaming")
    counts = {
        category: left.with_unlabeled(category, before, empty[column(category)].item())
        for category, before in funnel[-1].categories.items()
    }
    filled = TagStep(FILLED, funnel[-1].images, counts)
    lists = (step.filled(category, left.unlabeled) for category in CATEGORIES)
    return _Kept(posts.with_columns(*lists), left, [*funnel, filled])


def _write_all(kept: _Kept, output: Path) -> TagsSummary:
    rows = kept.posts.select("id", image_paths().alias("dir"), pl.exclude("id"))
    write_tag_table(rows, kept.tags.names, output / ALL)
    write_vocabulary(count_numbers(rows, 0), kept.tags.names, output / VOCABULARY)
    images = kept.funnel[-1].images
    return TagsSummary(images, images, {}, kept.funnel)


def _reasons(judged: pl.LazyFrame, filters: Sequence[_Filter]) -> pl.LazyFrame:
    """Return `id` and `reason`: why a post is not kept, null if it is."""
    reasons = [one.reason for one in filters]
    reason = pl.col("passed").replace_strict(
        [*range(len(reasons))], reasons, default=None, return_dtype=pl.String
    )
    return judged.select("id", reason=reason)


def _write_splits(
    kept: _Kept, splits: Sequence[Split], reasons: pl.LazyFrame, output: Path
) -> TagsSummary:
    """Write the images of each split in the order of its label file (step 8)."""
    labels = pl.concat(
        split.images.select(pl.lit(split.name).alias("split"), "id", "dir", "class_id")
        for split in splits
    )
    posts = kept.posts.filter(step.among(labels["id"])).collect(engine="streaming")
    rows = labels.lazy().join(posts.lazy(), on="id", maintain_order="left")
    for split in splits:
        of_split = rows.filter(split=split.name).drop("split")
        write_tag_table(of_split, kept.tags.names, output / f"{split.name}_tags")
    counts = {category: count_numbers(rows, category) for category in CATEGORIES}
    write_vocabulary(counts[0], kept.tags.names, output / VOCABULARY)
    untagged = _untagged(labels, posts, reasons)
    write_untagged(untagged, output / UNTAGGED)
    tagged = labels.height - untagged.height
    of_labels = {
        category: TagCount(one.height, int(one["uses"].sum())) for category, one in counts.items()
    }
    funnel = [*kept.funnel, TagStep("images of the labels", tagged, of_labels)]
    by_reason = dict(untagged["reason"].value_counts(sort=True).iter_rows())
    return TagsSummary(labels.height, tagged, by_reason, funnel)


def _untagged(labels: pl.DataFrame, posts: pl.DataFrame, reasons: pl.LazyFrame) -> pl.DataFrame:
    """Return the labelled images without a post among those kept, with the reason."""
    return (
        labels.lazy()
        .join(posts.lazy(), on="id", how="anti", maintain_order="left")
        .join(reasons, on="id", how="left", maintain_order="left")
        .with_columns(reason=pl.col("reason").fill_null(NOT_THERE))
        .collect(engine="streaming")
    )
