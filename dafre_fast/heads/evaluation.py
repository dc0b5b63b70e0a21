"""Compare heads that were found with boxes that are known. Pure: tables in, tables out.

A box that was found matches a known one if they overlap by at least `OVERLAP` (intersection over
union). Boxes are matched one to one, the surest first, each with the best that is left: as in
PASCAL VOC (Everingham et al., 2010, section 4.2).
"""

from collections.abc import Sequence

import polars as pl

from dafre_fast.core.records import Box
from dafre_fast.core.summaries import Judged

OVERLAP = 0.5
THRESHOLDS = tuple(step / 20 for step in range(2, 20))
"""Scores at which detections are judged: 0.1 to 0.95."""


def judge(
    found: pl.DataFrame, known: pl.DataFrame, thresholds: Sequence[float] = THRESHOLDS
) -> list[Judged]:
    """Judge boxes that were found, at each threshold.

    `found` has a row per box: `id`, left, top, right, bottom (shares of the picture) and `score`;
    `known` the same without a score. Only images with a known box are judged.
    """
    boxes = found.join(known.select("id").unique(), on="id", how="semi")
    matches = match(boxes, known)
    images = known.group_by("id").agg(known=pl.len())
    return [_at(threshold, boxes, matches, images, known.height) for threshold in thresholds]


def _at(
    threshold: float, boxes: pl.DataFrame, matches: pl.DataFrame, images: pl.DataFrame, known: int
) -> Judged:
    sure = pl.col("score") >= threshold
    kept, matched = boxes.filter(sure), matches.filter(sure)
    counts = images.join(kept.group_by("id").agg(found=pl.len()), on="id", how="left")
    same = counts.select(pl.col("found").fill_null(0) == pl.col("known")).to_series()
    return Judged(
        threshold=threshold,
        known=known,
        found=kept.height,
        matched=matched.height,
        recall=matched.height / known if known else 0.0,
        precision=matched.height / kept.height if kept.height else 0.0,
        overlap=float(matched["overlap"].sum()) / matched.height if matched.height else 0.0,
        counted=float(same.sum()) / same.len() if same.len() else 0.0,
    )


def match(found: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Match boxes one to one; columns are as in `judge`. Returns `id`, `score` and `overlap` of
    each match.
    """
    pairs = (
        found.with_row_index("one")
        .join(known.with_row_index("other"), on="id", suffix="_known")
        .with_columns(overlap=_overlap())
        .filter(pl.col("overlap") >= OVERLAP)
        .sort("score", "overlap", "one", "other", descending=[True, True, False, False])
    )
    matched = [pairs.clear()]
    while pairs.height:  # a pair that is the first of both its boxes is a match
        first = pl.col("one").is_first_distinct() & pl.col("other").is_first_distinct()
        chosen = pairs.filter(first)
        matched.append(chosen)
        left = pairs.join(chosen.select("one"), on="one", how="anti", maintain_order="left")
        pairs = left.join(chosen.select("other"), on="other", how="anti", maintain_order="left")
    return pl.concat(matched).select("id", "score", "overlap")


def _overlap() -> pl.Expr:
    """Return intersection over union of the boxes of a row."""
    left, top, right, bottom = map(pl.col, Box._fields)
    left2, top2, right2, bottom2 = (pl.col(f"{edge}_known") for edge in Box._fields)
    width = (pl.min_horizontal(right, right2) - pl.max_horizontal(left, left2)).clip(0)
    height = (pl.min_horizontal(bottom, bottom2) - pl.max_horizontal(top, top2)).clip(0)
    both = width * height
    union = (right - left) * (bottom - top) + (right2 - left2) * (bottom2 - top2) - both
    return pl.when(union > 0).then(both / union).otherwise(0.0)
