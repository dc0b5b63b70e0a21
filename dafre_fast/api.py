"""The Python functions of the package: `import dafre_fast as df`, then `df.resize_image(…)`.

Keyword arguments have the names, bounds and defaults of the commands' settings (a test compares
them). The exceptions are those of `core.errors`; the message of each is one line.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Tell, silent
from dafre_fast.core.records import Box, Image
from dafre_fast.core.settings.build import build
from dafre_fast.core.settings.fetching import Fetching, Keeping
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.images import (
    FULL_IMAGE,
    HEAD_CROP,
    Bounds,
    EncodeFormat,
    Encoding,
    FaceImage,
    FullImage,
    Recipe,
    ResizeMode,
)
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection

File = str | PathLike[str]
"""The path of a file or folder."""
G = TypeVar("G", bound=Group)


def read_catalogue(
    faces: File,
    tag_ids: File | None = None,
    *,
    max_bad_rows: float = 0.01,
    min_confidence: float = 0.85,
    min_images: int | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> pl.LazyFrame:
    """Return the rows of faces.tsv that make a dataset, with class and split.

    Args:
        faces: faces.tsv: path, tag id and head box of each row.
        tag_ids: tagIds.tsv: the name of each tag id. Without it class names are null.
        max_bad_rows: The share of malformed rows of a table above which it is refused.
        min_confidence: The least confidence of a head.
        min_images: The least number of images of a class; None for 20.
        limit: Take the first so many rows; class ids and splits are those of all.
        sample: Take so many rows at random, the same ones for the same seed.
        seed: The seed of `sample`.

    Returns:
        One row per image, class by class: id int64, path (`0446/332446.jpg`), tag_id int64,
        class_id int64 (from 0), class_name, split (train, val, test), and float32 columns left,
        top, right, bottom (shares of width and height of the upright image) and confidence.

    Raises:
        InputError: A table cannot be read, has too many malformed rows, or no row is left.
        UsageError: A setting is out of its bounds.

    Example:
        >>> df.read_catalogue("faces.tsv", "tagIds.tsv", min_images=30).collect()
    """
    given = locals()
    from dafre_fast.tables.catalogue import read_catalogue as read

    selection = _group(Selection, given)
    return read(Path(faces), Path(tag_ids) if tag_ids else None, selection).kept.lazy()


def resize_image(
    data: bytes,
    *,
    size: int = 256,
    exact: bool = False,
    resize_mode: ResizeMode = "keep_ratio",
    quality: int = 90,
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0",
    encode_format: EncodeFormat = "jpg",
    truncated: Literal["refuse", "keep"] = "refuse",
    max_bytes: int = 500_000_000,
    max_pixels: int = 300_000_000,
    max_scans: int = 200,
    max_frames: int = 10_000,
    worker_memory: int = 1_000_000_000,
) -> Image:
    """Return the full image of an original: upright, resized, encoded.

    Args:
        data: The bytes of the original: JPEG, PNG, GIF, WebP, TIFF, AVIF or BMP, and HEIC with
            the extra `heic`.
        size: The short side of the full image, in pixels; a smaller original is enlarged.
        exact: Take no shortcut while resizing but to decode a JPEG at no less than twice `size`.
        resize_mode: `keep_ratio`: the short side gets `size` pixels, or with `keep_ratio_largest`
            the long one; `center_crop`: the middle square; `border`: the picture within a square of
            white; `no`: the size of the original.
        quality: The quality of JPEG and WebP, 1 to 100.
        subsampling: The chroma subsampling of a JPEG.
        encode_format: The format of the image made: jpg, webp or png.
        truncated: For a JPEG or PNG that breaks off: refuse it, or keep what is there, on white.
        max_bytes: The largest original, in bytes.
        max_pixels: The largest original or output, in pixels.
        max_scans: The most scans of a progressive JPEG.
        max_frames: The most frames of an animation, of which the first is taken.
        worker_memory: Bounds the memory of worker processes; without effect here.

    Returns:
        An image in RGB: `data` (bytes), `width` and `height` (pixels).

    Raises:
        Refusal: The image cannot be made; `reason` says why.
        UsageError: A setting is out of its bounds.

    Example:
        >>> df.resize_image(Path("5.png").read_bytes(), size=128).width
        128
    """
    given = locals()
    from dafre_fast.pixels import making

    full, encoding = _group(FullImage, given), _group(Encoding, given)
    recipe = Recipe(full=full, encoding=encoding, bounds=_group(Bounds, given))
    return making.make_images(data, recipe, [FULL_IMAGE.name])[FULL_IMAGE.name]


def crop_head(
    data: bytes,
    box: tuple[float, float, float, float],
    *,
    face_margin: float = 0.0,
    face_size: int | None = None,
    quality: int = 90,
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0",
    encode_format: EncodeFormat = "jpg",
    truncated: Literal["refuse", "keep"] = "refuse",
    max_bytes: int = 500_000_000,
    max_pixels: int = 300_000_000,
    max_scans: int = 200,
    max_frames: int = 10_000,
    worker_memory: int = 1_000_000_000,
) -> Image:
    """Return the head crop of an original, encoded.

    Args:
        data: The bytes of the original: JPEG, PNG, GIF, WebP, TIFF, AVIF or BMP, and HEIC with
            the extra `heic`.
        box: The head: left, top, right, bottom, as shares (0 to 1) of the width and height of the
            upright image.
        face_margin: Added on each side, as a share of the box's width and height.
        face_size: The largest short side of the crop, in pixels; None keeps the original's scale.
            A smaller crop is not enlarged.
        quality: The quality of JPEG and WebP, 1 to 100.
        subsampling: The chroma subsampling of a JPEG.
        encode_format: The format of the image made: jpg, webp or png.
        truncated: For a JPEG or PNG that breaks off: refuse it, or keep what is there, on white.
        max_bytes: The largest original, in bytes.
        max_pixels: The largest original or output, in pixels.
        max_scans: The most scans of a progressive JPEG.
        max_frames: The most frames of an animation, of which the first is taken.
        worker_memory: Bounds the memory of worker processes; without effect here.

    Returns:
        An image in RGB: `data` (bytes), `width` and `height` (pixels).

    Raises:
        Refusal: The crop cannot be made; `reason` says why (`bad_box` and `empty_box` among them).
        UsageError: A setting is out of its bounds.

    Example:
        >>> df.crop_head(Path("5.png").read_bytes(), (0.2, 0.1, 0.6, 0.5), face_margin=0.1)
    """
    given = locals()
    from dafre_fast.pixels import making

    face, encoding = _group(FaceImage, given), _group(Encoding, given)
    recipe = Recipe(face=face, encoding=encoding, bounds=_group(Bounds, given))
    made = making.make_images(data, recipe, [HEAD_CROP.name], box=Box(*box))
    if made.refused:
        raise made.refused
    return made[HEAD_CROP.name]


def make_images(
    table: pl.DataFrame | pl.LazyFrame,
    source: File,
    output: File,
    *,
    progress: bool = False,
    # what is made
    size: int = 256,
    exact: bool = False,
    resize_mode: ResizeMode = "keep_ratio",
    face_margin: float = 0.0,
    face_size: int | None = None,
    quality: int = 90,
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0",
    encode_format: EncodeFormat = "jpg",
    # what is refused
    truncated: Literal["refuse", "keep"] = "refuse",
    max_bytes: int = 500_000_000,
    max_pixels: int = 300_000_000,
    max_scans: int = 200,
    max_frames: int = 10_000,
    worker_memory: int = 1_000_000_000,
    # workers and earlier runs
    workers: int | None = None,
    image_timeout: float = 60.0,
    resume: bool = True,
    retry_failed: bool = False,
    # originals that are fetched
    keep_originals: bool = True,
    metadata: Sequence[File] = (),
    extensions: Sequence[str] = ("jpg", "png", "gif", "jpeg", "webp"),
    connections: int = 16,
    connections_per_host: int | None = None,
    rate: float | None = None,
    contact: str = "",
    retries: int = 4,
    retry_budget: float = 0.2,
    timeout: float = 120.0,
    stall_timeout: float = 15.0,
    min_rate: int = 1000,
    patience: float = 600.0,
    give_up: int = 100,
    respect_noai: bool = True,
    allow_private: bool = False,
    insecure: bool = False,
    sync: bool = False,
) -> pl.DataFrame:
    """Make the images of a table with worker processes, and return the manifest.

    A script needs `if __name__ == "__main__":` around the call, since workers import the script
    that starts them. Inside a running event loop (a notebook) the work has a loop in a thread of
    its own while the call waits. Ctrl-C ends it; the next call goes on from there.

    Args:
        table: One row per image: `id` (whole numbers, 0 or more, each once), and for head crops
            left, top, right, bottom (shares of width and height of the upright image). Further
            columns are kept.
        source: Where the originals are: a folder of `{bucket}/{id}.{ext}`, an address with `{id}`,
            archives, `hf:…`, `s3://…`, `rsync://…`; as `--source` of `full`.
        output: The folder for `fullMin256/`, `faces/`, `original/` and `manifest.parquet`.
        progress: Show a progress line and notices on standard error. Else nothing is printed.
        size: The short side of a full image, in pixels; a smaller original is enlarged.
        exact: Take no shortcut while resizing but to decode a JPEG at no less than twice `size`.
        resize_mode: `keep_ratio`: the short side gets `size` pixels, or with `keep_ratio_largest`
            the long one; `center_crop`: the middle square; `border`: the picture within a square of
            white; `no`: the size of the original.
        face_margin: Added on each side of a head, as a share of its width and height.
        face_size: The largest short side of a crop, in pixels; None keeps the original's scale.
        quality: The quality of JPEG and WebP, 1 to 100.
        subsampling: The chroma subsampling of JPEGs.
        encode_format: The format of the images made: jpg, webp or png.
        truncated: For a JPEG or PNG that breaks off: refuse it, or keep what is there, on white.
        max_bytes: The largest original, in bytes.
        max_pixels: The largest original or output, in pixels.
        max_scans: The most scans of a progressive JPEG.
        max_frames: The most frames of an animation, of which the first is taken.
        worker_memory: The most memory that a worker may take for its work, in bytes.
        workers: The number of worker processes; None for the usable cores.
        image_timeout: The most seconds that one image may take.
        resume: Keep what earlier calls made, else make all images again, in the same place.
        retry_failed: Try images again that an earlier call refused for good.
        keep_originals: Keep originals that were fetched, or remove each once its images are made.
        metadata: Parquet or JSON lines with `id` and any of `md5`, `file_ext`, `file_size`.
        extensions: The extensions to try, in order, if the real one is not known.
        connections: The most simultaneous connections.
        connections_per_host: The most of one host; None for 8 to public hosts, else no limit.
        rate: The most requests per second to one host; None for 5 to public hosts, else no limit.
        contact: Your address or URL, sent to servers in the User-Agent.
        retries: The most further attempts after a passing failure.
        retry_budget: The most further attempts per image on average (besides 100 in all).
        timeout: The most seconds for one original, all attempts together, without waits for a turn.
        stall_timeout: The seconds over which a transfer must reach `min_rate`.
        min_rate: The bytes per second below which a transfer is given up.
        patience: The most seconds that a host may be down or ask to wait.
        give_up: Stop if the first so many answers of the source are refusals of one kind; 0: never.
        respect_noai: Refuse what its server marks `noai` or `noimageai` (X-Robots-Tag).
        allow_private: Follow redirects from public hosts to private ones or loopback.
        insecure: Accept any TLS certificate.
        sync: Wait for the disk before a file takes its final name.

    Returns:
        The manifest, one row per row of the table and in its order: its own columns, then path,
        status (`success` or a reason), error_message, url, sizes in pixels and bytes, SHA-256.

    Raises:
        InputError: The table is not as described, or the originals or metadata cannot be read.
        UsageError: A setting is out of its bounds, another run is at work in `output`, images there
            were made with other settings, or `output` would replace originals.
        OutputError: `output` cannot be written.
        SourceError: The source must not be asked any more.
        WorkerError: No worker can be started; as NoMainGuard if the main guard is missing.

    Example:
        >>> if __name__ == "__main__":
        ...     df.make_images(pl.DataFrame({"id": [5, 7]}), "original", "out", size=128)
    """
    given = locals()
    from dafre_fast.engine.executors.main_guard import exit_if_worker_imports_main

    exit_if_worker_imports_main()
    from dafre_fast.engine.images import make_table

    rows = _checked(table.lazy().collect())
    recipe = Recipe(
        full=_group(FullImage, given),
        face=_group(FaceImage, given),
        encoding=_group(Encoding, given),
        bounds=_group(Bounds, given),
    )
    fetching, running = _group(Fetching, given), _group(Running, given)
    settings = (fetching, recipe, running)
    keep = _group(Keeping, given).keep_originals
    with _shown() if progress else nullcontext(silent) as tell:
        return make_table(rows, str(source), Path(output), *settings, tell, keep_originals=keep)


def open_dataset(folder: File) -> pl.LazyFrame:
    """Return a finished dataset as one table.

    Args:
        folder: The output folder of `full`.

    Returns:
        The manifest, one row per image that was asked for, and its tags: tags_cat0 (general),
        tags_cat3 (series) and tags_cat4 (character), lists of text, null if not known. An image is
        at `folder / "fullMin256" / path`, its head crop at `folder / "faces" / path`.

    Raises:
        InputError: There is no manifest of `full`, or it or a table of tags cannot be read.

    Example:
        >>> df.open_dataset("out").filter(status="success").select("path", "class_name").collect()
    """
    from dafre_fast.dataset.reading import open_dataset as open_

    return open_(Path(folder))


def _shown() -> AbstractContextManager[Tell]:
    from dafre_fast.views.terminal import terminal

    return terminal()


def _checked(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table in the types of the engine. Raises InputError if it is not one of images."""
    if "id" not in table.columns or not table.schema["id"].is_integer():
        raise InputError("the table needs a column id of whole numbers")
    ids = table["id"]
    if ids.null_count() or (ids < 0).any() or ids.is_duplicated().any():
        raise InputError("the ids of the table must be 0 or more, and each there once")
    edges = [edge for edge in Box._fields if edge in table.columns]
    if 0 < len(edges) < len(Box._fields):
        raise InputError(f"the table has {', '.join(edges)}, but not all of a box")
    return table.cast({"id": pl.Int64, **dict.fromkeys(edges, pl.Float32)})


def _group(group: type[G], given: Mapping[str, object]) -> G:
    """Build a group of settings from the arguments of a function (its `locals()`); those that are
    no settings of the group are left alone.
    """
    return build(group, given, lambda name: name, strict=True)
