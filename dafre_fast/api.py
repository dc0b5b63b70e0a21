"""From Python, what people do in code: `import dafre_fast as df`, then `df.resize_image(…)`.

Settings are those of the commands, by the same names: `df.resize_image(data, size=128)`. All
raise the exceptions of `core.errors`, each with one line that says what is wrong.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import polars as pl

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.records import Box, Image
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.images import (
    FULL_IMAGE,
    HEAD_CROP,
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    Recipe,
)
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection

File = str | PathLike[str]
G = TypeVar("G", bound=Group)


def read_catalogue(faces: File, tag_ids: File | None = None, **settings: Any) -> pl.LazyFrame:
    """The rows of faces.tsv that make a dataset, with class and split, as the commands have them:
    id int64, path, tag_id, class_id int64, class_name, split, left, top, right, bottom, confidence
    float32 (`tables.catalogue.Catalogue.kept`). Settings: those of `Selection`.
    """
    from dafre_fast.tables.catalogue import read_catalogue as read

    (selection,) = _groups(settings, Selection)
    return read(Path(faces), Path(tag_ids) if tag_ids else None, selection).kept.lazy()


def resize_image(data: bytes, **settings: Any) -> Image:
    """The full image of an original, in memory: a JPEG (`.data`) and its `.width` and `.height` in
    pixels. Settings: those of `FullImage`, `Encoding` and `Bounds`. Raises Refusal with its
    `reason` where the original cannot be read.
    """
    from dafre_fast.pixels import making

    full, encoding, bounds = _groups(settings, FullImage, Encoding, Bounds)
    recipe = Recipe(full=full, encoding=encoding, bounds=bounds)
    return making.make_images(data, recipe, [FULL_IMAGE.name])[FULL_IMAGE.name]


def crop_head(data: bytes, box: tuple[float, float, float, float], **settings: Any) -> Image:
    """The crop of a box (left, top, right, bottom as shares of the oriented picture), as
    `resize_image` gives a full image. Settings: those of `FaceImage`, `Encoding` and `Bounds`.
    Raises Refusal likewise, also where the box is none.
    """
    from dafre_fast.pixels import making

    face, encoding, bounds = _groups(settings, FaceImage, Encoding, Bounds)
    recipe = Recipe(face=face, encoding=encoding, bounds=bounds)
    made = making.make_images(data, recipe, [HEAD_CROP.name], box=Box(*box))
    if made.refused:
        raise made.refused
    return made[HEAD_CROP.name]


def make_images(
    table: pl.DataFrame | pl.LazyFrame, source: File, output: File, **settings: Any
) -> pl.DataFrame:
    """Run the engine on a table of one's own: a row per image with its `id` (whole numbers, each
    once), and for crops of heads left, top, right and bottom; further columns go along. What is
    made lies in `output` as `full` would leave it; returns the manifest, a row per row.

    Goes on where it was stopped. Workers are processes that import the calling script: it needs
    `if __name__ == "__main__":`. Settings: those of `Fetching`, `FullImage`, `FaceImage`,
    `Encoding`, `Bounds` and `Running`.
    """
    from dafre_fast.engine.images import make_table

    rows = _checked(table.lazy().collect())
    groups = _groups(settings, Fetching, FullImage, FaceImage, Encoding, Bounds, Running)
    fetching, full, face, encoding, bounds, running = groups
    recipe = Recipe(full=full, face=face, encoding=encoding, bounds=bounds)
    return make_table(rows, str(source), Path(output), fetching, recipe, running)


def open_dataset(folder: File) -> pl.LazyFrame:
    """A finished dataset as one table: its manifest, and tags_cat0, tags_cat3 and tags_cat4 as
    lists (`dataset.reading.open_dataset`). Paths of images are `folder / "fullMin256" / path`.
    """
    from dafre_fast.dataset.reading import open_dataset as open_

    return open_(Path(folder))


def _checked(table: pl.DataFrame) -> pl.DataFrame:
    if "id" not in table.columns or not table.schema["id"].is_integer():
        raise InputError("the table needs a column id of whole numbers")
    ids = table["id"]
    if ids.null_count() or (ids < 0).any() or ids.is_duplicated().any():
        raise InputError("the ids of the table must be 0 or more, and each there once")
    edges = [edge for edge in Box._fields if edge in table.columns]
    if 0 < len(edges) < len(Box._fields):
        raise InputError(f"the table has {', '.join(edges)}, but not all of a box")
    return table.cast({"id": pl.Int64, **dict.fromkeys(edges, pl.Float32)})


def _groups(settings: Mapping[str, object], *groups: type[Group]) -> list[Any]:
    """One of each group, of the settings that are its own. Raises UsageError for what none has, or
    what is out of bounds.
    """
    fields = [{*group.__struct_fields__} for group in groups]
    if unknown := sorted(settings.keys() - set[str]().union(*fields)):
        raise UsageError(f"there is no setting {', '.join(unknown)}")
    return [
        _group(group, {name: settings[name] for name in own & settings.keys()})
        for group, own in zip(groups, fields, strict=True)
    ]


def _group(group: type[G], own: Mapping[str, object]) -> G:
    try:
        return msgspec.convert(own, group, dec_hook=lambda kind, value: kind(value))
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"{error}, of {own}") from error
