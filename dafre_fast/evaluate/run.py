"""Run `evaluate`: which rows can be judged, what the model answers, and the page about it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Advanced, Began, Doing, Ended, Notice, Tell, silent
from dafre_fast.core.layout import AUDIT, EXCLUDE
from dafre_fast.core.reasons import SUCCESS, Reason
from dafre_fast.core.splits import TRAIN
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.evaluate.settings import EvaluateRun
from dafre_fast.learning.feeding import VIEWS, Batch, batches, open_images
from dafre_fast.learning.metrics import Answers, Bin, OfSize, Rate, Scores, score
from dafre_fast.learning.models import answer, load_model, set_up
from dafre_fast.learning.records import Config, hashes_of, read_trained_on
from dafre_fast.learning.settings import Computing
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet
from dafre_fast.torch import Images

ANSWERS = "answers.parquet"
TRAINED_ON, UNKNOWN_CLASS, DAMAGED = "trained_on", "unknown_class", "damaged"


class Pair(Struct, frozen=True):
    """How many of the `of` images of a class were taken for another one, and their ids."""

    class_name: str
    answer: str
    images: int
    of: int
    ids: Sequence[int] = ()


class Evaluated(Struct, frozen=True):
    """The result of `evaluate`: rows = judged + refused. All shares are from 0 to 1, and intervals
    cover 95%.
    """

    model: str
    dataset: str
    split: str
    rows: int
    judged: int
    refused: Mapping[str, int]
    classes: int
    """Classes that have an image that was judged."""
    top1: float
    top5: float
    macro: float
    """The mean of the classes' shares right."""
    intervals: Mapping[str, tuple[float, float]]
    by_size: Mapping[str, OfSize]
    calibration_error: float
    calibration: Sequence[Bin]
    confused: Sequence[Pair]
    near_duplicates: int | None
    """Images judged that the audit knows as duplicates of training images; None without audit."""
    page: str


class _Asked(Struct, frozen=True):
    """Images that can be judged: their numbers in the dataset, and the right class by number."""

    images: Images
    numbers: NDArray[np.int64]
    labels: Sequence[int]


def evaluate(run: EvaluateRun, computing: Computing, tell: Tell = silent) -> Evaluated:
    """Judge a model on a split, and write a page and a table of the answers.

    Raises InputError if model or dataset cannot be read, UsageError if nothing can be judged.
    """
    from dafre_fast.evaluate.page import write_page

    tell(Doing("reading model and dataset"))
    computer = set_up(computing)
    config, model = load_model(run.model, computer.device)
    refused, asked = _ask(run, config)
    lists = [
        part.tolist()
        for part in np.array_split(asked.numbers, -(-len(asked.numbers) // run.batch_size))
    ]
    feed = batches(asked.images, VIEWS[config.images], config.recipe.shown, lists, computer.workers)
    tell(Began("images judged", len(asked.numbers), bad=DAMAGED))
    found, numbers, damaged = answer(
        model, config.recipe, _told(feed, tell), asked.labels, computer.device
    )
    tell(Ended())
    for message in damaged[:3]:
        tell(Notice(f"{message}: not judged"))
    refused |= {DAMAGED: len(damaged)} if damaged else {}
    ids = asked.images.ids[numbers]
    scores = score(found, config.class_sizes)
    into = run.into or run.model / "evaluation" / run.split
    evaluated = _evaluated(run, config, scores, found, ids, refused, into)
    write_parquet(_table(config, found, ids), into / ANSWERS)
    write_page(evaluated, run.output, config, into)
    return evaluated


def _ask(run: EvaluateRun, config: Config) -> tuple[dict[str, int], _Asked]:
    """Choose the images that can be judged; return how many rows cannot, by the reason."""
    rows = open_manifest(run.output).filter(split=run.split).select("id", "status").collect()
    refused = Counter(rows.filter(pl.col("status") != SUCCESS)["status"].to_list())
    if rows.height == refused.total():
        raise UsageError(f"{run.output}: no image of {run.split} was made")
    images = open_images(run.output, run.split, config.images, config.recipe.shown)
    by_name = {name: number for number, name in reversed([*enumerate(config.classes)])}
    of_class = np.array([by_name.get(name, -1) for name in images.class_names])
    labels = of_class[images.class_ids]
    seen = _trained_on(run, config, images.ids)
    unknown = labels < 0
    good = ~unknown if run.trained_on else ~unknown & ~seen
    for name, there in ((UNKNOWN_CLASS, unknown), (TRAINED_ON, ~unknown & ~good)):
        if there.any():
            refused[name] = int(there.sum())
    if not good.any():
        why = ", ".join(f"{number:,} {reason}" for reason, number in refused.most_common())
        advice = "; --trained-on judges them all the same" if refused[TRAINED_ON] else ""
        raise UsageError(f"{run.output}: no image of {run.split} can be judged: {why}{advice}")
    return dict(refused), _Asked(images, np.flatnonzero(good), labels.tolist())


def _trained_on(run: EvaluateRun, config: Config, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which images, or their originals, the model was trained on."""
    prefixes = [prefix_of(view) for view in VIEWS[config.images]]
    known = pl.Series(read_trained_on(run.model), dtype=pl.UInt64)
    table = hashes_of(run.output, prefixes).select(
        "id", seen=pl.col("hashes").list.eval(pl.element().is_in(known.implode())).list.any()
    )
    order = pl.DataFrame({"id": ids})
    return order.join(table, on="id", how="left", maintain_order="left")["seen"].to_numpy()


def _told(feed: Iterable[Batch], tell: Tell) -> Iterator[Batch]:
    """Yield batches, and tell of each when it has been judged."""
    for batch in feed:
        yield batch
        damaged = (Reason.CORRUPT,) * len(batch.damaged)
        tell(Advanced((None,) * len(batch.numbers) + damaged))


def _evaluated(
    run: EvaluateRun,
    config: Config,
    scores: Scores,
    found: Answers,
    ids: NDArray[np.int64],
    refused: Mapping[str, int],
    into: Path,
) -> Evaluated:
    from dafre_fast.evaluate.page import PAGE

    rates: dict[str, Rate] = {"top1": scores.top1, "top5": scores.top5, "macro": scores.macro}
    return Evaluated(
        model=str(run.model),
        dataset=str(run.output),
        split=run.split,
        rows=scores.images + sum(refused.values()),
        judged=scores.images,
        refused=refused,
        classes=len(np.unique(found.truth)),
        intervals={name: (rate.low, rate.high) for name, rate in rates.items()},
        by_size={_band(one): one for one in scores.by_size},
        calibration_error=scores.calibration_error,
        calibration=scores.calibration,
        confused=[*_pairs(config, scores, found, ids)],
        near_duplicates=_near_duplicates(run, ids),
        page=str(into / PAGE),
        **{name: rate.share for name, rate in rates.items()},
    )


def _band(one: OfSize) -> str:
    return f"{one.least}-{one.most}" if one.most else f"{one.least}+"


def _pairs(
    config: Config, scores: Scores, found: Answers, ids: NDArray[np.int64]
) -> Iterator[Pair]:
    for one in scores.confused:
        there = (found.truth == one.truth) & (found.classes[:, 0] == one.answer)
        names = config.classes[one.truth], config.classes[one.answer]
        yield Pair(*names, one.images, one.of, ids[there].tolist())


def _near_duplicates(run: EvaluateRun, ids: NDArray[np.int64]) -> int | None:
    """Count the images judged that form a pair with a training image in the audit of the dataset,
    if there is one.
    """
    path = run.output / AUDIT / EXCLUDE
    if not path.exists():
        return None
    with reading(path):
        rows = pl.read_csv(path, columns=["id", "split", "kept_id", "kept_split"])
    mine = pl.concat(
        [
            rows.filter(kept_split=TRAIN).filter(pl.col("split") != TRAIN).select("id"),
            rows.filter(split=TRAIN).filter(pl.col("kept_split") != TRAIN).select(id="kept_id"),
        ]
    )
    return int(np.isin(ids, mine["id"].unique().to_numpy()).sum())


def _table(config: Config, found: Answers, ids: NDArray[np.int64]) -> pl.DataFrame:
    """Return a row per image judged: id, its class, the answer and its probability, and the
    likeliest classes with theirs.
    """
    names = np.array(config.classes, object)
    likeliest = names[found.classes]
    return pl.DataFrame(
        {
            "id": ids,
            "class_name": names[found.truth].tolist(),
            "answer": likeliest[:, 0].tolist(),
            "probability": found.probabilities[:, 0].astype(np.float32),
            "right": found.right,
            "likeliest": likeliest.tolist(),
            "probabilities": found.probabilities.astype(np.float32).tolist(),
        }
    )
