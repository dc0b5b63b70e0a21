"""Head boxes as shares of the full image, which may show less or more than the original."""

from collections.abc import Mapping

import polars as pl

from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Output

_SIDES = {
    "left": "original_width",
    "top": "original_height",
    "right": "original_width",
    "bottom": "original_height",
}


def shown_boxes(output: Output) -> Mapping[str, pl.Expr]:
    """Return the edges of the head box of a row of the manifest by their names, as shares of the
    width and height of an output that shows the whole picture, or, for `center_crop`, its middle.

    Edges that lie beyond the middle are below 0 or above 1; null if the original has no known size.
    """
    if output.resize_mode not in ("center_crop", "border"):
        return {edge: pl.col(edge) for edge in Box._fields}
    both = ("original_width", "original_height")
    crop = output.resize_mode == "center_crop"
    square = pl.min_horizontal(*both) if crop else pl.max_horizontal(*both)
    beside = {edge: (square - pl.col(side)) / 2 for edge, side in _SIDES.items()}
    return {
        edge: (pl.col(edge) * pl.col(side) + beside[edge]) / square for edge, side in _SIDES.items()
    }
