"""Pack a dataset: shards, archives or tables to hand on.

A part of a pack (a shard, an archive) is written under a temporary name, renamed, and recorded
last. The next run keeps every part whose record has the same contents and whose files have the
recorded bytes.
"""

import csv
import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from dafre_fast.core.addresses import store_address
from dafre_fast.core.atomic import File, replacing
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.layout import (
    MANIFEST,
    PACKS,
    STATE,
)
from dafre_fast.core.summaries import Packed
from dafre_fast.dataset.chosen import Lists
from dafre_fast.dataset.locks import undisturbed
from dafre_fast.dataset.outputs import choose_outputs, read_outputs
from dafre_fast.dataset.samples import Damaged
from dafre_fast.dataset.shard_order import Numbers
from dafre_fast.engine.apart import refuse_pack
from dafre_fast.pack.formats.choose import FORMATS
from dafre_fast.pack.packing import Packing, holds_dataset
from dafre_fast.pack.part import Part
from dafre_fast.pack.records import Shard
from dafre_fast.pack.rows import read_packable
from dafre_fast.pack.settings import PackRun
from dafre_fast.pack.target import (
    CARD,
    CARD_RECORD,
    DAMAGED,
    SUMS,
    Target,
    opened,
    refuse_unwritable,
)


def pack(
    run: PackRun,
    tell: Tell = silent,
    *,
    digests: bool = True,
    numbers: Numbers | None = None,
    made_in: int | None = None,
) -> Packed:
    """Write a pack, or the parts of it that are missing.

    With `digests`, parts that exist are compared by their bytes, without by their sizes. With
    `numbers`, the dataset holds the images of these shards alone, and only they are written. With
    `made_in`, so many parts of a run have written all shards already.

    Raises InputError if the dataset cannot be read, OutputError if the pack cannot be written,
    UsageError while another run uses the dataset or the pack, and PartsError if a part of a run has
    to be done again.
    """
    began, cpu = time.monotonic(), time.process_time()
    choose_outputs(read_outputs(run.output), run.images)  # it becomes the name of a folder
    format, folder = FORMATS[run.format], run.into or _default_folder(run)
    refuse_unwritable(run.into, folder)
    if run.into and not store_address(run.into):
        refuse_pack(run.into, run.output)
    lists = _lists(run, folder)
    with undisturbed(run.output / STATE, exclusive=False):
        tell(Doing("reading the manifest"))
        packable = read_packable(
            run.output,
            described=format.describes_images,
            shuffle=run.shuffle,
            lists=lists,
            in_order=format.in_order,
            columns=format.columns,
            tell=tell,
        )
        if not packable.made and numbers is None:
            of = f"{lists}: of the images left" if str(lists) else f"{run.output / MANIFEST}:"
            raise InputError(f"{of} no image was made")
        packable = packable._replace(numbers=numbers)
        with opened(run.into, folder, run.output, numbers) as target:
            parts = format.parts(run, packable)
            packing = Packing(run, target, packable, digests=digests, made_in=made_in)
            shards, written = packing.carry_out(parts, tell)
            files = _files_of(parts, shards)
            if numbers is None:
                tell(Doing("describing the pack"))
                if format.card:
                    _write_card(target, format.card(run, packable), tell)
                _sum_up(target.folder, files, shards)
                target.finish(packing.doomed, packing.forgotten)
    damaged = {one.id: one for shard in shards for one in reversed(shard.damaged)}
    flaws = Counter(one.flaw for one in damaged.values())
    return Packed(
        images=packable.asked.height + packable.excluded,
        packed=packable.made - len(damaged),
        refused=packable.refused,
        damaged=flaws,
        excluded=packable.excluded,
        damaged_list=f"{target}/{DAMAGED}" if damaged and numbers is None else None,
        written=written,
        kept=len(parts) - written,
        bytes=sum(file.bytes for file in files.values()),
        folder=str(target),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - cpu + packing.cpu_seconds,
    )


def _default_folder(run: PackRun) -> Path:
    return run.output / PACKS / f"{run.format}-{run.images}"


def _lists(run: PackRun, folder: Path) -> Lists:
    """Return the lists of a run. Raises UsageError if the pack must hold every image."""
    lists = Lists.of(run)
    if flag := "--only" if run.only else "--exclude" if run.exclude else None:
        if FORMATS[run.format].holds_labels:
            raise UsageError(
                f"{flag}: archives hold the labels, too, which would name what is left out"
            )
        if holds_dataset(run, folder):
            raise UsageError(
                f"{flag}: {folder} holds the dataset itself; give --into another folder"
            )
    return lists


def _files_of(parts: Sequence[Part], shards: Sequence[Shard]) -> dict[str, File]:
    """Return the files of parts by their paths in the pack."""
    return {
        str(Path(part.name).with_name(name)): file
        for part, shard in zip(parts, shards, strict=True)
        for name, file in shard.files.items()
    }


def _sum_up(folder: Path, files: Mapping[str, File], shards: Sequence[Shard]) -> None:
    """Write SHA256SUMS of all files, and the table of damaged images."""
    lines = (f"{file.sha256}  {name}\n" for name, file in sorted(files.items()))
    _write_text(folder / SUMS, "".join(lines))
    damaged = [one for shard in shards for one in shard.damaged]
    if damaged:
        with replacing(folder / DAMAGED) as part, part.open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(Damaged.__struct_fields__)
            rows.writerows(msgspec.structs.astuple(one) for one in damaged)
    else:
        (folder / DAMAGED).unlink(missing_ok=True)


def _write_card(target: Target, text: str, tell: Tell) -> None:
    """Write the card and its hash beside the records of parts; one that somebody else wrote or
    edited is kept.
    """
    path, record = target.folder / CARD, target.folder / CARD_RECORD
    try:
        there = path.read_bytes()
        ours = record.read_text() if record.exists() else None
    except FileNotFoundError:
        there = None
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    if there is not None and hashlib.sha256(there).hexdigest() != ours:
        if there != text.encode():
            why = "is not as it was written and is kept; move it away for a new one"
            tell(Notice(f"{target}/{CARD} {why}"))
        return
    _write_text(path, text)
    _write_text(record, hashlib.sha256(text.encode()).hexdigest())


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
