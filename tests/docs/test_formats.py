"""Tables of columns and fields in the pages are those of the code.

Those of files that only a whole run makes are tested in `tests/end_to_end/test_sample.py`.
"""

from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import fields

from dafre_fast.core import events, layout
from dafre_fast.core.records import Detected, Fetched, Made
from dafre_fast.core.settings.fetching import Watching
from dafre_fast.dataset.manifest import manifest_of_originals
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.tables.heads import BOXES
from dafre_fast.views.metrics import Metrics
from tests.docs.pages import DOCS, in_code, table_below

FORMATS = DOCS / "reference/formats"


def told_columns(page: str, mark: str) -> dict[str, str]:
    return {in_code(cells[0])[0]: cells[1] for cells in table_below(FORMATS / page, mark)}


def named(schema: dict[str, pl.DataType]) -> dict[str, str]:
    return {name: str(kind) for name, kind in schema.items()}


def test_the_columns_of_heads_parquet_are_described() -> None:
    assert told_columns("heads.md", "table: heads") == named(BOXES)


def test_the_columns_of_the_manifest_of_a_download_are_described() -> None:
    fetched = last_outcomes(Path("nowhere"), "fetch")
    table = manifest_of_originals(pl.LazyFrame(schema={"key": pl.String}), fetched)
    assert told_columns("manifest.md", "table: downloads") == named({**table.collect_schema()})


@pytest.mark.parametrize("record", [Fetched, Made, Detected])
def test_the_fields_of_the_ledger_are_described(record) -> None:
    told = told_columns("ledger.md", f"fields: {record.__name__}")
    known = {field.name: field.type for field in fields(record) if field.name != "outputs"}
    assert {*told} == {*known}
    kinds = {"text": ("str", "Reason", "Proof"), "number": ("int", "float"), "list": ("tuple",)}
    for name, kind in told.items():
        assert any(one in str(known[name]) for one in kinds[kind]), name


def test_the_events_of_the_log_are_described() -> None:
    rows = table_below(FORMATS / "events.md", "events")
    told = {in_code(cells[0])[0]: in_code(cells[1]) for cells in rows}
    logged = {
        kind.__name__.lower(): [field.name for field in fields(kind)]
        for kind in events.Event.__subclasses__()
        if kind is not events.StageEvent
    }
    assert {**told, "outcome": ["fetched"]} == logged


def test_the_metrics_are_described() -> None:
    metrics = Metrics(Watching(), events.silent)
    kinds = {
        f"{one.name}_total" if one.type == "counter" else one.name: one.type
        for one in metrics._registry.collect()
    }
    assert told_columns("events.md", "metrics") == kinds


def test_the_files_of_a_dataset_are_described() -> None:
    pages = "".join(path.read_text() for path in FORMATS.glob("*.md"))
    names = [getattr(layout, name) for name in dir(layout) if name.isupper()]
    assert [name for name in names if name not in pages] == []
