"""Run `export`: the images of a dataset that are asked for, and the tables that describe them.

All is written into a hidden folder beside that of the export, which it replaces at the end.
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import polars as pl
from msgspec import Struct

from dafre_fast.core.atomic import check_writable, temporary
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.findings import Flaw
from dafre_fast.core.layout import EXPORTS, STATE
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.chosen import Lists
from dafre_fast.dataset.locks import alone, undisturbed
from dafre_fast.dataset.outputs import choose_outputs, read_outputs
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.samples import Damaged, Sample, read_samples
from dafre_fast.engine.apart import refuse_pack
from dafre_fast.engine.observers import counted
from dafre_fast.export.formats.choose import FORMATS
from dafre_fast.export.rows import FILE, Exporting, Format, images_of, refuse_unfit
from dafre_fast.export.settings import ExportRun
from dafre_fast.pack.rows import made_of, read_packable
from dafre_fast.tables.writing import write_csv

RECORD, DAMAGED = "export.json", "damaged.csv"


class Exported(Struct, frozen=True):
    """The result of `export`.

    The `images` of the splits asked for are the sum of `exported`, `refused` (by the run that made
    them, per reason), `damaged` (since then, per flaw) and `excluded` by lists. `boxes` counts the
    images with a box; of the exported ones, `linked` are hard links.
    """

    format: str
    images: int
    exported: int
    refused: Mapping[str, int]
    damaged: Mapping[Flaw, int]
    excluded: int
    boxes: int
    linked: int
    splits: Mapping[str, int]
    folder: str
    seconds: float


class _Record(Struct, frozen=True):
    """The file that tells an export from other folders."""

    format: str
    images: str
    exported: int


def export(run: ExportRun, tell: Tell = silent) -> Exported:
    """Write an export in place of an earlier one.

    Raises InputError if the dataset or a list cannot be read, OutputError if the folder cannot be
    written, UsageError if nothing is left to export, the images do not fit the format, the folder
    holds something else, or another run uses the dataset or the folder.
    """
    began = time.monotonic()
    outputs = choose_outputs(read_outputs(run.output), run.images)
    if len(outputs) > 1:
        raise UsageError("--images both: an export holds one kind of image: full or faces")
    output, format = outputs[0], FORMATS[run.format]
    into = run.into or run.output / EXPORTS / f"{run.format}-{run.images}"
    _refuse_folder(into, run.output)
    with undisturbed(run.output / STATE):
        tell(Doing("reading the manifest"))
        found = _Found.read(run, output, format, tell)
        with _replacing(into) as folder:
            writing = _Writing(folder, Pictures.of(run.output), output, run, tell)
            kept = writing.pictures(found.images)
            tell(Doing("describing the images"))
            _write_rest(folder, format, Exporting(found.name, kept, found.classes), writing.damaged)
            record = _Record(run.format, run.images, kept.height)
            (folder / RECORD).write_bytes(msgspec.json.encode(record) + b"\n")
    splits = dict(kept["split"].value_counts(sort=True, name="images").iter_rows())
    return Exported(
        format=run.format,
        images=found.asked,
        exported=kept.height,
        refused=found.refused,
        damaged=Counter(one.flaw for one in writing.damaged),
        excluded=found.excluded,
        boxes=kept["left"].count(),
        linked=writing.linked,
        splits=splits,
        folder=str(into),
        seconds=time.monotonic() - began,
    )


class _Found(Struct, frozen=True):
    """The images to export, and the number of those asked for, refused and excluded."""

    name: str
    images: pl.DataFrame
    classes: Sequence[str]
    asked: int
    refused: Mapping[str, int]
    excluded: int

    @classmethod
    def read(cls, run: ExportRun, output: Output, format: Format, tell: Tell) -> "_Found":
        lists = Lists.of(run)
        packable = read_packable(
            run.output, described=True, shuffle=False, lists=lists, splits=run.split, tell=tell
        )
        refuse_unfit(format, run.format, output, packable.class_names)
        made = made_of(packable.asked)
        if made.is_empty():
            of = str(lists) or ", ".join(run.split) or str(run.output)
            raise UsageError(f"{of}: no image that was made is left to export")
        path = format.path(packable.class_names, output.extension)
        return cls(
            name=run.output.resolve().name,
            images=images_of(made, output, path),
            classes=packable.class_names,
            asked=packable.asked.height + packable.excluded,
            refused=packable.refused,
            excluded=packable.excluded,
        )


class _Writing:
    """The writing of images into a folder. `damaged` are those left out so far, and `linked` counts
    hard links.
    """

    def __init__(
        self, folder: Path, stored: Pictures, output: Output, run: ExportRun, tell: Tell
    ) -> None:
        self._folder, self._stored, self._output, self._tell = folder, stored, output, tell
        self._links = run.files == "link"
        self.damaged, self.linked = list[Damaged](), 0

    def pictures(self, images: pl.DataFrame) -> pl.DataFrame:
        """Write all images, and return the rows of those that are as recorded. Raises InputError if
        there are none.
        """
        samples = read_samples(self._stored, images, (self._output,))
        good = list[int]()
        with counted(self._tell, "images", images.height) as advance:
            for sample in samples:
                if isinstance(sample, Damaged):
                    self.damaged.append(sample)
                    advance(sample.flaw)
                else:
                    self._write(sample)
                    good.append(sample.place)
                    advance(None)
        if not good:
            first = self.damaged[0]
            raise InputError(f"all images are damaged, such as {first.file}: {first.flaw}")
        return images[good]

    def _write(self, sample: Sample) -> None:
        path = self._folder / sample.row[FILE]
        path.parent.mkdir(parents=True, exist_ok=True)
        place = self._stored.place(self._output, sample.row["id"])
        if self._links and place.size is None:
            try:
                os.link(self._stored.folder / place.file, path)
            except OSError as error:
                self._links = False
                self._tell(Notice(f"{place.name}: no hard link ({error.strerror}): copied instead"))
            else:
                self.linked += 1
                return
        path.write_bytes(sample.files[0])


def _write_rest(
    folder: Path, format: Format, exporting: Exporting, damaged: Sequence[Damaged]
) -> None:
    for name, data in format.files(exporting):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if damaged:
        write_csv(pl.DataFrame([msgspec.structs.asdict(one) for one in damaged]), folder / DAMAGED)


def _refuse_folder(into: Path, dataset: Path) -> None:
    """Raise UsageError for a folder that holds something else than an earlier export."""
    check_writable(into.parent, "--into")
    if (into / RECORD).is_file():
        return
    refuse_pack(into, dataset)
    try:
        if into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise UsageError(f"--into {into}: is no earlier export; give another folder")
    except OSError as error:
        raise OutputError(f"{into}: {error.strerror}") from error


@contextmanager
def _replacing(into: Path) -> Iterator[Path]:
    """Yield an empty folder that at the end takes the place of `into`. Raises OutputError."""
    staging = temporary(into)
    new, old = staging / "new", staging / "old"
    with alone(staging / STATE):
        try:
            for left in (new, old):
                shutil.rmtree(left, ignore_errors=True)
            new.mkdir()
            yield new
            if into.exists():
                into.rename(old)
            new.rename(into)
        except OSError as error:
            raise OutputError(f"{error.filename or into}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
