"""The report command: what a finished dataset is, as one folder of a page and its pictures.

The page is put together from the records of the dataset (manifest, ledger, labels, statistics) and
a bounded number of its files, whatever its size. What is missing or broken is left out and told;
only the manifest must be there.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EFBIG
from functools import partial
from importlib.metadata import version
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

import msgspec
import polars as pl

from dafre_fast.audit.pairs import Pair, some_pairs
from dafre_fast.audit.records import Audit
from dafre_fast.core.atomic import digest, temporary
from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.core.errors import InputError, OutputError, Refusal
from dafre_fast.core.layout import (
    AUDIT,
    AUDIT_SUMMARY,
    EXCLUDE,
    FUNNEL,
    LABELS,
    MANIFEST,
    ORIGINALS,
    REPORT,
    STATE,
    STATISTICS,
    TAGS_FUNNEL,
    bucket,
)
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.core.summaries import Funnel, TagFunnel
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.ledger import Marks, marks
from dafre_fast.dataset.pictures import Pictures, Place
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.provenance import CHOICE, Choice, File, Making, choice, makings
from dafre_fast.dataset.provenance import NAME as MAKINGS
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.pixels.thumbnails import Thumbnail, sheet, square, whole
from dafre_fast.report.overview import chosen, class_names, one_of_each, overview
from dafre_fast.report.page import INDEX, render
from dafre_fast.report.records import (
    Cloud,
    Duplicates,
    Example,
    Overview,
    Page,
    Picture,
    Sheet,
    Throughput,
    Tile,
    Twins,
    Written,
)
from dafre_fast.report.settings import ReportRun
from dafre_fast.report.throughput import throughput
from dafre_fast.stats.records import Level, Statistics

_TILE, _SHEET_TILE, _CLASS_TILE, _REFUSED, _CLOUD = 144, 96, 112, 192, 800
"""Pictures of the report, in pixels."""
_SHEET_COLUMNS = 10
_PICTURES = "pictures"
_MOST_PIXELS, _MOST_BYTES = 100_000_000, 100_000_000
"""Of a file that is shown."""
_NOT_SHOWN = {Reason.WORKER_CRASHED, Reason.OUT_OF_MEMORY, Reason.TIMEOUT, Reason.DECODER_FAILED}
"""Refusals whose originals have brought down a process, or may."""

T = TypeVar("T")


def report(run: ReportRun) -> Path:
    """Write `report/` of a dataset, whole or not at all; the path of its page. Raises as
    `write_report` does.
    """
    return Path(write_report(run).index)


def write_report(run: ReportRun) -> Written:
    """Write `report/` of a dataset, whole or not at all, in place of an earlier one.

    Raises InputError where there is no manifest, or it cannot be read, and OutputError where the
    folder cannot be written, or what stands in its place is no report.
    """
    final = run.output / REPORT
    if final.exists() and not (final / INDEX).is_file():
        raise OutputError(f"{final}: is there and is no report; move it away")
    manifest = open_manifest(run.output)
    try:
        with _replacing_folder(final) as folder:
            page = _Author(run, manifest, folder).page()
            for name, text in render(page, version("dafre_fast")).items():
                (folder / name).write_text(text, encoding="utf-8")
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{run.output / MANIFEST}: cannot be read: {reason}") from error
    return Written(
        index=str(final / INDEX),
        files=len(sizes),
        bytes=sum(sizes),
        images=page.overview.images,
        left_out=page.left_out,
        unread=page.unread,
    )


@contextmanager
def _replacing_folder(final: Path) -> Iterator[Path]:
    """Fill the folder given and it stands in the place of `final` at the end; on an error nothing
    changes. Between two renames, and nowhere else, a kill leaves neither; both are then beside it
    under hidden names. Raises OutputError where that cannot be done.
    """
    part = temporary(final)
    old = part.with_suffix(".old")
    try:
        for left in (part, old):
            if left.exists():
                shutil.rmtree(left)
        part.mkdir()
        yield part
        if final.exists():
            final.replace(old)
        part.replace(final)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise OutputError(f"{final}: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


class _Author:
    """Puts one page together, and its pictures into a folder."""

    def __init__(self, run: ReportRun, manifest: pl.LazyFrame, folder: Path) -> None:
        self._run, self._manifest, self._folder = run, manifest, folder
        self._left_out = dict[str, str]()
        self._unread = set[str]()
        self._pictures = Pictures.of(run.output)

    def page(self) -> Page:
        run = self._run
        found = overview(self._manifest, classes=run.classes, examples=run.examples, seed=run.seed)
        if found.heads is None:
            self._left_out["heads"] = "the manifest has no head boxes"
        if not found.sizes:
            self._left_out["sizes"] = "no image was made"
        marked, told = self._marks(), self._choice()
        return Page(
            title=run.title or run.output.absolute().name,
            seed=run.seed,
            overview=found,
            funnel=self._record(f"{LABELS}/{FUNNEL}", Funnel, "funnel"),
            tag_funnel=self._record(f"{LABELS}/{TAGS_FUNNEL}", TagFunnel, "tags"),
            statistics=self._record(f"{STATISTICS}/stats.json", Statistics, "tags"),
            clouds=[*self._clouds()],
            sheets=[sheet for split in found.splits for sheet in self._sheets(split.name)],
            class_pictures=self._class_pictures(found),
            refused_pictures=self._refused_pictures(found),
            duplicates=self._duplicates(),
            throughput=self._throughput(marked),
            recipes=marked.recipes,
            makings=self._makings(marked),
            choice=told,
            in_shards=lies_in_shards(run.output),
            files=[*self._files(), *(told.tables if told else ())],
            left_out=self._left_out,
            unread=sorted(self._unread),
        )

    def _record(self, name: str, kind: type[T], section: str) -> T | None:
        path = self._run.output / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            self._left_out[section] = f"{name} is not there"
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            self._left_out[section] = f"{name} cannot be read"
            self._unread.add(name)
        return None

    def _marks(self) -> Marks:
        try:
            return marks(self._run.output / STATE)
        except InputError:
            self._unread.add(f"{STATE}/{LEDGER}")
            return Marks({}, 0, {})

    def _throughput(self, marked: Marks) -> Throughput | None:
        found = throughput(marked.times, marked.untimed)
        if found is None:
            reason = "the ledger does not say when" if marked.untimed else "there is no ledger"
            once = "all outcomes were recorded at once"
            self._left_out["throughput"] = once if marked.times else reason
        return found

    def _makings(self, marked: Marks) -> list[Making]:
        try:
            known = makings(self._run.output)
        except InputError:
            self._unread.add(f"{STATE}/{MAKINGS}")
            known = []
        of_ledger = [one for one in known if {one.pixels, one.bounded} & marked.recipes.keys()]
        if not of_ledger:
            self._left_out["settings"] = "settings and versions were not recorded"
        return of_ledger

    def _choice(self) -> Choice | None:
        try:
            return choice(self._run.output)
        except InputError:
            self._unread.add(f"{STATE}/{CHOICE}")
            return None

    def _files(self) -> Iterator[File]:
        """The records that make the dataset what it is."""
        labels = sorted((self._run.output / LABELS).glob("*"))
        for path in (self._run.output / MANIFEST, *labels):
            name = str(path.relative_to(self._run.output))
            if path.is_file():
                try:
                    found = digest(path)
                    yield File(name, found.bytes, found.sha256)
                except OSError:
                    self._unread.add(name)

    def _clouds(self) -> Iterator[Cloud]:
        for category in CATEGORY_NAMES:
            for level in Level:
                name = f"{STATISTICS}/wordcloud_{level}_cat{category}.png"
                if (self._run.output / name).is_file():
                    shown = self._shown(Place(name, name), partial(whole, size=_CLOUD))
                    if shown:
                        file = f"cloud-{level}-{category}.webp"
                        yield Cloud(category, level.value, self._save(shown, file))

    def _sheets(self, split: str) -> Iterator[Sheet]:
        """Of the same images in every tree."""
        run = self._run
        examples = chosen(self._manifest, split, run.sheet, run.seed)
        for output in self._pictures.outputs if examples else ():
            places = [self._pictures.place(output, example.id) for example in examples]
            drawn = sheet(map(self._read, places), _SHEET_TILE, _SHEET_COLUMNS, _MOST_PIXELS)
            self._unread.update(places[number].name for number in drawn.broken)
            picture = self._save(drawn.picture, f"sheet-{output.tree}-{split}.webp")
            tiles = [self._tile(output, example) for example in examples[: run.labelled]]
            number = len(examples) - sum(place.name in self._unread for place in places)
            yield Sheet(split, output.tree, number, picture if number else None, tiles)

    def _tile(self, output: Output, example: Example) -> Tile:
        place = self._pictures.place(output, example.id)
        shown = self._shown(place, partial(square, size=_TILE))
        saved = self._save(shown, f"{output.tree}/{example.id}.webp") if shown else None
        return Tile(example, saved)

    def _class_pictures(self, found: Overview) -> Mapping[int, Picture]:
        classes = [one.class_id for one in found.classes]
        pictures = {}
        for class_id, example in one_of_each(self._manifest, classes, self._run.seed).items():
            place = self._pictures.place(HEAD_CROP, example.id)
            if shown := self._shown(place, partial(square, size=_CLASS_TILE)):
                pictures[class_id] = self._save(shown, f"class/{class_id}.webp")
        return pictures

    def _refused_pictures(self, found: Overview) -> Mapping[int, Picture]:
        """Of originals that are there and can be decoded at least in part."""
        pictures = {}
        for refused in found.refused:
            for example in refused.examples if refused.reason not in _NOT_SHOWN else ():
                for path in self._originals(example):
                    with suppress(OSError, Refusal):
                        shown = whole(_bytes_of(path), _REFUSED, _MOST_PIXELS)
                        pictures[example.id] = self._save(shown, f"refused/{example.id}.webp")
                        break
        return pictures

    def _duplicates(self) -> Duplicates | None:
        name = f"{AUDIT}/{AUDIT_SUMMARY}"
        if not (self._run.output / name).exists():  # an audit is no part of `full`
            return None
        audit = self._record(name, Audit, "duplicates")
        if audit is None:
            return None
        try:
            pairs = some_pairs(self._run.output, self._run.pairs)
        except InputError:
            self._unread.add(f"{AUDIT}/{EXCLUDE}")
            pairs = []
        names = class_names(self._manifest, [one for pair in pairs for one in pair.class_ids])
        return Duplicates(audit, [self._twins(pair, names) for pair in pairs])

    def _twins(self, pair: Pair, names: Mapping[int, str]) -> Twins:
        leaves, stays = (
            self._tile(
                FULL_IMAGE, Example(one, f"{bucket(one)}/{one}.jpg", names.get(class_id, ""))
            )
            for one, class_id in zip(pair.ids, pair.class_ids, strict=True)
        )
        return Twins(leaves, stays, pair.splits, pair.distance)

    def _originals(self, example: Example) -> Iterator[Path]:
        if example.url and "://" not in example.url:
            yield Path(example.url)
        folder = self._run.output / ORIGINALS / bucket(example.id)
        yield from sorted(folder.glob(f"{example.id}.*"))

    def _shown(self, place: Place, draw: Callable[..., Thumbnail]) -> Thumbnail | None:
        data = self._read(place)
        if data is not None:
            try:
                return draw(data, max_pixels=_MOST_PIXELS)
            except Refusal:
                self._unread.add(place.name)
        return None

    def _read(self, place: Place) -> bytes | None:
        try:
            if place.size is None:
                return _bytes_of(self._run.output / place.file)
            return place.read(self._run.output)
        except OSError:
            self._unread.add(place.name)
            return None

    def _save(self, picture: Thumbnail, name: str) -> Picture:
        path = self._folder / _PICTURES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.data)
        return Picture(f"{_PICTURES}/{name}", picture.width, picture.height)


def _bytes_of(path: Path) -> bytes:
    """Raises OSError, also for what is no plain file or too large to be shown."""
    found = path.stat()
    if not S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
        raise OSError(EFBIG, os.strerror(EFBIG))
    return path.read_bytes()
