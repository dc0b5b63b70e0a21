"""Answers of a model for the dataset of 130 images, as `evaluate` would leave them."""

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.learning.recipes import MODERN
from dafre_fast.learning.records import ANSWERS, CONFIG, EMBEDDINGS, EVALUATION, SUMMARY, Config
from tests.gallery.small_dataset import NAMES, One, images

CLASSES = tuple(name or f"#{number}" for number, name in enumerate(NAMES))
MADE = [one for one in images() if one.status == "success"]


def is_right(one: One) -> bool:
    return one.id % 4 != 0


def probability(one: One) -> float:
    return 0.25 + one.id % 100 / 200


def likeliest(one: One) -> list[str]:
    """Return all classes: the right one first or, where the answer is wrong, second."""
    others = [name for name in CLASSES if name != one.klass]
    return [one.klass, *others] if is_right(one) else [others[0], one.klass, *others[1:]]


def embeddings(several: list[One]) -> NDArray[np.float32]:
    """Return a vector of length 1 for each image, float32 (n, 8)."""
    vectors = np.array([np.random.default_rng(one.id).normal(size=8) for one in several])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def write_model(folder: Path, dataset: Path) -> Path:
    """Write the config of a model and its answers for test and val of a dataset, but no weights."""
    sizes = (50,) * len(CLASSES)
    known = {"seed": 0, "labels": "", "manifest": "", "training_images": 1, "epochs_done": 1}
    config = Config(
        MODERN, "faces", CLASSES, sizes, dataset=dataset.name, processes=1, versions={}, **known
    )
    folder.mkdir(parents=True)
    (folder / CONFIG).write_bytes(msgspec.json.encode(config))
    for split in ("test", "val"):
        write_evaluation(folder, split, dataset, [one for one in MADE if one.split == split])
    return folder


def write_evaluation(model: Path, name: str, dataset: Path, several: list[One]) -> Path:
    folder = model / EVALUATION / name
    folder.mkdir(parents=True)
    rows = [
        {
            "id": one.id,
            "class_name": one.klass,
            "answer": likeliest(one)[0],
            "probability": probability(one),
            "right": is_right(one),
            "likeliest": likeliest(one),
            "probabilities": [probability(one), *[(1 - probability(one)) / 4] * 4],
        }
        for one in several
    ]
    schema = {"probability": pl.Float32, "probabilities": pl.List(pl.Float32)}
    pl.DataFrame(rows, schema_overrides=schema).write_parquet(folder / ANSWERS)
    np.save(folder / EMBEDDINGS, embeddings(several).astype(np.float16))
    (folder / SUMMARY).write_bytes(msgspec.json.encode({"dataset": str(dataset)}))
    return folder
