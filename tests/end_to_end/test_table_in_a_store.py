"""A table of addresses, and the originals that it names, may lie in an object store."""

import io
import json

import polars as pl

from tests.commands import here
from tests.edits import drawn
from tests.sources.stores import needs_stores

pytestmark = needs_stores


def test_a_table_and_its_originals_are_read_from_a_store(store, tmp_path) -> None:
    file = io.BytesIO()
    drawn(1, (40, 60)).save(file, "png")
    store.put("p/1.png", file.getvalue())
    table = f"url,key\n{store.address}/p/1.png,one\n{store.address}/p/2.png,two\n"
    store.put("t.csv", table.encode())
    flags = ("--table", f"{store.address}/t.csv", "--output", "ds", "--workers", 1)
    more = ("--retries", 0, "--size", 16, "--no-report", "--json")
    done = here("full", *flags, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["refused"] == {"not_found": 1}
    rows = pl.read_parquet(tmp_path / "ds/manifest.parquet").select("key", "status", "url").rows()
    assert rows[0] == ("one", "success", f"{store.address}/p/1.png")
