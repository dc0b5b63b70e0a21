"""The audit: full images that are the same picture, within and across splits."""

import time
from functools import partial
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.audit.duplicates import count, exclusions, find_duplicates, read_images
from dafre_fast.audit.hashing import Hashed, hash_files
from dafre_fast.audit.records import Audit
from dafre_fast.audit.settings import AuditRun
from dafre_fast.core.atomic import check_writable, replacing
from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.findings import Finding
from dafre_fast.core.layout import (
    AUDIT,
    AUDIT_SUMMARY,
    EXCLUDE,
    MANIFEST,
    STATE,
)
from dafre_fast.core.settings.images import FULL_IMAGE
from dafre_fast.core.settings.running import Workers, usable_cores
from dafre_fast.dataset.locks import undisturbed
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.places import placed, places_of
from dafre_fast.engine import loops
from dafre_fast.engine.batches import Batch, look_at
from dafre_fast.engine.observers import Advance, counted
from dafre_fast.tables.writing import write_csv, write_parquet

_PRELOAD = (
    "dafre_fast.audit.hashing",
    "dafre_fast.pixels.likeness",
    "dafre_fast.core.jit:load_all",
    "dafre_fast.cli",
)


def audit(run: AuditRun, workers: Workers, tell: Tell = silent) -> Audit:
    """Hash every full image, find duplicates, and write what is found into `run.into`, or else
    `audit` of the dataset.

    Raises InputError where the manifest cannot be read or has no full image, UsageError while a run
    is at work there, OutputError where the folder cannot be written.
    """
    began, cpu = time.monotonic(), time.process_time()
    folder = run.into or run.output / AUDIT
    check_writable(folder, "--into")
    with undisturbed(run.output / STATE):
        tell(Doing("reading the manifest"))
        images = read_images(run.output)
        made = _placed(run.output, images.drop_nulls("sha256"))
        if made.is_empty():
            raise InputError(f"{run.output / MANIFEST}: has no full image")
        with counted(tell, "images", made.height) as advance:
            hashed, refused, hashing = loops.run(_hash_all(made, run, workers, advance))
    tell(Doing("comparing hashes"))
    compared = made.join(hashed, on="file", maintain_order="left")
    found = find_duplicates(
        compared,
        distance=run.distance,
        keep=run.keep,
        threads=workers.workers or usable_cores(),
    )
    audited = Audit(
        images=images.height,
        compared=compared.height,
        plain=compared["hash"].null_count(),
        not_made=images.height - made.height,
        refused=sorted(refused, key=lambda finding: finding.where),
        distance=run.distance,
        keep=run.keep,
        duplicates=count(found, run.distance),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - cpu + hashing,
        cpu_seconds_of_hashing=hashing,
    )
    write_parquet(found.rows, folder / "duplicates.parquet")
    write_csv(found.rows, folder / "duplicates.csv")
    write_csv(exclusions(found.rows), folder / EXCLUDE)
    with replacing(folder / AUDIT_SUMMARY) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(audited), indent=2))
    return audited


def _placed(folder: Path, made: pl.DataFrame) -> pl.DataFrame:
    """Add the place of each full image: all columns of `core.findings.Output`."""
    named = made.with_columns(
        file=pl.lit(f"{FULL_IMAGE.tree}/") + pl.col("path"), key=pl.col("id").cast(pl.String)
    )
    return placed(named, places_of(folder), FULL_IMAGE, read_outputs(folder))


async def _hash_all(
    made: pl.DataFrame, run: AuditRun, workers: Workers, advance: Advance
) -> tuple[pl.DataFrame, list[Finding], float]:
    """`file` and `hash` of all that are as recorded, what is off with others, and CPU seconds."""
    hashed, refused = list[Hashed](), list[Finding]()

    def take(_: Batch, result: list[Hashed | Finding] | Finding) -> None:
        for one in [result] if isinstance(result, Finding) else result:
            if isinstance(one, Finding):
                refused.append(one)
                advance(one.flaw)
            else:
                hashed.append(one)
                advance(None)

    seconds = await look_at(made, partial(hash_files, str(run.output)), take, workers, _PRELOAD)
    schema = {"file": pl.String(), "hash": pl.Binary()}
    return pl.DataFrame(hashed, schema, orient="row"), refused, seconds
