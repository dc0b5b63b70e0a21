"""The pack command: a dataset in the files in which it is handed on.

A part of a pack (a shard, an archive) is written under a temporary name, renamed, and recorded
last. The next run keeps what is recorded with the same contents and has its bytes.
"""

import asyncio
import csv
import time
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.atomic import File, digest, replacing
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Tell, silent
from dafre_fast.core.layout import (
    MANIFEST,
    PACKS,
    SHARDS,
    STATE,
)
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import HEAD_CROP, Output, Whole
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.core.summaries import Packed
from dafre_fast.dataset.exclusions import read_excluded
from dafre_fast.dataset.locks import alone, undisturbed
from dafre_fast.dataset.outputs import choose_outputs
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.samples import Damaged, still_damaged
from dafre_fast.dataset.spools import Spools, clear_spools
from dafre_fast.engine.observers import Advance, counted
from dafre_fast.pack.card import Split, card
from dafre_fast.pack.formats import huggingface
from dafre_fast.pack.formats.choose import Part, hub_table, parts_of
from dafre_fast.pack.receipts import all_recorded, forget, recorded
from dafre_fast.pack.records import Shard
from dafre_fast.pack.rows import Packable, made_of, read_packable, recorded_columns
from dafre_fast.pack.settings import PackRun
from dafre_fast.pack.writing import Task, carry_out_all

SUMS, DAMAGED, CARD = "SHA256SUMS", "damaged.csv", "README.md"


def pack(run: PackRun, tell: Tell = silent, *, digests: bool = True) -> Packed:
    """Write a pack, or what is missing of it; `digests`: of what stands the bytes are compared, not
    sizes alone.

    Raises InputError where the dataset cannot be read, OutputError where the pack cannot be
    written, UsageError while another run is at work on one of the two.
    """
    began, cpu = time.monotonic(), time.process_time()
    folder = run.into or run.output / PACKS / f"{run.format}-{run.images}"
    exclude = _excluded(run, folder)
    with undisturbed(run.output / STATE, exclusive=False):
        told = run.format != "tar"
        packable = read_packable(run.output, told=told, shuffle=run.shuffle, exclude=exclude)
        if not packable.made:
            raise InputError(f"{run.output / MANIFEST}: no image was made")
        with alone(folder / STATE):
            parts = parts_of(run, packable)
            packing = _Packing(run, folder, packable, digests=digests)
            shards, written = packing.carry_out(parts, tell)
            if run.format == "hf":
                _write_text(folder / CARD, _card(run, packable))
            files = _sum_up(folder, parts, shards)
    damaged = {one.id: one for shard in shards for one in reversed(shard.damaged)}
    flaws = Counter(one.flaw for one in damaged.values())
    return Packed(
        images=packable.asked.height + packable.excluded,
        packed=packable.made - len(damaged),
        refused=packable.refused,
        damaged=flaws,
        excluded=packable.excluded,
        damaged_list=str(folder / DAMAGED) if damaged else None,
        written=written,
        kept=len(parts) - written,
        bytes=sum(file.bytes for file in files.values()),
        folder=str(folder),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - cpu + packing.cpu_seconds,
    )


def _excluded(run: PackRun, folder: Path) -> pl.Series:
    """The ids to leave out. Raises UsageError where that would make something incomplete."""
    if run.exclude is None:
        return pl.Series(dtype=pl.Int64)
    if run.format == "tar":
        raise UsageError(
            "--exclude: archives hold the labels, too, which would name what is left out"
        )
    if _holds_dataset(run, folder):
        raise UsageError(
            f"--exclude: {folder} holds the dataset itself; give --into another folder"
        )
    return read_excluded(run.exclude)


def _holds_dataset(run: PackRun, folder: Path) -> bool:
    return lies_in_shards(run.output) and folder.resolve() == (run.output / SHARDS).resolve()


class _Packing:
    """The way of a dataset into a pack. Where the pack is what the dataset lies in, shards that are
    written anew are what it is read from as well: they are spools until then.
    """

    def __init__(self, run: PackRun, folder: Path, packable: Packable, *, digests: bool) -> None:
        self._run, self._folder = run, folder
        self._recorded = packable.asked.filter(status=SUCCESS).select(
            "id", *recorded_columns(packable.outputs)
        )
        self._digests, self.cpu_seconds = digests, 0.0
        own = _holds_dataset(run, folder)
        self._spools = Spools(run.output, run.shard_size) if own else None
        self._pictures = self._find_pictures()

    def _find_pictures(self) -> Pictures:
        if self._spools:
            return self._spools.pictures(self._recorded)
        return Pictures.of(self._run.output)

    def carry_out(self, parts: Sequence[Part], tell: Tell) -> tuple[list[Shard], int]:
        """What stands of each part now, and how many were written for it."""
        with counted(tell, "images", sum(part.rows.height for part in parts)) as advance:
            shards = {part.name: self._standing(part, advance) for part in parts}
            stands = {name for name, shard in shards.items() if shard}
            self._remove_all_but(stands)
            left = [part for part in parts if part.name not in stands]
            shards |= self._write_all(left, advance)
        if self._spools:
            clear_spools(self._run.output)
        return [shard for shard in shards.values() if shard], len(left)

    def _standing(self, part: Part, advance: Advance) -> Shard | None:
        """A part that an earlier run wrote and that need not be written again: all of its files
        have the bytes that are recorded, and images that it left out are no better by now.
        """
        shard = recorded(self._folder, part.name)
        if shard is None or shard.contents != part.contents:
            return None
        path = self._folder / part.name
        try:
            for name, file in shard.files.items():
                found = path.with_name(name)
                if found.stat().st_size != file.bytes or (self._digests and digest(found) != file):
                    return None
        except OSError:
            return None
        left_out = pl.col("id").is_in([one.id for one in shard.damaged])
        rows = part.rows.filter(left_out).iter_rows(named=True)
        if not all(still_damaged(self._pictures, row, part.outputs) for row in rows):
            return None
        _advance(advance, shard)
        return shard

    def _remove_all_but(self, standing: Container[str]) -> None:
        """Remove what earlier runs wrote and what does not stand: a reader of all shards would have
        its images twice.
        """
        names = {*all_recorded(self._folder)}
        if self._spools:  # a copy may have come without its state
            archives = self._folder.glob("*/*.tar")
            names |= {str(path.relative_to(self._folder).with_suffix("")) for path in archives}
        for name in names:
            if name not in standing:
                self._remove(name)
        if self._spools:
            self._pictures = self._find_pictures()

    def _remove(self, name: str) -> None:
        path, shard = self._folder / name, recorded(self._folder, name)
        try:
            if self._spools:
                self._spools.take(path.with_name(f"{path.name}.tar"))
            for file in shard.files if shard else ():
                path.with_name(Path(file).name).unlink(missing_ok=True)
            forget(self._folder, name)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error

    def _write_all(self, parts: Sequence[Part], advance: Advance) -> dict[str, Shard]:
        needed = self._spools.needed_by([part.rows for part in parts]) if self._spools else {}
        written = dict[str, Shard]()

        def take(number: int, shard: Shard) -> None:
            written[parts[number].name] = shard
            _release(needed, number)

        workers = min(self._run.workers or usable_cores(), len(parts))
        if workers < 2:
            for number, part in enumerate(parts):
                take(number, Task(self._folder, part, self._pictures).carry_out(advance))
            return written

        def take_from_worker(number: int, shard: Shard) -> None:
            take(number, shard)
            _advance(advance, shard)

        tasks = (
            Task(self._folder, part, self._pictures.of_images(part.rows["id"])) for part in parts
        )
        running = carry_out_all(tasks, self._folder, workers, take_from_worker)
        self.cpu_seconds += asyncio.run(running)
        return written


def _advance(advance: Advance, shard: Shard) -> None:
    flaws = [one.flaw for one in shard.damaged]
    advance(*flaws, *[None] * (shard.images - len(flaws)))


def _release(needed: dict[Path, set[int]], part: int) -> None:
    """Remove the spools that a part was the last to need, now that it stands."""
    for spool, parts in [*needed.items()]:
        parts.discard(part)
        if not parts:
            spool.unlink(missing_ok=True)
            del needed[spool]


def _sum_up(folder: Path, parts: Sequence[Part], shards: Sequence[Shard]) -> dict[str, File]:
    """Write the hashes of all files, as `sha256sum --check` reads them, and the table of images
    that are left out. Returns all files by their paths in the pack.
    """
    files = {
        str(Path(part.name).with_name(name)): file
        for part, shard in zip(parts, shards, strict=True)
        for name, file in shard.files.items()
    }
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
    return files


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def _what_columns_hold(columns: Mapping[str, str], outputs: Sequence[Output]) -> str:
    """Return a sentence on the columns of pictures: `image` is the whole picture, …"""
    parts = [f"`{columns[output.name]}` {_what_it_shows(output)}" for output in outputs]
    return ", ".join([parts[0].replace("` ", "` is ", 1), *parts[1:]]) + "."


def _what_it_shows(output: Output) -> str:
    if isinstance(output.region, Whole):
        return "the whole picture"
    if output.name == HEAD_CROP.name:
        return "the head"
    return f"the head with a margin of {output.region.margin:g}"


def _card(run: PackRun, packable: Packable) -> str:
    title, rows = run.output.resolve().name, made_of(packable.asked)
    splits = [
        Split(huggingface.SPLITS[str(split)], in_split.height, in_split["class_id"].n_unique())
        for (split,), in_split in rows.group_by("split", maintain_order=True)
    ]
    outputs = choose_outputs(packable.outputs, run.images)
    columns, schema = huggingface.pictures(outputs), hub_table(rows.clear(), outputs, ()).schema
    names = [split.name for split in splits]
    head = huggingface.front_matter(
        title, rows.height, names, schema, packable.class_names, columns.values()
    )
    classes = rows["class_id"].n_unique()
    return head + card(title, classes, splits, _what_columns_hold(columns, outputs))
