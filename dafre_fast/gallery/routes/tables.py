"""Tables that are exported: rows of images, as CSV, Parquet or a list of their ids."""

import io

import polars as pl
from aiohttp import web

from dafre_fast.gallery.index import Index

KINDS = "csv|parquet|txt"
_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "txt": "text/plain"}


def described(index: Index, rows: pl.DataFrame) -> pl.DataFrame:
    """Add class, split and path to rows with an `id`."""
    known = index.rows.select("id", "class_name", "split", "path").unique("id")
    return rows.lazy().join(known, on="id", how="left", maintain_order="left").collect()


def table_file(table: pl.DataFrame, name: str, kind: str) -> web.Response:
    """Return a table as a file to keep: `csv`, `parquet`, or its ids as `txt`."""
    file = io.BytesIO()
    if kind == "parquet":
        table.write_parquet(file)
    elif kind == "csv":
        table.write_csv(file)
    else:
        ids = table["id"].unique(maintain_order=True).to_list()
        file.write("".join(f"{one}\n" for one in ids).encode())
    answer = web.Response(body=file.getvalue(), content_type=_TYPES[kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return answer


def is_id(text: str) -> bool:
    """Return whether a text is the id of an image."""
    return text.isascii() and text.isdigit() and len(text) <= 18
