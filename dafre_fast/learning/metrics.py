"""Figures of a recogniser, from what it answered: shares right, by class size, calibration,
confusions. Pure, in numpy.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Numbers = NDArray[np.integer[Any]]
MOST_LIKELY = 5
"""Classes that are kept of each answer."""
SIZES = ((1, 19), (20, 49), (50, 199), (200, None))
"""Bands of class sizes, in training images, both ends included."""
_BINS = 10
_Z = 1.959964
"""The standard normal's quantile of 97.5%: intervals cover 95%."""
_RESAMPLES = 1000


class Answers(Struct, frozen=True):
    """The answers of a model for n images: the likeliest classes, the first the likeliest, int64
    (n, k), their probabilities, float (n, k), and the right classes, int64 (n,).
    """

    truth: Numbers
    classes: Numbers
    probabilities: NDArray[np.floating[Any]]

    @property
    def right(self) -> NDArray[np.bool_]:
        """True where the likeliest class is right (n,)."""
        return np.asarray(self.classes[:, 0] == self.truth)

    @property
    def among(self) -> NDArray[np.bool_]:
        """True where the right class is among those kept (n,)."""
        return np.asarray((self.classes == self.truth[:, None]).any(1))


class Rate(Struct, frozen=True):
    """A share from 0 to 1, and the ends of its 95% interval."""

    share: float
    low: float
    high: float


class OfSize(Struct, frozen=True):
    """The share right in classes of a band of sizes: least and most training images, and how many
    classes and images were judged.
    """

    least: int
    most: int | None
    classes: int
    images: int
    top1: float | None


class Bin(Struct, frozen=True):
    """Answers of which the probability lies from `least` to `most`: their number, mean probability,
    and share right.
    """

    least: float
    most: float
    images: int
    probability: float
    right: float


class Confused(Struct, frozen=True):
    """How many images of class `truth` were taken for class `answer`, of the `of` images that it
    has.
    """

    truth: int
    answer: int
    images: int
    of: int


class Scores(Struct, frozen=True):
    """The figures of a split. `macro` is the mean of the classes' shares right."""

    images: int
    top1: Rate
    top5: Rate
    macro: Rate
    by_size: Sequence[OfSize]
    calibration_error: float
    calibration: Sequence[Bin]
    confused: Sequence[Confused]


def wilson(right: int, images: int) -> Rate:
    """Return a share with its Wilson interval."""
    if not images:
        return Rate(0.0, 0.0, 1.0)
    share, z2 = right / images, _Z**2 / images
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z * sqrt(share * (1 - share) / images + z2 / (4 * images)) / (1 + z2)
    return Rate(share, max(middle - half, 0.0), min(middle + half, 1.0))


def macro(answers: Answers) -> Rate:
    """Return the mean of the classes' shares right; its interval is that of a bootstrap over
    classes and their images.
    """
    if not len(answers.truth):
        return Rate(0.0, 0.0, 1.0)
    classes, places = np.unique(answers.truth, return_inverse=True)
    sizes = np.bincount(places, minlength=len(classes))
    shares = np.bincount(places, answers.right, len(classes)) / sizes
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(classes), (_RESAMPLES, len(classes)))
    means = (random.binomial(sizes[drawn], shares[drawn]) / sizes[drawn]).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Rate(float(shares.mean()), float(low), float(high))


def score(answers: Answers, class_sizes: Sequence[int], most_confused: int = 20) -> Scores:
    """Return all figures. `class_sizes` are the training images of each class."""
    images, right = len(answers.truth), answers.right
    bins = calibration(answers)
    return Scores(
        images=images,
        top1=wilson(int(right.sum()), images),
        top5=wilson(int(answers.among.sum()), images),
        macro=macro(answers),
        by_size=by_size(answers, class_sizes),
        calibration_error=sum(abs(one.right - one.probability) * one.images for one in bins)
        / max(images, 1),
        calibration=bins,
        confused=confused(answers)[:most_confused],
    )


def by_size(answers: Answers, class_sizes: Sequence[int]) -> list[OfSize]:
    """Return the share right for each band of class sizes."""
    sizes, right = np.asarray(class_sizes)[answers.truth], answers.right
    found = list[OfSize]()
    for least, most in SIZES:
        inside = (sizes >= least) & (sizes <= (most or np.inf))
        classes = len(np.unique(answers.truth[inside]))
        share = float(right[inside].mean()) if inside.any() else None
        found.append(OfSize(least, most, classes, int(inside.sum()), share))
    return found


def calibration(answers: Answers) -> list[Bin]:
    """Return the answers by their probability, in ten bins of equal width; empty ones are left out.

    The mean distance between probability and share right is the expected calibration error (Guo et
    al., arXiv:1706.04599).
    """
    sure, right = answers.probabilities[:, 0], answers.right
    numbers = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    found = list[Bin]()
    for number in np.unique(numbers):
        inside = numbers == number
        least, most = float(number / _BINS), float((number + 1) / _BINS)
        means = float(sure[inside].mean()), float(right[inside].mean())
        found.append(Bin(least, most, int(inside.sum()), *means))
    return found


def confused(answers: Answers) -> list[Confused]:
    """Return the pairs of classes that were confused, most often first."""
    wrong = ~answers.right
    pairs = np.stack((answers.truth[wrong], answers.classes[wrong, 0]), 1)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    of = np.bincount(answers.truth, minlength=1)
    order = np.argsort(-counts, kind="stable")
    return [
        Confused(int(truth), int(answer), int(count), int(of[truth]))
        for (truth, answer), count in zip(unique[order], counts[order], strict=True)
    ]
