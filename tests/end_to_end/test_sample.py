"""The sample: what `full` makes without inputs, as a newcomer runs it."""

import json
import re
import shlex
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.sample.cast import Kind, portraits
from tests.commands import dafre, tree
from tests.docs.pages import PAGES, ROOT, blocks, name_of
from tests.docs.test_formats import named, told_columns
from tests.heads.drawn import write_inputs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it takes most of a minute to make

NOTEBOOK = ROOT / "examples/first_look.ipynb"
README, PYTHON = ROOT / "README.md", ROOT / "docs/reference/python.md"
FACEBOXES = Path(__file__).resolve().parents[3] / "shared/heads/faceboxes.onnx"
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


# What the pages say of it

EXAMPLES = [
    pytest.param(code, id=f"{name_of(page)} {number}")
    for page in PAGES
    for number, code in enumerate(blocks(page, "python"), 1)
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_in_a_page_runs_on_what_make_full_leaves(sample, tmp_path, code) -> None:
    if "torch" in code:
        pytest.importorskip("torch")
    (tmp_path / "out").symlink_to(sample[0])
    (tmp_path / "example.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_example_of_the_whole_engine_makes_what_it_says(sample, tmp_path) -> None:
    (example,) = [code for code in blocks(PYTHON, "python") if "make_images" in code]
    (tmp_path / "out").symlink_to(sample[0])
    (tmp_path / "example.py").write_text(example)
    subprocess.run([sys.executable, "example.py"], cwd=tmp_path, check=True, capture_output=True)
    made = pl.read_parquet(tmp_path / "mine/manifest.parquet")
    assert made.height > 5
    paths = made.filter(status="success")["path"]
    full = (tmp_path / f"mine/fullMin256/{path}" for path in paths)
    assert {min(Image.open(BytesIO(path.read_bytes())).size) for path in full} == {64}
    assert all((tmp_path / f"mine/faces/{path}").exists() for path in paths)


def test_the_commands_of_the_readme_run_one_after_the_other(sample, tmp_path) -> None:
    (tmp_path / "out").symlink_to(sample[0])
    inputs = sample[0] / "sample"
    for name in ("faces.tsv", "tagIds.tsv"):
        (tmp_path / name).symlink_to(inputs / name)
    (tmp_path / "originals").symlink_to(inputs / "original")
    called = set[str]()
    for script in blocks(README, "sh"):
        for line in re.findall(r"^dafre-fast (.*)", script, re.MULTILINE):
            name, *flags = shlex.split(line, comments=True)
            called.add(name)
            if name == "gallery":  # it serves until it is stopped: see tests/gallery
                continue
            done = dafre(name, *flags, *_FEWER.get(name, ()), cwd=tmp_path)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert called == {"full", "verify", "audit", "pack", "gallery"}
    assert (
        pl.read_parquet(tmp_path / "dafre/manifest.parquet").filter(status="success").height > 150
    )


def test_the_notebook_runs_from_its_first_cell_to_its_last(sample, tmp_path) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    pytest.importorskip("ipykernel")
    (tmp_path / "out").symlink_to(sample[0])
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # none is committed
    client(
        notebook,
        resources={"metadata": {"path": str(tmp_path)}},
        timeout=240,
        kernel_name="python3",
    ).execute()
    shown = [cell.outputs[0] for cell in notebook.cells if cell.get("outputs")]
    assert any("image/png" in one.get("data", {}) for one in shown)
    assert "not_an_image" in str(shown[-1])
    assert len([*(tmp_path / "small/faces").rglob("*.jpg")]) > 5


_FEWER = {"full": ("--workers", 2)}
"""Flags for a machine that is smaller than the reader's; the last one counts."""


@pytest.mark.parametrize(
    ("page", "mark", "file"),
    [
        ("manifest.md", "manifest", "manifest.parquet"),
        ("tables.md", "tags", "labels/train_tags.parquet"),
        ("tables.md", "tag counts", "stats/tag_counts.parquet"),
        ("tables.md", "class counts", "stats/class_counts.parquet"),
    ],
)
def test_the_columns_of_a_table_are_those_of_its_page(sample, page, mark, file) -> None:
    told = told_columns(page, f"table: {mark}")
    assert told == named({**pl.read_parquet_schema(sample[0] / file)})


def test_the_keys_of_a_sample_in_a_shard_are_those_of_its_page(sample, tmp_path) -> None:
    done = dafre("pack", "--output", sample[0], "--into", "pack", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    schema = {**pl.read_parquet_schema(tmp_path / "pack/val/00000.parquet")}
    of_the_table = {"status", "error_message", "offset", "face_offset"}
    told = told_columns("packs.md", "table: shard")
    assert told == named({key: kind for key, kind in schema.items() if key not in of_the_table})


# Detectors


@pytest.mark.timeout(900)  # on a busy machine, with OpenCV
@pytest.mark.skipif(not FACEBOXES.exists(), reason="../shared/heads is not here")
def test_a_real_detector_finds_the_heads_of_the_sample(sample, tmp_path) -> None:
    inputs = sample[0] / "sample"
    done = dafre(
        "full",
        *("--metadata", inputs / "metadata", "--source", inputs / "original"),
        *("--detector", FACEBOXES, "--detect-side", 1024, "--min-images", 1),
        *("--min-confidence", 0.3, "--no-tags", "--no-report", "--output", "ds", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["heads"]["images"] - sum(summary["heads"]["refused"].values()) == 198
    assert summary["heads"]["single"] == summary["success"] >= 195


def test_a_detector_without_inputs_searches_the_sample(sample, tmp_path) -> None:
    write_inputs(tmp_path)
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds/sample").symlink_to(sample[0] / "sample")  # drawn already
    done = dafre(
        "full",
        *("--detector", "model.onnx", "--no-tags", "--no-report", "--output", "ds", "--json"),
        cwd=tmp_path,
    )
    assert "the sample has the originals of some of its posts" in done.stderr
    found = pl.read_parquet(tmp_path / "ds/heads/manifest.parquet")
    assert (found.height, found["heads"].drop_nulls().len()) == (629, 198)
