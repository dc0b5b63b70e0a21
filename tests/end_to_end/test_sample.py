"""The sample: what `full` makes without inputs, as a newcomer runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.sample.cast import Kind, portraits
from tests.commands import dafre, tree

pytestmark = pytest.mark.slow  # it takes most of a minute to make

README = Path(__file__).resolve().parents[2] / "README.md"
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("sample")
    return folder / "ds", dafre("full", "--output", "ds", "--json", cwd=folder)


def test_full_without_inputs_makes_the_sample(sample) -> None:
    _, done = sample
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["success"]) == (200, 198)
    assert summary["refused"] == {"truncated": 1, "not_an_image": 1}
    assert [step["images"] for step in summary["funnel"][2:]] == [200, 138, 19, 43, 198]


def test_the_sample_comes_with_tags_of_every_image_and_their_plots(sample) -> None:
    folder, done = sample
    tags = json.loads(done.stdout)["tags"]
    assert (tags["images"], tags["tagged"], tags["untagged"]) == (200, 200, {})
    tables = (pl.read_parquet(folder / f"labels/{split}_tags.parquet") for split in SPLITS)
    assert sum("1 girl" in row for table in tables for row in table["tags_cat0"]) == 200
    assert {path.suffix for path in (folder / "stats").iterdir()} >= {".png", ".json", ".txt"}


def test_the_sample_ends_with_a_report(sample) -> None:
    folder, done = sample
    assert "<h1>ds</h1>" in (folder / "report/index.html").read_text()
    assert "index.html" not in done.stdout  # stdout is JSON alone


def test_every_kept_row_of_the_sample_is_in_the_manifest_with_an_outcome(sample) -> None:
    folder, _ = sample
    manifest = pl.read_parquet(folder / "manifest.parquet")
    assert sorted(manifest["id"]) == sorted(portrait.id for portrait in portraits())
    assert manifest["status"].null_count() == 0
    refused = dict(
        manifest.filter(pl.col("status") != "success").select("id", "status").iter_rows()
    )
    assert refused == {
        portrait.id: "truncated" if portrait.kind is Kind.TRUNCATED else "not_an_image"
        for portrait in portraits()
        if portrait.kind in {Kind.TRUNCATED, Kind.HTML}
    }


def test_originals_of_the_sample_are_fetched_under_their_real_extension(sample) -> None:
    folder, _ = sample
    fetched = {
        name.removeprefix("original/") for name in tree(folder) if name.startswith("original/")
    }
    assert fetched == {
        portrait.name
        for portrait in portraits()
        if portrait.kind not in (Kind.HTML, Kind.TRUNCATED)
    }


def test_the_same_command_again_has_nothing_left_to_do(sample) -> None:
    folder, _ = sample
    before = tree(folder)
    done = dafre("full", "--output", "ds", "--json", cwd=folder.parent)
    assert json.loads(done.stdout)["work"]["images"] == 0
    assert tree(folder) == before


def test_the_example_of_the_readme_runs_on_what_make_full_leaves(sample, tmp_path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "out").symlink_to(sample[0])
    (tmp_path / "example.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = pl.read_parquet(tmp_path / "mine/manifest.parquet")
    assert made.height > 5
    paths = made.filter(status="success")["path"]
    full = (tmp_path / f"mine/fullMin256/{path}" for path in paths)
    assert {min(Image.open(path).size) for path in full} == {64}
    assert all((tmp_path / f"mine/faces/{path}").exists() for path in paths)
