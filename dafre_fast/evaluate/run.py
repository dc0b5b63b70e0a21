"""Run `evaluate`: which rows can be judged, what the model answers, and the page about it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Advanced, Began, Doing, Ended, Notice, Tell, silent
from dafre_fast.core.layout import AUDIT, EXCLUDE
from dafre_fast.core.reasons import SUCCESS, Reason, RowProblem
from dafre_fast.core.splits import SPLITS, TRAIN
from dafre_fast.dataset.chosen import Lists, read_chosen
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.evaluate.settings import EvaluateRun
from dafre_fast.learning.feeding import VIEWS, Batch, batches, open_images
from dafre_fast.learning.memory import memory
from dafre_fast.learning.metrics import Answers, Bin, OfSize, Rate, Scores, score
from dafre_fast.learning.models import answer, load_model, set_up
from dafre_fast.learning.records import (
    ANSWERS,
    EVALUATION,
    SUMMARY,
    Config,
    hashes_of,
    read_trained_on,
    write_embeddings,
    write_json,
)
from dafre_fast.learning.settings import Computing
from dafre_fast.tables.marks import is_good
from dafre_fast.tables.splits import read_ids
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet
from dafre_fast.torch import Images

TRAINED_ON, UNKNOWN_CLASS, DAMAGED = "trained_on", "unknown_class", "damaged"
EXCLUDED = "excluded"
_MOST_NOTICES = 3


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
    """Images that can be judged: their numbers in the dataset, and the right class by number; and
    how many rows cannot, by the reason.
    """

    refused: Mapping[str, int]
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
    asked = _ask(run, config, tell)
    lists = [
        part.tolist()
        for part in np.array_split(asked.numbers, -(-len(asked.numbers) // run.batch_size))
    ]
    feed = batches(asked.images, VIEWS[config.images], config.recipe.shown, lists, computer.workers)
    tell(Began("images judged", len(asked.numbers), bad=DAMAGED))
    told = _told(feed, tell)
    with memory(config.recipe, UsageError, run.batch_size):
        answered = answer(model, config.recipe, told, asked.labels, computer.device)
    tell(Ended())
    for message in answered.damaged[:_MOST_NOTICES]:
        tell(Notice(f"{message}: not judged"))
    if not answered.numbers:
        raise InputError(f"all images that could be judged are damaged: {answered.damaged[0]}")
    ids = asked.images.ids[[*answered.numbers]]
    refused = dict(asked.refused) | ({DAMAGED: len(answered.damaged)} if answered.damaged else {})
    into = run.into or run.model / EVALUATION / _name(run, config)
    evaluated = _evaluated(run, config, answered.answers, ids, refused, into)
    write_parquet(_table(config, answered.answers, ids), into / ANSWERS)
    write_embeddings(answered.embeddings, into)
    write_json(evaluated, into / SUMMARY)
    write_page(evaluated, run.output, config, into)
    return evaluated


def _name(run: EvaluateRun, config: Config) -> str:
    """Return the name of the folder of an evaluation."""
    dataset, split = run.output.resolve().name, Path(run.split).name
    name = split if dataset == config.dataset else f"{dataset}-{split}"
    lists = (("only", run.only), ("without", run.exclude))
    parts = [f"-{word}-{path.name.partition('.')[0]}" for word, path in lists if path]
    marks = [f"-{mark}" for mark in run.mark]
    return name + re.sub(r"[^\w-]+", "_", "".join([*parts, *marks]))


def _ask(run: EvaluateRun, config: Config, tell: Tell) -> _Asked:
    """Choose the images that can be judged. Raises UsageError if there is none."""
    rows, refused = _rows(run, tell)
    made = rows.filter(status=SUCCESS)["id"]
    refused.update(rows.filter(pl.col("status") != SUCCESS)["status"].to_list())
    if made.is_empty():
        why = f": {_told_of(refused)}" if refused else ""
        raise UsageError(f"{run.output}: no image of {run.split} was made{why}")
    images = open_images(run.output, None, config.images, config.recipe.shown)
    by_name = {name: number for number, name in reversed([*enumerate(config.classes)])}
    of_class = np.array([by_name.get(name, -1) for name in images.class_names])
    labels = of_class[images.class_ids]
    asked, known = np.isin(images.ids, made.to_numpy()), labels >= 0
    seen = asked & known & _trained_on(run, config, images.ids) & (not run.trained_on)
    good = asked & known & ~seen
    for name, there in ((UNKNOWN_CLASS, asked & ~known), (TRAINED_ON, seen)):
        if there.any():
            refused[name] = int(there.sum())
    if not good.any():
        advice = "; --trained-on judges them all the same" if refused[TRAINED_ON] else ""
        why = f"{_told_of(refused)}{advice}"
        raise UsageError(f"{run.output}: no image of {run.split} can be judged: {why}")
    return _Asked(dict(refused), images, np.flatnonzero(good), labels.tolist())


def _rows(run: EvaluateRun, tell: Tell) -> tuple[pl.DataFrame, Counter[str]]:
    """Return `id` and `status` of the rows of a split, or of those listed in a file, that lists
    choose; how many they leave out, and how many lines of the file name no row, by the problem.
    """
    rows, problems = _rows_of_split(run)
    lists = Lists.of(run)
    left = rows.filter(read_chosen(lists, open_manifest(run.output), tell).stays)
    if left.is_empty() and not rows.is_empty():
        raise UsageError(f"{lists}: no image of {run.split} is left")
    return left, problems + Counter({EXCLUDED: rows.height - left.height})


def _rows_of_split(run: EvaluateRun) -> tuple[pl.DataFrame, Counter[str]]:
    table = open_manifest(run.output).select("id", "status", "split")
    if run.split in SPLITS:
        return table.filter(split=run.split).collect(), Counter()
    path = Path(run.split)
    if not path.exists():
        raise UsageError(f"--split {run.split!r}: is neither {', '.join(SPLITS)} nor a file of ids")
    lines = read_ids(path)
    good = lines.filter(is_good)
    rows = table.collect().join(good, on="id", how="semi")
    problems = Counter(lines.filter(~is_good)["problem"].to_list())
    absent = good.height - rows.height
    return rows, problems + Counter({RowProblem.NO_ROW.value: absent})


def _told_of(refused: Counter[str]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in refused.most_common())


def _trained_on(run: EvaluateRun, config: Config, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which images, or their originals, the model was trained on."""
    prefixes = [prefix_of(view) for view in VIEWS[config.images]]
    known = pl.Series(read_trained_on(run.model), dtype=pl.UInt64)
    table = hashes_of(run.output, prefixes).select(
        "id", seen=pl.col("hashes").list.eval(pl.element().is_in(known.implode())).list.any()
    )
    order = pl.DataFrame({"id": ids})
    found = order.join(table, on="id", how="left", maintain_order="left")
    return found["seen"].fill_null(value=False).to_numpy()


def _told(feed: Iterable[Batch], tell: Tell) -> Iterator[Batch]:
    """Yield batches, and tell of each when it has been judged."""
    for batch in feed:
        yield batch
        damaged = (Reason.CORRUPT,) * len(batch.damaged)
        tell(Advanced((None,) * len(batch.numbers) + damaged))


def _evaluated(
    run: EvaluateRun,
    config: Config,
    found: Answers,
    ids: NDArray[np.int64],
    refused: Mapping[str, int],
    into: Path,
) -> Evaluated:
    from dafre_fast.evaluate.page import PAGE

    scores = score(found, config.class_sizes)
    rates: dict[str, Rate] = {"top1": scores.top1, "top5": scores.top5, "macro": scores.macro}
    return Evaluated(
        model=str(run.model),
        dataset=str(run.output),
        split=run.split if run.split in SPLITS else Path(run.split).name,
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
