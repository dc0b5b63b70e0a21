"""Run `train`: dataset, recipe, epochs, and what is written after each of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from msgspec import Struct, structs

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import InputError, TrainingError, UsageError
from dafre_fast.core.events import Began, Doing, Ended, Notice, Tell, silent
from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.core.settings.images import HEAD_CROP
from dafre_fast.core.splits import TRAIN, VAL
from dafre_fast.dataset.chosen import Lists
from dafre_fast.dataset.locks import alone
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.learning.feeding import (
    VIEWS,
    Order,
    batches,
    in_batches,
    open_images,
)
from dafre_fast.learning.memory import memory
from dafre_fast.learning.metrics import MOST_LIKELY, Answers
from dafre_fast.learning.models import answer, save_model
from dafre_fast.learning.recipes import Recipe, fitted
from dafre_fast.learning.records import (
    CONFIG,
    MODEL,
    Config,
    Epoch,
    hash_labels,
    hashes_of,
    read_config,
    write_json,
    write_metrics,
    write_trained_on,
)
from dafre_fast.torch import Images
from dafre_fast.train.checkpoints import read_checkpoint, write_checkpoint
from dafre_fast.train.group import Group
from dafre_fast.train.loop import Training, new_training
from dafre_fast.train.page import write_page
from dafre_fast.train.settings import Figures, TrainRun, resolve
from dafre_fast.train.tensorboard import tensorboard

_MOST_NAMES = 5
_PAGE_SECONDS = 60.0


class Trained(Struct, frozen=True):
    """The result of `train`."""

    model: str
    """Path of the weights."""
    images: int
    classes: int
    parameters: int
    epochs: Sequence[Epoch]
    damaged: int
    """Reads of images that failed, all epochs together."""
    excluded: int = 0
    """Images of training and validation that lists leave out."""
    exported: str | None = None


class _Data(Struct, frozen=True):
    """Images of training, on which random changes are made, and of validation, if there are any."""

    train: Images
    val: Images | None
    class_sizes: Sequence[int]

    @property
    def excluded(self) -> int:
        """Images that lists leave out."""
        return self.train.excluded + (self.val.excluded if self.val else 0)


def train(run: TrainRun, figures: Figures, group: Group, tell: Tell = silent) -> Trained:
    """Train a model, or go on with one. Every process of a group calls this.

    Raises UsageError if the folder holds another model or the dataset lacks the images, InputError
    if the dataset cannot be read, TrainingError if the training cannot go on.
    """
    with alone(run.into / STATE) if group.is_first else nullcontext():
        return _train(run, figures, group, tell)


def _train(run: TrainRun, figures: Figures, group: Group, tell: Tell) -> Trained:
    tell(Doing("reading the dataset"))
    recipe, given = resolve(run, figures)
    data = _open(run, recipe, tell)
    recipe = fitted(recipe, len(data.train), given)
    config = _config(run, recipe, data, group)
    _warn(config, data, tell)
    _prepare(run, config, data, group)
    class_ids, size = data.train.class_ids, recipe.batch_size
    order = Order(class_ids, size, group.ranks, recipe.balance, run.seed)
    training = new_training(recipe, data.class_sizes, len(VIEWS[run.images]), order, group)
    epochs = read_checkpoint(run.into, training) if run.resume else []
    _all_epochs(run, config, data, training, epochs, tell)
    exported = _export(run, training) if run.export and group.is_first else None
    return Trained(
        model=str(run.into / MODEL),
        images=len(data.train),
        classes=len(data.train.class_names),
        parameters=sum(one.numel() for one in training.model.parameters()),
        epochs=epochs,
        damaged=sum(one.damaged for one in epochs),
        excluded=data.excluded,
        exported=exported,
    )


def _all_epochs(
    run: TrainRun,
    config: Config,
    data: _Data,
    training: Training,
    epochs: list[Epoch],
    tell: Tell,
) -> None:
    """Train the epochs that are left; write everything after each of them."""
    recipe, workers = config.recipe, training.group.computer.workers
    per_epoch = training.order.steps * recipe.batch_size * training.group.ranks
    standing = len(epochs) * per_epoch
    with _results(run, config, training, epochs, tell) as write:
        if len(epochs) < recipe.epochs:
            tell(Began("training images", recipe.epochs * per_epoch, standing, "damaged"))
        for number in range(len(epochs), recipe.epochs):
            numbers = training.order.batches(number, training.group.rank)
            feed = batches(data.train, VIEWS[run.images], recipe.room, numbers, workers)
            told = training.epoch(number, feed, tell)
            found = _validate(training, data.val, run)
            if found:
                shares = float(found.right.mean()), float(found.among.mean())
                told = structs.replace(told, top1=shares[0], top5=shares[1])
            epochs.append(told)
            write()
            tell(Notice(_line(told, recipe)))
            training.group.gathered(None)  # nobody goes on before it is written
        tell(Ended())


def _open(run: TrainRun, recipe: Recipe, tell: Tell) -> _Data:
    lists = Lists.of(run)
    train_images = open_images(run.output, TRAIN, run.images, recipe.room, lists, tell)
    sizes = np.bincount(train_images.class_ids, minlength=len(train_images.class_names))
    if np.count_nonzero(sizes) < 2:
        raise UsageError(f"{run.output}: the training images are all of one class")
    if HEAD_CROP.name in VIEWS[run.images]:
        _check_heads(run)
    try:
        val = open_images(run.output, VAL, run.images, recipe.shown, lists)
    except (InputError, UsageError):  # no image of val was made, or lists leave none
        val = None
    return _Data(train_images, val, sizes.tolist())


def _check_heads(run: TrainRun) -> None:
    """Raise UsageError for a dataset that was made without head crops."""
    from dafre_fast.dataset.reading import open_manifest

    table = open_manifest(run.output)
    column = f"{prefix_of(HEAD_CROP.name)}sha256"
    has_column = column in table.collect_schema()
    if not has_column or not table.select(column).drop_nulls().head(1).collect().height:
        raise UsageError(f"{run.output}: has no head crops; --images full needs none")


def _config(run: TrainRun, recipe: Recipe, data: _Data, group: Group) -> Config:
    from importlib.metadata import version

    ids = [data.train.ids, *([data.val.ids] if data.val else [])]
    libraries = ("dafre_fast", "torch", "safetensors")
    return Config(
        recipe=recipe,
        images=run.images,
        classes=data.train.class_names,
        class_sizes=data.class_sizes,
        seed=run.seed,
        dataset=run.output.resolve().name,
        labels=hash_labels(run.output, ids),
        manifest=digest(run.output / MANIFEST).sha256,
        training_images=len(data.train),
        epochs_done=0,
        processes=group.ranks,
        versions={name: version(name) for name in libraries},
    )


def _warn(config: Config, data: _Data, tell: Tell) -> None:
    lacking = [
        name for name, size in zip(config.classes, config.class_sizes, strict=True) if not size
    ]
    if lacking:
        named = ", ".join(lacking[:_MOST_NAMES]) + (", …" if len(lacking) > _MOST_NAMES else "")
        tell(
            Notice(
                f"{len(lacking):,} of {len(config.classes):,} classes have no training image and"
                f" cannot be learnt: {named}"
            )
        )
    if data.val is None:
        tell(Notice("there is no image of val: nothing is judged during the training"))


def _prepare(run: TrainRun, config: Config, data: _Data, group: Group) -> None:
    """Check that the folder of the model is empty, or that of the same training; write what is
    known before it begins.
    """
    if run.resume and (run.into / CONFIG).exists():
        _check_same(run, read_config(run.into), config)
    group.gathered(None)  # all have looked
    if group.is_first:
        if not run.resume or not (run.into / CONFIG).exists():
            for name in (MODEL, "metrics.jsonl", "checkpoint"):
                _remove(run.into, name)
            write_json(config, run.into / CONFIG)
        prefixes = [prefix_of(view) for view in VIEWS[run.images]]
        hashes = hashes_of(run.output, prefixes)
        trained_on = hashes.filter(hashes["id"].is_in(data.train.ids.tolist()))
        write_trained_on(trained_on["hashes"], run.into)


def _remove(run: Path, name: str) -> None:
    from dafre_fast.learning.records import CHECKPOINT

    (run / (CHECKPOINT if name == "checkpoint" else name)).unlink(missing_ok=True)


def _check_same(run: TrainRun, before: Config, now: Config) -> None:
    """Raise UsageError if a folder holds another training."""
    other = "name another folder with --into, or start over with --no-resume"
    if (before.labels, before.classes) != (now.labels, now.classes):
        raise UsageError(
            f"{run.into}: was trained on other images or classes ({before.dataset}); {other}"
        )
    mine, theirs = (_told(one) for one in (now, before))
    if differing := [name for name in mine if mine[name] != theirs[name]]:
        said = ", ".join(f"{name} {theirs[name]}, now {mine[name]}" for name in differing)
        raise UsageError(f"{run.into}: was trained with {said}; {other}")


def _told(config: Config) -> dict[str, object]:
    named = {"images": config.images, "seed": config.seed, "processes": config.processes}
    return structs.asdict(config.recipe) | named


def _validate(training: Training, images: Images | None, run: TrainRun) -> Answers | None:
    """Return what the model answers for all images of val, each judged by one process."""
    if images is None:
        return None
    recipe, group = training.recipe, training.group
    model = training.model_to_use.eval()
    lists = in_batches(len(images), recipe.batch_size)[group.rank :: group.ranks]
    feed = batches(images, VIEWS[run.images], recipe.shown, lists, group.computer.workers)
    with memory(recipe, TrainingError):
        found = answer(model, recipe, feed, images.class_ids.tolist(), group.device).answers
    parts = [one for one in group.gathered(found) if len(one.truth)]
    if not parts:
        return None
    fields = Answers.__struct_fields__
    return Answers(*(np.concatenate([getattr(one, name) for one in parts]) for name in fields))


@contextmanager
def _results(
    run: TrainRun, config: Config, training: Training, epochs: Sequence[Epoch], tell: Tell
) -> Iterator[Callable[[], None]]:
    """Yield a function that writes all that is left of a training after an epoch; only one process
    of a group writes.

    If epochs are done already, it is called at once: a kill may have come after their checkpoint.
    """
    if not training.group.is_first:
        yield lambda: None
        return
    page_at = time.monotonic()

    def write() -> None:
        nonlocal page_at
        now = structs.replace(config, epochs_done=len(epochs))
        save_model(training.model_to_use, run.into)
        write_metrics(epochs, run.into)
        write_json(now, run.into / CONFIG)
        # The page takes a second: it is written at the end, and meanwhile every so often.
        over = len(epochs) == config.recipe.epochs
        if over or time.monotonic() - page_at > _PAGE_SECONDS:
            write_page(run.into, run.recipe, now, epochs)
            page_at = time.monotonic()

    def write_epoch() -> None:
        write_checkpoint(run.into, training, epochs)
        write()
        log(epochs[-1])

    with tensorboard(run.into, epochs, tell) as log:
        if epochs:
            write()
        yield write_epoch


def _line(epoch: Epoch, recipe: Recipe) -> str:
    parts = [
        f"epoch {epoch.epoch}/{recipe.epochs}: loss {epoch.loss:.3f}, lr {epoch.lr:.2g}",
        f"{epoch.images_per_second:,.1f} images/s ({epoch.waiting:.1%} waiting for them)",
    ]
    if epoch.top1 is not None and epoch.top5 is not None:
        parts.append(f"val top-1 {epoch.top1:.1%}, top-{MOST_LIKELY} {epoch.top5:.1%}")
    if epoch.damaged:
        parts.append(f"{epoch.damaged:,} damaged")
    return ", ".join(parts)


def _export(run: TrainRun, training: Training) -> str:
    from dafre_fast.learning.onnx import export

    return str(export(training.model_to_use, training.recipe, VIEWS[run.images], run.into))
