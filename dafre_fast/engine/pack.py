"""The pack command: a dataset in the files in which it is handed on.

A part of a pack (a shard, an archive) is written under a temporary name, renamed, and recorded
last. The next run keeps what is recorded with the same contents and has its bytes.
"""

import csv
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.engine.pack_formats import Part, Reading, hub_table, parts_of
from dafre_fast.engine.samples import PICTURES, read_samples, still_damaged
from dafre_fast.engine.undisturbed import alone, undisturbed
from dafre_fast.model.errors import InputError, OutputError
from dafre_fast.model.files import MANIFEST, STATE, replacing
from dafre_fast.model.packs import Damaged, File, Packed, Shard
from dafre_fast.model.settings import PackRun
from dafre_fast.packs import hub
from dafre_fast.packs.tar import digest
from dafre_fast.tables.packing import Packable, read_packable
from dafre_fast.views.card import Split, card
from dafre_fast.views.progress import Progress

SUMS, DAMAGED, CARD = "SHA256SUMS", "damaged.csv", "README.md"


def pack(run: PackRun) -> Packed:
    """Write a pack, or what is missing of it.

    Raises InputError where the dataset cannot be read, OutputError where the pack cannot be
    written, UsageError while another run is at work on one of the two.
    """
    began, cpu = time.monotonic(), time.process_time()
    folder = run.into or run.output / "packs" / f"{run.format}-{run.images}"
    with undisturbed(run.output / STATE, exclusive=False):
        packable = read_packable(run.output, told=run.format != "tar", shuffle=run.shuffle)
        if packable.rows.is_empty():
            raise InputError(f"{run.output / MANIFEST}: no image was made")
        with alone(folder / STATE):
            parts = parts_of(run, packable)
            _remove_others(folder, parts)
            shards, written = _write_all(run, folder, parts)
            if run.format == "hf":
                _write_text(folder / CARD, _card(run, packable))
            files = _sum_up(folder, parts, shards)
    damaged = {one.id: one for shard in shards for one in reversed(shard.damaged)}
    flaws = Counter(one.flaw for one in damaged.values())
    return Packed(
        images=packable.asked.height,
        packed=packable.rows.height - len(damaged),
        refused=packable.refused,
        damaged=flaws,
        damaged_list=str(folder / DAMAGED) if damaged else None,
        written=written,
        kept=len(parts) - written,
        bytes=sum(file.bytes for file in files.values()),
        folder=str(folder),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - cpu,
    )


def _record(folder: Path, name: str) -> Path:
    return folder / STATE / f"{name}.json"


def _remove_others(folder: Path, parts: Sequence[Part]) -> None:
    """Remove what an earlier run wrote that is no part of this pack: a reader of all shards would
    have its images twice.
    """
    state, names = folder / STATE, {part.name for part in parts}
    for path in state.rglob("*.json"):
        name = str(path.relative_to(state)).removesuffix(".json")
        if name not in names:
            _remove(folder, name)


def _remove(folder: Path, name: str) -> None:
    record, shard = _record(folder, name), _recorded(folder, name)
    try:
        for file in shard.files if shard else ():
            (folder / name).with_name(Path(file).name).unlink(missing_ok=True)
        record.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{folder / name}: {error.strerror}") from error


def _recorded(folder: Path, name: str) -> Shard | None:
    try:
        return msgspec.json.decode(_record(folder, name).read_bytes(), type=Shard)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None  # it is written anew


def _write_all(run: PackRun, folder: Path, parts: Sequence[Part]) -> tuple[list[Shard], int]:
    """What stands of each part now, and how many were written for it."""
    shards, written = list[Shard](), 0
    with Progress("images") as progress:
        progress.begin(sum(part.rows.height for part in parts), 0)
        for part in parts:
            shard = _standing(run, folder, part)
            if shard:
                flaws = [one.flaw for one in shard.damaged]
                progress.advance(*flaws, *[None] * (shard.images - len(flaws)))
            else:
                shard, written = _write(run, folder, part, progress), written + 1
            shards.append(shard)
    return shards, written


def _standing(run: PackRun, folder: Path, part: Part) -> Shard | None:
    """A part that an earlier run wrote and that need not be written again: all of its files have
    the bytes that are recorded, and images that it left out are no better by now.
    """
    shard = _recorded(folder, part.name)
    if shard is None or shard.contents != part.contents:
        return None
    files = [((folder / part.name).with_name(name), file) for name, file in shard.files.items()]
    try:
        if any(path.stat().st_size != file.bytes for path, file in files):
            return None
        if any(digest(path) != file for path, file in files):
            return None
    except OSError:
        return None
    left_out = pl.col("id").is_in([one.id for one in shard.damaged])
    rows = part.rows.filter(left_out).iter_rows(named=True)
    as_before = all(still_damaged(run.output, row, part.pictures) for row in rows)
    return shard if as_before else None


def _write(run: PackRun, folder: Path, part: Part, progress: Progress) -> Shard:
    _remove(folder, part.name)
    samples = read_samples(run.output, part.rows, part.pictures, run.readers)
    reading = Reading(samples, progress.advance)
    path = folder / part.name
    endings = part.write(path, reading)
    try:
        files = {
            f"{path.name}{end}": digest(path.with_name(f"{path.name}{end}")) for end in endings
        }
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    shard = Shard(part.contents, part.rows.height, reading.damaged, files)
    with replacing(_record(folder, part.name)) as temporary:
        temporary.write_bytes(msgspec.json.encode(shard))
    return shard


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


_COLUMNS_OF_PICTURES = {
    "full": "`image` is the whole picture.",
    "faces": "`image` is the head.",
    "both": "`image` is the whole picture, `face` the head.",
}


def _card(run: PackRun, packable: Packable) -> str:
    title, rows = run.output.resolve().name, packable.rows
    splits = [
        Split(hub.SPLITS[str(split)], in_split.height, in_split["class_id"].n_unique())
        for (split,), in_split in rows.group_by("split", maintain_order=True)
    ]
    schema = hub_table(rows.clear(), PICTURES[run.images], ()).schema
    names = [split.name for split in splits]
    head = hub.front_matter(title, rows.height, names, schema, packable.class_names)
    classes = rows["class_id"].n_unique()
    return head + card(title, classes, splits, _COLUMNS_OF_PICTURES[run.images])
