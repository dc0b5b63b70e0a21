"""Write faces.tsv and tagIds.tsv in the form of the published files."""

from pathlib import Path

import polars as pl

from dafre_fast.core.atomic import replacing
from dafre_fast.core.layout import bucket
from dafre_fast.core.records import Box
from dafre_fast.tables.heads import is_sure


def single_heads(heads: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Return the boxes of images of one character with exactly one of at least this score; columns
    are `tables.heads.BOXES`.
    """
    single = heads.filter(is_sure(threshold)).filter(pl.len().over("id") == 1)
    return single.filter(pl.col("tag_id").is_not_null())


def write_faces(rows: pl.DataFrame, path: Path) -> None:
    r"""Write `0446\332446.jpg<TAB>tag id<TAB>left, top, right, bottom score`, six decimals each.

    Columns of `rows` are `tables.heads.BOXES`. Raises OutputError if the file cannot be written.
    """
    columns = rows.select("id", "tag_id", *Box._fields, "score").iter_rows()
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(
            f"{bucket(image)}\\{image}.jpg\t{tag}\t"
            f"{left:.6f}, {top:.6f}, {right:.6f}, {bottom:.6f} {score:.6f}\n"
            for image, tag, left, top, right, bottom, score in columns
        )


def write_tag_ids(tags: pl.DataFrame, path: Path) -> None:
    """Write a name and a tag id per line, from columns `class_name` and `tag_id`.

    Raises OutputError if the file cannot be written.
    """
    names = tags.select("class_name", "tag_id")
    with replacing(path) as part:
        names.write_csv(part, include_header=False, separator="\t", quote_style="never")
