"""Run `predict`: pictures, heads in them, and the likeliest names."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.events import Advanced, Began, Ended, Notice, Tell, silent
from dafre_fast.core.paths import to_text
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.walk import Walk
from dafre_fast.engine.detection import find_model
from dafre_fast.engine.loops import run as wait_for
from dafre_fast.engine.work import read_original
from dafre_fast.learning.feeding import VIEWS
from dafre_fast.learning.naming import Name, Namer, Seen, open_namer
from dafre_fast.learning.settings import Computing
from dafre_fast.pixels.detectors.detector import Detector, load
from dafre_fast.predict.settings import PredictRun
from dafre_fast.sources.one_file import fetch_file


class Predicted(Struct, frozen=True):
    """The likeliest names of a picture, or of one head in it: `head` is its box, as shares of
    width and height, and None without a detector.
    """

    picture: str
    names: Sequence[Name]
    head: Box | None = None
    score: float | None = None


class Refused(Struct, frozen=True):
    """A picture without names, and the reason."""

    picture: str
    reason: str
    detail: str = ""


class Predictions(Struct, frozen=True):
    """The result of `predict`: pictures = those named + refused."""

    pictures: int
    named: Sequence[Predicted]
    refused: Sequence[Refused]
    exported: str | None = None


def predict(
    run: PredictRun,
    detecting: Detecting,
    fetching: Fetching,
    bounds: Bounds,
    computing: Computing,
    tell: Tell = silent,
) -> Predictions:
    """Name the characters of all pictures. Raises InputError if the model cannot be read,
    UsageError if there is nothing to do.
    """
    if not run.pictures and not run.export:
        raise UsageError("name a picture: a file, a folder or a URL")
    with TemporaryDirectory(prefix="dafre_fast-") as temporary:
        folder = Path(temporary)
        found = _detector(detecting, folder, fetching, tell)
        namer = open_namer(run.model, computing, bounds, run.names, *found)
        if namer.config.images == "both" and not namer.detector and run.pictures:
            raise UsageError("the model looks at heads beside full images: --detector is needed")
        if namer.config.images == "faces" and not namer.detector and run.pictures:
            tell(
                Notice("the model looks at heads; without --detector each picture is taken for one")
            )
        exported = _export(namer, run) if run.export else None
        pictures = [*dict.fromkeys(one for word in run.pictures for one in _pictures(word))]
        named, refused = _all(pictures, namer, fetching, folder, tell)
    return Predictions(len(pictures), named, refused, exported)


def _all(
    pictures: Sequence[str], namer: Namer, fetching: Fetching, folder: Path, tell: Tell
) -> tuple[list[Predicted], list[Refused]]:
    named, refused = list[Predicted](), list[Refused]()
    tell(Began("pictures", len(pictures)))
    for picture in pictures:
        reason, shown = None, to_text(public(picture))
        try:
            seen = namer.name(_read(picture, fetching, folder))
            named += [_predicted(shown, one) for one in seen]
        except Refusal as refusal:
            reason = refusal.reason
            refused.append(Refused(shown, str(reason), refusal.detail))
        tell(Advanced((reason,)))
    tell(Ended())
    return named, refused


def _predicted(picture: str, seen: Seen) -> Predicted:
    return Predicted(picture, seen.names, seen.head, seen.score)


def _pictures(word: str) -> Iterator[str]:
    """Yield the pictures that a word names: itself, or all files of a folder. Raises UsageError if
    the folder has none.
    """
    folder = Path(word)
    if "://" in word or not folder.is_dir():
        yield word
        return
    walk = Walk(folder)
    files = sorted(walk)
    files += walk.met.unlisted  # to be refused as what cannot be read
    if not files:
        raise UsageError(f"{word}: the folder has no file")
    yield from (f"{folder / name}" for name in files)


def _read(picture: str, fetching: Fetching, folder: Path) -> bytes:
    """Return the bytes of a file or URL. Raises Refusal."""
    try:
        path = wait_for(fetch_file(picture, folder, fetching, silent))
    except SourceError as error:
        if isinstance(error.__cause__, Refusal):
            raise error.__cause__ from error
        raise Refusal(Reason.NETWORK_ERROR, str(error)) from error
    except UsageError as error:
        raise Refusal(Reason.UNREADABLE_ORIGINAL, str(error)) from error
    return read_original(to_text(str(path)), fetching.max_bytes)


def _detector(
    detecting: Detecting, folder: Path, fetching: Fetching, tell: Tell
) -> tuple[Detector | None, float]:
    """Return the detector, if one is named, and the least score of a head."""
    if not detecting.detector:
        return None, 0.0
    model = find_model(detecting, folder, fetching, tell)
    return load(model.path.read_bytes(), model.options), model.count_threshold


def _export(namer: Namer, run: PredictRun) -> str:
    from dafre_fast.learning.onnx import export

    config = namer.config
    return str(export(namer.model, config.recipe, VIEWS[config.images], run.model))
