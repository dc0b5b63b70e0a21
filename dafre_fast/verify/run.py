"""Verify a dataset: compare its files with what is recorded.

The manifest decides which images there should be, or the ledger if there is no manifest. Their
outcomes are taken from the ledger, which is written first. The path of an output follows from its
key, as when it was made.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.addresses import store_address
from dafre_fast.core.atomic import temporary
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.findings import Finding, Flaw, Verification
from dafre_fast.core.layout import LABELS, MANIFEST, SHARDS, STATE, image_path
from dafre_fast.core.settings.images import Output
from dafre_fast.core.settings.running import Workers
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.ledger import NAME
from dafre_fast.dataset.locks import undisturbed
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.spools import find
from dafre_fast.dataset.stored import archives_of, at_hand, read_stored
from dafre_fast.engine import loops
from dafre_fast.engine.batches import Batch, look_at
from dafre_fast.engine.observers import Advance, counted
from dafre_fast.engine.plan import output_names
from dafre_fast.verify.agreement import (
    compare_class_names,
    compare_labels,
    compare_with_ledger,
    labels_of_refused,
    outputs_of,
    path_column,
    read_labels,
    read_manifest,
    read_outcomes,
    standing_outcomes,
)
from dafre_fast.verify.check import check
from dafre_fast.verify.settings import VerifyRun
from dafre_fast.verify.shards import check_shards, remove_damaged

_LABEL_FILES = [f"{LABELS}/{name}.csv" for name in (*SPLITS, "classid_classname")]
_ORDER = {flaw: place for place, flaw in enumerate(Flaw)}
_PRELOAD = (
    "dafre_fast.verify.check",
    "dafre_fast.pixels.soundness",
    "dafre_fast.core.jit:load_all",
    "dafre_fast.cli",
)


def verify(run: VerifyRun, workers: Workers, tell: Tell = silent) -> Verification:
    """Compare files, labels, manifest and ledger. If `run.remove`, remove damaged and orphaned
    files.

    Raises InputError if a record cannot be read, UsageError while a run is at work on the folder.
    """
    if run.remove and run.manifest:  # another folder's would make orphans of everything
        raise UsageError("--remove needs the records of the folder itself: leave out --manifest")
    began, cpu = time.monotonic(), time.process_time()
    if run.remove and (store_address(run.output) or read_stored(run.output / SHARDS)):
        raise UsageError(
            "--remove: shards lie in an object store; `full` with --into writes damaged ones again"
        )
    tell(Doing("reading manifest and ledger"))
    with (
        at_hand(run.output) as folder,
        undisturbed(folder / STATE, exclusive=run.remove),
    ):
        run = replace(run, output=folder)
        records = _read(run)
        in_shards = records.whole and lies_in_shards(run.output)
        outputs = _outputs(records, run.output if in_shards else None)
        compared, refused = _compare(run.output, records)
        looked_at = outputs if run.deep else _not_in_store(outputs, run.output)
        with counted(tell, "files", looked_at.height, bad="found") as advance:
            damaged, cpu_of_workers = loops.run(_check_files(looked_at, run, workers, advance))
        tell(Doing("looking for other files"))
        strays = dict(_strays(run.output, set(outputs["file"]), records))
        if in_shards:
            damaged += check_shards(run.output, {*outputs["shard"]})
        removed = list[str]()
        if run.remove:
            files = () if in_shards else damaged
            removed = _remove(run.output, files, strays, whole=records.whole)
            removed += remove_damaged(run.output, damaged) if in_shards else ()
    return Verification(
        images=outputs["key"].n_unique(),
        files=outputs.height,
        records=records.names,
        findings=sorted([*damaged, *strays.values(), *compared], key=_place),
        labels_of_refused=refused,
        removed=removed,
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - cpu + cpu_of_workers,
    )


@dataclass(frozen=True, slots=True)
class _Records:
    """The records of a folder: a manifest, a ledger, or both.

    `catalogue`: keys are ids, not paths of originals. `whole`: the folder is one that `full` makes,
    with labels, and a tree for each of the `outputs`.
    """

    outputs: tuple[Output, ...]
    manifest: pl.DataFrame | None
    made: pl.DataFrame | None
    names: Sequence[str]
    catalogue: bool
    whole: bool

    def outcomes(self) -> pl.DataFrame:
        """Return the last outcome of each image, in ascending order of keys."""
        if self.made is None:
            assert self.manifest is not None
            return self.manifest.unique("key").sort("key")
        if self.manifest is None:
            return self.made.sort("key")
        return standing_outcomes(self.manifest, self.made).sort("key")


def _read(run: VerifyRun) -> _Records:
    manifest_path, ledger = run.manifest or run.output / MANIFEST, run.output / STATE / NAME
    outputs, manifest = read_outputs(run.output, manifest_path), None
    if run.manifest or manifest_path.exists():
        manifest = read_manifest(manifest_path, outputs)
    made = read_outcomes(ledger, outputs) if ledger.exists() else None
    rows = made if manifest is None else manifest
    if rows is None or rows.is_empty():
        raise InputError(f"{run.output}: neither a {MANIFEST} nor a ledger with outcomes is there")
    hashes = {output: f"{prefix_of(output.name)}sha256" for output in outputs}
    several = rows.select(pl.sum_horizontal(pl.col(*hashes.values()).is_not_null()) > 1)
    whole = several.to_series().any() or (run.output / LABELS).exists()
    if manifest is None:  # `crop` makes no whole pictures, `resize` nothing else
        wholes = [hashes[output] for output in outputs if not output.needs_box]
        crops_alone = rows.select(pl.all_horizontal(pl.col(*wholes).is_null().all())).item()
        ids = rows["key"].str.contains("^[0-9]+$").all() and (whole or crops_alone)
    else:
        ids = "class_id" in manifest.columns
    tables = {manifest_path.name: manifest, NAME: made}
    names = [name for name, table in tables.items() if table is not None]
    return _Records(outputs, manifest, made, names, catalogue=ids, whole=ids and whole)


def _outputs(records: _Records, in_shards: Path | None) -> pl.DataFrame:
    """Return all pictures that should be there: `key`, and the columns of `core.findings.Output`.
    `in_shards` is the folder of the dataset if they lie in shards.
    """
    outcomes = records.outcomes()
    keys = outcomes["key"].to_list()
    for key in keys:
        if key.startswith("/") or ".." in key.split("/") or "\0" in key:
            raise InputError(f"{records.names[0]}: {key!r} leads out of the folder")
    paths = {
        path_column(extension): [image_path(int(key), extension) for key in keys]
        if records.catalogue
        else output_names(keys, extension)
        for extension in {output.extension for output in records.outputs}
    }
    folders = {one: f"{one.tree}/" if records.whole else "" for one in records.outputs}
    named = outcomes.with_columns(
        pl.Series(name, own, dtype=pl.String) for name, own in paths.items()
    )
    places = None
    if in_shards:
        places = find(in_shards, outcomes.with_columns(id=pl.col("key").cast(pl.Int64)))
    return outputs_of(named, places, folders).sort("file")


def _place(finding: Finding) -> tuple[int, str]:
    return _ORDER[finding.flaw], finding.where


async def _check_files(
    outputs: pl.DataFrame, run: VerifyRun, workers: Workers, advance: Advance
) -> tuple[list[Finding], float]:
    """Check the files in worker processes. Returns the findings, and the CPU time of the workers in
    seconds.
    """
    found = list[Finding]()

    def take(batch: Batch, result: list[Finding] | Finding) -> None:
        findings = [result] if isinstance(result, Finding) else result
        found.extend(findings)
        sound = len(batch) - len(findings)
        advance(*(finding.flaw for finding in findings), *[None] * sound)

    look = partial(check, str(run.output), run.deep)
    return found, await look_at(outputs, look, take, workers, _PRELOAD)


def _not_in_store(outputs: pl.DataFrame, dataset: Path) -> pl.DataFrame:
    """Leave out pictures in archives of a store, which are compared as a whole: a request for each
    picture would take longer, and cost more.
    """
    archives = [*archives_of(dataset)]
    return outputs.filter(~pl.col("shard").is_in(archives).fill_null(value=False))


def _strays(output: Path, expected: set[str], records: _Records) -> Iterator[tuple[Path, Finding]]:
    """Find files that no row names. A folder that `full` did not make may hold other files, so that
    only those named like an output count there.
    """
    whole = records.whole
    endings = tuple({f".{one.extension}" for one in records.outputs})
    halves = tuple(f"{ending}.part" for ending in endings)
    for tree in [one.tree for one in records.outputs] if whole else [""]:
        for folder, folders, names in os.walk(output / tree):
            folders[:] = [name for name in folders if not _is_of_another_run(folder, name)]
            inside = os.path.relpath(folder, output)
            prefix = "" if inside == "." else f"{inside}/"
            for name in names:
                if name.startswith(".") and name.endswith(halves):
                    yield Path(folder, name), Finding(Flaw.LEFTOVER, _readable(prefix + name))
                elif prefix + name not in expected and (whole or name.endswith(endings)):
                    yield Path(folder, name), Finding(Flaw.ORPHAN, _readable(prefix + name))
    for table in (MANIFEST, *_LABEL_FILES) if whole else ():
        if (part := temporary(output / table)).exists():
            yield part, Finding(Flaw.LEFTOVER, str(part.relative_to(output)))


def _is_of_another_run(folder: str, name: str) -> bool:
    """Return True for a state folder, and for a folder within the output that has one of its own,
    such as downloads.
    """
    return name == STATE or os.path.isdir(os.path.join(folder, name, STATE))  # noqa: PTH112, PTH118


def _readable(name: str) -> str:
    """Return a name of any bytes as text that can be printed and stored."""
    return os.fsencode(name).decode("utf-8", "replace")


def _compare(output: Path, records: _Records) -> tuple[list[Finding], int]:
    """Compare manifest, ledger and labels. Returns findings, and how many labelled images were
    refused.
    """
    manifest, made, refused = records.manifest, records.made, 0
    found, tables = list[Finding](), list[pl.DataFrame]()
    if manifest is not None and made is not None:
        tables.append(compare_with_ledger(manifest, made))
    classless = manifest is not None and records.catalogue and _lacks_classes(manifest)
    if records.whole:
        absent = [name for name in _LABEL_FILES if not classless and not (output / name).exists()]
        absent += [MANIFEST] if manifest is None else []
        found += (Finding(Flaw.MISSING, name) for name in absent)
    if records.whole and manifest is not None and not classless:
        lines = pl.concat(
            read_labels(output / name, "path").with_columns(split=pl.lit(split))
            for name, split in zip(_LABEL_FILES, SPLITS, strict=False)
        )
        names = read_labels(output / _LABEL_FILES[-1], "class_name")
        tables += (compare_labels(lines, manifest), compare_class_names(names, manifest))
        refused = labels_of_refused(lines, manifest)
    for table in tables:
        found += (Finding(Flaw(flaw), *rest) for flaw, *rest in table.iter_rows())
    return found, refused


def _lacks_classes(manifest: pl.DataFrame) -> bool:
    """Return True for the manifest of a table without classes: it has no labels."""
    return manifest.height > 0 and manifest["class_id"].null_count() == manifest.height


def _remove(
    output: Path, damaged: Sequence[Finding], strays: Mapping[Path, Finding], *, whole: bool
) -> list[str]:
    """Remove damaged files, leftovers, and orphans, these in the trees of `full` alone: other
    folders may hold files of others. Returns their names. Raises OutputError.
    """
    doomed = {output / finding.where: finding for finding in damaged if finding.flaw.damage}
    doomed |= {
        path: stray for path, stray in strays.items() if whole or stray.flaw is Flaw.LEFTOVER
    }
    for path in doomed:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
    return [finding.where for finding in doomed.values()]
