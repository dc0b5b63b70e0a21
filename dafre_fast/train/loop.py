"""One epoch of training after another: steps, gradients, and watching over them."""

import time
from collections.abc import Iterator, Sequence
from math import isfinite

import torch
from torch import Generator, Tensor, nn

from dafre_fast.core.errors import InputError, TrainingError
from dafre_fast.core.events import Advanced, Notice, Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.learning.augment import augment
from dafre_fast.learning.feeding import Batch, Order
from dafre_fast.learning.losses import loss_of
from dafre_fast.learning.memory import memory
from dafre_fast.learning.networks import Average, Recogniser
from dafre_fast.learning.recipes import Recipe
from dafre_fast.learning.records import Epoch
from dafre_fast.learning.schedules import lr_at
from dafre_fast.train.group import Group

_UNWATCHED_STEPS = 20
"""Steps of a GPU after which losses are looked at: each look waits for it."""


class Training:
    """A model in training: all that changes from step to step, and is in a checkpoint."""

    def __init__(
        self,
        recipe: Recipe,
        model: Recogniser,
        average: Average | None,
        group: Group,
        order: Order,
    ) -> None:
        self.recipe, self.model, self.average, self.group = recipe, model, average, group
        self.order = order
        self._joined = group.joined(model)
        self.optimiser = torch.optim.SGD(
            _decayed(model, recipe.weight_decay), lr=recipe.lr, momentum=recipe.momentum
        )

    @property
    def model_to_use(self) -> Recogniser:
        """The model that is judged and kept: the average, if there is one."""
        return self.average.model if self.average else self.model

    def epoch(self, number: int, feed: Iterator[Batch], tell: Tell) -> Epoch:
        """Train one epoch, from 0, on the batches of this process.

        Raises TrainingError if the loss is no number, or memory is short; InputError if all images
        of a batch are damaged.
        """
        self._joined.train()
        watch = _Watch(number * self.order.steps, self.group.device.type == "cuda", tell)
        with memory(self.recipe, TrainingError):
            for place, batch in enumerate(watch.waited(feed)):
                step = number * self.order.steps + place
                watch.note(batch, self._step(batch, step))
            watch.look()
        epochs = self.group.gathered(watch.told(number + 1))
        return _together(epochs, lr_at(self.recipe, self._last_step(number), self._steps))

    @property
    def _steps(self) -> int:
        return self.order.steps * self.recipe.epochs

    def _last_step(self, number: int) -> int:
        return (number + 1) * self.order.steps - 1

    def _step(self, batch: Batch, step: int) -> Tensor:
        """Take one step; return the loss."""
        if not len(batch.numbers):
            raise InputError(f"all images of a batch are damaged: {batch.damaged[0]}")
        for group in self.optimiser.param_groups:
            group["lr"] = lr_at(self.recipe, step, self._steps)
        device, rank = self.group.device, self.group.rank
        if len(batch.numbers) == 1:  # others were damaged; normalisation needs two
            batch = Batch(batch.pictures.repeat(2, 1, 1, 1, 1), batch.numbers.repeat(2), ())
        labels = torch.from_numpy(self.order.class_ids[batch.numbers.numpy()]).to(device)
        draws = Generator().manual_seed(hash((self.order.seed, step, rank)) % 2**63)
        flat = batch.pictures.to(device, non_blocking=True).flatten(0, 1)
        changed = augment(flat, self.recipe, draws)
        pictures = changed.unflatten(0, batch.pictures.shape[:2])
        mixed = self.recipe.mixed and device.type == "cuda"
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            scores = self._joined(pictures, labels)
        loss = loss_of(scores.float(), labels, self.recipe.smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        if self.average:
            self.average.update(self.model, step)
        return loss.detach()


def new_training(
    recipe: Recipe, class_sizes: Sequence[int], views: int, order: Order, group: Group
) -> Training:
    """Return a training at its beginning, on the device of the group."""
    torch.manual_seed(order.seed)
    torch.backends.cudnn.benchmark = True
    model = Recogniser(recipe, class_sizes, views)
    model = model.to(group.device, memory_format=torch.channels_last)
    average = Average(model, recipe.average, recipe.average_rise) if recipe.average else None
    return Training(recipe, model, average, group, order)


def _decayed(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Return parameters in two groups: weights, which decay, and what has one dimension."""
    weights = [one for one in model.parameters() if one.ndim > 1]
    others = [one for one in model.parameters() if one.ndim <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


class _Watch:
    """Counts and times of an epoch, and a look at each loss."""

    def __init__(self, first_step: int, on_gpu: bool, tell: Tell) -> None:
        self._step, self._tell = first_step, tell
        self._every = _UNWATCHED_STEPS if on_gpu else 1
        self._losses, self._unseen = list[float](), list[Tensor]()
        self._images, self._damaged, self._waiting = 0, 0, 0.0
        self._began = time.perf_counter()

    def waited(self, feed: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches, and add up the time in which none was ready."""
        while True:
            began = time.perf_counter()
            batch = next(feed, None)
            self._waiting += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def note(self, batch: Batch, loss: Tensor) -> None:
        """Note a step. Raises TrainingError if a loss is no number."""
        self._unseen.append(loss)
        self._images += len(batch.numbers)
        for message in batch.damaged:
            if not self._damaged:
                self._tell(Notice(f"{message}; left out, as are others that cannot be read"))
            self._damaged += 1
        damaged = (Reason.CORRUPT,) * len(batch.damaged)
        self._tell(Advanced((None,) * len(batch.numbers) + damaged))
        if len(self._unseen) >= self._every:
            self.look()

    def look(self) -> None:
        """Look at the losses of the last steps. Raises TrainingError if one is no number."""
        for loss in torch.stack(self._unseen).tolist() if self._unseen else ():
            if not isfinite(loss):
                raise TrainingError(
                    f"step {self._step}: the loss is {loss}; the model of the last epoch is kept;"
                    " try a lower --lr in another folder"
                )
            self._losses.append(loss)
            self._step += 1
        self._unseen.clear()

    def told(self, epoch: int) -> Epoch:
        """Return the metrics of the epoch so far."""
        seconds = time.perf_counter() - self._began
        return Epoch(
            epoch=epoch,
            step=self._step,
            loss=sum(self._losses) / max(len(self._losses), 1),
            lr=0.0,
            images=self._images,
            damaged=self._damaged,
            images_per_second=self._images / seconds,
            waiting=self._waiting / seconds,
            top1=None,
            top5=None,
        )


def _together(epochs: Sequence[Epoch], lr: float) -> Epoch:
    """Return the metrics of all processes as one."""
    mean = {
        name: sum(getattr(one, name) for one in epochs) / len(epochs)
        for name in ("loss", "waiting")
    }
    total = {
        name: sum(getattr(one, name) for one in epochs)
        for name in ("images", "damaged", "images_per_second")
    }
    first = epochs[0]
    return Epoch(epoch=first.epoch, step=first.step, lr=lr, top1=None, top5=None, **mean, **total)
