"""Search originals for heads: in workers that each load the detector once."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from msgspec.structs import replace

from dafre_fast.core.addresses import public
from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, Refusal, UsageError
from dafre_fast.core.events import Doing, Tell
from dafre_fast.core.layout import STATE
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Detected, Head, Wanted
from dafre_fast.core.refusing import refusing
from dafre_fast.core.settings.detecting import Counting, Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.outcomes import last_outcomes, settled
from dafre_fast.dataset.recorder import Recorder
from dafre_fast.engine.discarding import discard_all
from dafre_fast.engine.feed import Feed, Task
from dafre_fast.engine.loops import run
from dafre_fast.engine.observers import Watch
from dafre_fast.engine.originals import Originals, table_of_originals
from dafre_fast.engine.parts import own_rows
from dafre_fast.engine.refusals import asked_again
from dafre_fast.engine.resume import resumed
from dafre_fast.engine.work import discard, read_original
from dafre_fast.pixels.detectors.beside import FILES, Beside, read_beside
from dafre_fast.pixels.detectors.decide import Options
from dafre_fast.pixels.detectors.detector import Detector, Settings, load
from dafre_fast.sources.one_file import fetch_beside, fetch_file

FLOOR = 0.1
"""Boxes of at least this score are recorded, so that another threshold needs no other search."""
_REVISION = 2
"""Raise this with every change of the code that changes which boxes are found."""
_DIGITS = 6
"""Decimals of boxes and scores, as in faces.tsv."""
_PRELOAD = (
    "dafre_fast.engine.detection",
    "dafre_fast.pixels.making",
    "dafre_fast.core.jit:load_all",
    "dafre_fast.pixels.decoders.turbo:turbo",
    "dafre_fast.cli",
)


@dataclass(frozen=True)
class Model:
    """A detector on disk that was found to work."""

    path: Path
    options: Options
    used: "Used"

    @property
    def name(self) -> str:
        """The first 16 digits of its SHA-256."""
        return self.used.sha256[:16]

    @property
    def count_threshold(self) -> float:
        """Least score of a box that counts as a head."""
        return self.used.count_threshold

    def recipe(self) -> str:
        """Return the first 16 digits of a hash of all that decides which boxes are found."""
        used = self.used
        deciding = (_REVISION, used.sha256, self.options.threshold, used.settings)
        return hashlib.sha256(msgspec.json.encode(deciding)).hexdigest()[:16]

    def record(self, path: Path) -> None:
        """Write what was used as JSON. Raises OutputError if the file cannot be written."""
        with replacing(path) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(self.used)))


class Used(msgspec.Struct, frozen=True):
    """The settings a detector is used with, as in detector.json."""

    detector: str
    """The file or address, without passwords and signatures."""
    sha256: str
    settings: Settings
    count_threshold: float
    """Least score of a box that counts as a head."""
    least_score: float
    """Least score of a box that is recorded."""
    backend: str
    beside: Sequence[str]
    """The names of the files beside the model that were read."""

    def __str__(self) -> str:
        settings = self.settings
        kind = settings.kind.label or settings.kind.number
        width, height = settings.fixed or (settings.side, settings.side)
        size = f"{width} x {height} pixels{'' if settings.fixed else ' at most'}"
        files = f", with {', '.join(self.beside)}" if self.beside else ""
        return (
            f"detector: {settings.family}, {size}, class {kind}, heads from a score of"
            f" {self.count_threshold:g}, {self.backend}{files}"
        )


@dataclass(frozen=True)
class Use:
    """The originals that are used after the search: those with exactly one box of at least
    `count_threshold` that has at least `min_confidence`.
    """

    count_threshold: float
    min_confidence: float

    def of(self, heads: Iterable[Sequence[float]]) -> bool:
        """Return True if an original with these heads (`Detected.heads`) is used. Scores are
        compared as float32, the type that they have in tables.
        """
        scores = np.array([score for *_, score in heads], np.float32)
        counted = scores[scores >= np.float32(self.count_threshold)]
        return len(counted) == 1 and bool(counted[0] >= np.float32(self.min_confidence))


def find_model(detecting: Detecting, output: Path, fetching: Fetching, tell: Tell) -> Model:
    """Read the model that `--detector` names with the files beside it, and try it; what has to be
    fetched is put into the state folder of `output`.

    Raises InputError if it cannot be read, UsageError if it cannot be used, or not in this way, and
    SourceError if it cannot be fetched.
    """
    spec = detecting.detector
    assert spec
    folder = output / STATE / "models"
    path = run(fetch_file(spec, folder, fetching, tell))
    data = _bytes(path)
    files = run(fetch_beside(spec, FILES, folder, fetching, tell))
    tell(Doing("trying the detector"))
    try:
        beside = read_beside({name: _bytes(file) for name, file in files.items()})
        options = _options(detecting, beside)
        detector = load(data, options)
    except UsageError as error:
        raise UsageError(f"{public(spec)}: {error}") from error
    told = beside.threshold_of(detector.kind.label)
    said = (detecting.count_threshold, told, Counting().count_threshold)
    count_threshold = next(one for one in said if one is not None)
    options = replace(options, threshold=min(FLOOR, count_threshold))
    used = Used(
        detector=public(spec),
        sha256=hashlib.sha256(data).hexdigest(),
        settings=detector.settings,
        count_threshold=count_threshold,
        least_score=options.threshold,
        backend=detector.network.backend,
        beside=[*files],
    )
    return Model(path, options, used)


def _options(detecting: Detecting, beside: Beside) -> Options:
    return Options(
        nms=detecting.nms,
        side=detecting.detect_side,
        family=detecting.detector_family,
        fit=detecting.detector_fit,
        kind=detecting.class_,
        backend=detecting.backend,
        beside=beside,
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def detect_all(
    asked: pl.DataFrame,
    originals: Originals,
    model: Model,
    use: Use,
    bounds: Bounds,
    running: Running,
    output: Path,
    watch: Watch,
) -> tuple[pl.DataFrame, Work]:
    """Search the original of every row of `asked` (column `key`) for heads. An original that is not
    of `use` afterwards is removed, unless originals are kept.

    Outcomes of earlier runs in the ledger of `output` are kept if the same model found them.
    Returns what this run did, and a table with a row per row of `asked`, in its order: `key`,
    `reason`, `detail`, `original_width`, `original_height` and `heads`, a list of `Detected.heads`.
    Raises KeyboardInterrupt if the run was stopped; what was finished is kept.
    """
    watch.tell(Doing("reading the ledger"))
    recipe = model.recipe()
    whole, asked = asked.height, own_rows(asked, running)
    with resumed(output, running) as ledger:
        fetched = last_outcomes(ledger.paths, "fetch").collect().lazy()
        found = last_outcomes(ledger.paths, "detect").collect().lazy()
        standing = settled(found, recipes=[recipe], retry_failed=running.retry_failed)
        again = asked_again(standing, asked, fetched, originals.identity, running, watch)
        standing = standing.join(again, on="key", how="anti")
        todo = asked.lazy().join(standing, on="key", how="anti", maintain_order="left").collect()
        watch.begin(asked.height, asked.height - todo.height, whole)
        if not originals.keep:
            searched = standing.join(asked.lazy(), on="key", how="semi")
            discard_all(originals, fetched, _unused(searched, use))
        originals = originals.with_record(fetched)
        rows = table_of_originals(_as_asked(todo), fetched, originals)
        task = Task(
            initialise=_Load(model, use, bounds, ledger.recorder()),
            outcome=Detected,
            recipe=lambda _reason: recipe,
            memory_bytes=bounds.worker_memory,
            preload=_PRELOAD,
        )
        work = Feed(task, originals, running, ledger, watch).carry_out(rows)
        refused = standing.filter(pl.col("reason").is_not_null())
        refused_before = asked.lazy().join(refused, on="key", how="semi").collect().height
        watch.tell(Doing("gathering outcomes"))
        ledger.mend()
        work = msgspec.structs.replace(work, refused_before=refused_before)
        return outcomes_of(asked, last_outcomes(ledger.paths, "detect")), work


def _as_asked(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the columns of `engine.plan`; no output is written."""
    nothing = pl.lit(None, pl.String)
    edges = {edge: pl.lit(None, pl.Float32) for edge in ("left", "top", "right", "bottom")}
    return rows.select("key", original=nothing, spool=nothing, **edges)


def _unused(found: pl.LazyFrame, use: Use) -> pl.LazyFrame:
    """Return `key` of the originals among last outcomes that are not used any more."""
    rows = found.select("key", pl.col("heads").fill_null([])).collect()
    unused = [key for key, heads in rows.iter_rows() if not use.of(heads)]
    return pl.LazyFrame({"key": unused}, schema={"key": pl.String()})


def outcomes_of(asked: pl.DataFrame, found: pl.LazyFrame) -> pl.DataFrame:
    """Return the last outcomes of searching (`found`) for each row of `asked`, as `detect_all`."""
    columns = ("key", "reason", "detail", "original_width", "original_height", "heads")
    joined = asked.lazy().join(found.select(*columns), on="key", how="left", maintain_order="left")
    return joined.with_columns(pl.col("heads").fill_null([])).collect()


@dataclass(frozen=True)
class _Load:
    """Loads the detector in a worker; returns the function that searches an original."""

    model: Model
    use: Use
    bounds: Bounds
    recorder: Recorder

    def __call__(self) -> "partial[Reason | None]":
        detector = load(_bytes(self.model.path), self.model.options)
        recipe = self.model.recipe()
        return partial(_search, detector, recipe, self.use, self.bounds, self.recorder)


def _search(
    detector: Detector, recipe: str, use: Use, bounds: Bounds, recorder: Recorder, wanted: Wanted
) -> Reason | None:
    """Search an original and record the outcome. Returns the reason if it was refused."""
    try:
        data = read_original(wanted.original or "", bounds.max_bytes)
        outcome = _found(detector, recipe, bounds, data, wanted)
    except Refusal as refusal:
        outcome = Detected(
            key=wanted.key,
            recipe=recipe,
            reason=refusal.reason,
            detail=refusal.detail,
            original=wanted.original,
        )
    recorder.append(outcome)
    if not use.of(outcome.heads):
        discard(wanted, outcome.reason)
    return outcome.reason


def _found(
    detector: Detector, recipe: str, bounds: Bounds, data: bytes, wanted: Wanted
) -> Detected:
    from dafre_fast.pixels.making import show_picture  # the parent does without the decoders

    with refusing():
        size, pixels = show_picture(data, bounds, detector.side)
    return Detected(
        key=wanted.key,
        recipe=recipe,
        original=wanted.original,
        original_width=size.width,
        original_height=size.height,
        heads=tuple(map(_rounded, detector.find(pixels))),
    )


def _rounded(head: Head) -> tuple[float, float, float, float, float]:
    left, top, right, bottom = (round(edge, _DIGITS) for edge in head.box)
    return left, top, right, bottom, round(head.score, _DIGITS)
