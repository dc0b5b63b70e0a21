"""Checks of many files, in batches."""

import asyncio

import polars as pl

from dafre_fast.core.findings import Finding, Flaw, Output
from dafre_fast.core.settings.running import Workers
from dafre_fast.engine.batches import Batch, look_at
from tests.jobs_for_workers import look_and_die_at


def looked_at(*files: str) -> dict[str, object]:
    """The result of each file, of which one named `die` kills the worker that looks at it."""
    blank = dict.fromkeys(Output._fields)
    rows = [blank | {"file": file} for file in files]
    outputs = pl.DataFrame(rows, dict.fromkeys(Output._fields, pl.String))
    found: dict[str, object] = {}

    def take(batch: Batch, result: list[str] | Finding) -> None:
        results = [result] if isinstance(result, Finding) else result
        names = [output.file for output in batch]
        assert not found.keys() & {*names}
        found.update(zip(names, results, strict=True))

    seconds = asyncio.run(look_at(outputs, look_and_die_at, take, Workers(workers=2), ()))
    assert seconds > 0
    return found


def test_every_file_has_its_result() -> None:
    files = [f"{number}.jpg" for number in range(150)]
    assert looked_at(*files) == {file: file.upper() for file in files}


def test_a_file_that_kills_workers_is_a_finding_and_costs_no_other() -> None:
    files = [f"{number}.jpg" for number in range(70)]
    found = looked_at(*files[:30], "die", *files[30:])
    lost = found.pop("die")
    assert isinstance(lost, Finding)
    assert (lost.flaw, lost.where) == (Flaw.NOT_CHECKED, "die")
    assert found == {file: file.upper() for file in files}
