"""Ask for a crop of every head of heads.parquet, and find the originals of such crops.

The key of a crop is its path, `0446/332446_1.jpg`, as that of a file in a tree of originals.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.records import Box, Fetched, Sought
from dafre_fast.core.settings.images import HEAD_CROP
from dafre_fast.engine.plan import ask_catalogue
from dafre_fast.sources.interface import Planned, Take
from dafre_fast.sources.tree import Tree
from dafre_fast.tables.image_paths import image_paths


def ask_heads(heads: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Request a crop of each row (`tables.heads.read_heads`) as `{folder}/{bucket}/{id}_{n}.jpg`.
    The table returned has the columns of the rows, `path`, and those of `engine.plan`.
    """
    crop = pl.format("{}_{}.jpg", image_paths().str.strip_suffix(".jpg"), "n")
    rows = heads.select("id", "n", "tag_id", crop.alias("path"), *Box._fields, "score", "model")
    return ask_catalogue(rows, {HEAD_CROP: folder}).with_columns(key="path")


class OriginalsOfHeads:
    """Finds the originals of crops in a tree, the original of an image once for each of its heads.
    Implements `sources.interface.Source`.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        waiting = dict[int, Sought]()

        async def pass_on(image: Sought, fetched: Fetched) -> None:
            crop = waiting.pop(image.row)
            await take(crop, replace(fetched, key=crop.key))

        await self._tree.fetch(_images(sought, waiting), pass_on)

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        waiting = dict[int, Sought]()
        await self._tree.plan(
            _images(sought, waiting), lambda image, planned: take(waiting.pop(image.row), planned)
        )


def _images(crops: Iterable[Sought], waiting: dict[int, Sought]) -> Iterator[Sought]:
    """Yield what is sought for each crop: the original of its id. Keep the crop by its row."""
    for crop in crops:
        waiting[crop.row] = crop
        image = crop.key.rpartition("/")[2].partition("_")[0]
        yield replace(crop, key=image)
