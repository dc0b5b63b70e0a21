"""Records of a training in its folder, and how they are read."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta, Struct
from numpy.typing import NDArray

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.learning.recipes import Recipe
from dafre_fast.tables.unreadable import reading

MODEL, CONFIG, METRICS, TRAINED_ON = (
    "model.safetensors",
    "config.json",
    "metrics.jsonl",
    "trained_on.npy",
)
CHECKPOINT = f"{STATE}/checkpoint.pt"
EVALUATION = "evaluation"
"""Folder of evaluations in that of a model; each has a folder of its own in it."""
ANSWERS, EMBEDDINGS, SUMMARY = "answers.parquet", "embeddings.npy", "summary.json"
_DIGITS = 16
"""Hexadecimal digits kept of a hash: 8 bytes."""


class Config(Struct, frozen=True):
    """A model: how it was made, what it looks at, and the names of its classes.

    `labels` is a hash of ids, classes and splits of all images of training and validation,
    `manifest` one of the file.
    """

    recipe: Recipe
    images: Literal["faces", "full", "both"]
    classes: Sequence[str]
    class_sizes: Annotated[Sequence[int], Meta(description="Training images of each class.")]
    seed: int
    dataset: str
    labels: str
    manifest: str
    training_images: int
    epochs_done: int
    processes: int
    versions: dict[str, str]


class Epoch(Struct, frozen=True):
    """A line of metrics.jsonl. `waiting` is the share of time in which no batch was ready."""

    epoch: int
    step: int
    loss: float
    lr: float
    images: int
    damaged: int
    images_per_second: float
    waiting: float
    top1: float | None
    top5: float | None


def read_config(run: Path) -> Config:
    """Read the config of a model. Raises InputError if the folder has none, or no valid one."""
    path = run / CONFIG
    try:
        return msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {run} holds no model of `train`") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InputError(f"{path}: {error}") from error


def write_json(record: Struct, path: Path) -> None:
    """Write a record as indented JSON. Raises OutputError."""
    with replacing(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def write_metrics(epochs: Iterable[Epoch], run: Path) -> None:
    """Write metrics.jsonl, whole or not at all. Raises OutputError."""
    with replacing(run / METRICS) as part:
        part.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in epochs))


def hash_labels(dataset: Path, ids: Iterable[NDArray[np.int64]]) -> str:
    """Return a hash of the ids, classes and splits of a dataset, and of the ids that are used."""
    table = open_manifest(dataset).select("id", "class_name", "split").sort("id").collect()
    hashed = hashlib.sha256()
    for name in table.columns:
        hashed.update("\0".join(table[name].cast(pl.String).fill_null("")).encode())
    for some in ids:
        hashed.update(some.astype("<i8").tobytes())
    return hashed.hexdigest()


def hashes_of(dataset: Path, prefixes: Sequence[str]) -> pl.DataFrame:
    """Return the hashes of all images: `id` and `hashes`, a list of uint64, the first 8 bytes of
    the SHA-256 of the original and of the outputs whose columns have these prefixes.
    """
    table = open_manifest(dataset)
    there = table.collect_schema()
    columns = [f"{prefix}sha256" for prefix in prefixes] + ["original_sha256"]
    parts = [
        pl.col(name).str.slice(0, _DIGITS).str.to_integer(base=16, dtype=pl.UInt64, strict=False)
        for name in columns
        if name in there
    ]
    return table.select("id", hashes=pl.concat_list(parts).list.drop_nulls()).collect()


def write_trained_on(hashes: pl.Series, run: Path) -> None:
    """Write the hashes of all images that are trained on, uint64, ascending."""
    numbers = np.unique(hashes.explode().drop_nulls().to_numpy())
    with replacing(run / TRAINED_ON) as part, part.open("wb") as file:
        np.save(file, numbers)


def read_trained_on(run: Path) -> NDArray[Any]:
    """Read the hashes of all images that were trained on. Raises InputError."""
    path = run / TRAINED_ON
    try:
        return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def write_embeddings(embeddings: NDArray[np.float16], folder: Path) -> None:
    """Write the embeddings of the rows of answers.parquet, float16 (n, embedding).

    Raises OutputError.
    """
    with replacing(folder / EMBEDDINGS) as part, part.open("wb") as file:
        np.save(file, embeddings)


def read_embeddings(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """Return the ids of the images of an evaluation (n,) and their embeddings, float16 (n,
    embedding) of length 1, mapped from the disk. Raises InputError if they cannot be read, or are
    of different evaluations.
    """
    answers, path = folder / ANSWERS, folder / EMBEDDINGS
    with reading(answers):
        ids = pl.read_parquet(answers, columns=["id"], glob=False)["id"].to_numpy()
    try:
        embeddings = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if embeddings.ndim != 2 or len(embeddings) != len(ids):
        raise InputError(f"{path}: does not fit {ANSWERS}: evaluate again")
    return ids, embeddings
