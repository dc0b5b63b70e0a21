"""`full --pack webdataset --into s3://…`: a dataset whose shards and records lie in a store."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dafre_fast.core.layout import LABELS, MANIFEST, REPORT, SHARDS, STATE
from dafre_fast.dataset.object_store import ObjectStore
from tests.commands import dafre, tree
from tests.datasets_drawn import draw_inputs
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores, objects

pytestmark = [*needs_stores, pytest.mark.slow]
IMAGES = 24
TABLES = (MANIFEST, LABELS, SHARDS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    return draw_inputs(folder, IMAGES)


def flags(inputs: Path, *more: object) -> list[object]:
    tables = ("--faces", inputs / "faces.tsv", "--tag-ids", inputs / "tagIds.tsv")
    source = ("--source", inputs / "originals", "--output", "ds", "--workers", 1)
    return [
        *tables,
        *source,
        "--pack",
        "webdataset",
        "--shard-size",
        5,
        "--min-images",
        8,
        "--no-report",
        *more,
    ]


def full(inputs: Path, folder: Path, *more: object) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    done = dafre("full", *flags(inputs, "--json", *more), cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def expected(inputs, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("expected")
    full(inputs, folder)
    return {name: data for name, data in tree(folder / "ds").items() if name.startswith(TABLES)}


def dataset(store: ObjectStore) -> dict[str, bytes]:
    return {name: data for name, data in objects(store).items() if name.startswith(TABLES)}


def without_times(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out the manifest, which says how long a download took and names the folder."""
    return {name: data for name, data in files.items() if name != MANIFEST}


def archives(folder: Path) -> list[Path]:
    return [path for path in (folder / "ds").rglob("*") if path.suffix in {".tar", ".jpg"}]


def test_the_store_holds_the_dataset_and_this_machine_no_picture(
    inputs, store, expected, tmp_path
) -> None:
    printed = full(inputs, tmp_path, "--into", store.address, "--report")
    assert without_times(dataset(store)) == without_times(expected)
    assert archives(tmp_path) == []
    assert not (tmp_path / "ds" / STATE / "spools").exists()
    assert printed["packed"]["folder"] == f"{store.address}/{SHARDS}"
    names = store.names()
    assert {MANIFEST, f"{REPORT}/index.html", f"{STATE}/ledger.jsonl"} <= names.keys()
    assert not [name for name in names if name.endswith(("lock", ".part"))]
    assert len([name for name in names if name.startswith(f"{REPORT}/") and "face" in name]) > 1


def test_a_run_with_an_empty_disk_goes_on_from_the_store(
    inputs, store, expected, tmp_path, proxy
) -> None:
    some = tmp_path / "some"
    shutil.copytree(inputs, some)
    (some / "originals/20.png").unlink()
    full(some, tmp_path / "a", "--into", store.address)
    shutil.copy(inputs / "originals/20.png", some / "originals")
    proxy.forget()
    printed = full(some, tmp_path / "b", "--into", store.address)
    assert (printed["work"]["images"], printed["packed"]["written"]) == (1, 1)
    assert without_times(dataset(store)) == without_times(expected)
    assert len([path for path in proxy.puts() if path.endswith(".tar")]) == 1
    store.put(f"{LABELS}/of_an_earlier_run.csv", b"")
    again = full(some, tmp_path / "a", "--into", store.address)
    assert f"{LABELS}/of_an_earlier_run.csv" not in store.names()
    assert (again["work"]["images"], again["packed"]["written"]) == (0, 0)


def test_shards_of_another_size_are_made_of_those_in_the_store(
    inputs, store, tmp_path, expected
) -> None:
    full(inputs, tmp_path / "a", "--into", store.address, "--shard-size", 9)
    printed = full(inputs, tmp_path / "b", "--into", store.address)
    assert printed["work"]["images"] == 0
    assert without_times(dataset(store)) == without_times(expected)


def test_a_store_that_fails_in_the_middle_loses_no_image(
    inputs, store, tmp_path, expected, proxy
) -> None:
    proxy.plan(faults.status(403), "PUT", "/train/00001.tar")
    done = dafre("full", *flags(inputs, "--into", store.address), cwd=tmp_path)
    assert done.returncode == 1
    assert f"{store.address}/{SHARDS}/train/00001.tar" in done.stderr.splitlines()[-1]
    proxy.forget()
    for fault in (faults.status(503), faults.cut_in_the_middle, faults.half_stored):
        proxy.plan(fault, "PUT", ".tar")
        proxy.plan(fault, "PUT", LABELS)
    printed = full(inputs, tmp_path, "--into", store.address)
    assert (printed["work"]["images"], printed["packed"]["kept"]) == (0, 1)
    assert without_times(dataset(store)) == without_times(expected)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--into", "s3://nobody-has-this"), "--into s3://nobody-has-this: cannot be written"),
        (("--into", "folder"), "--into folder: must be an object store"),
    ],
)
def test_a_place_that_cannot_be_written_ends_it_before_the_first_image(
    inputs, tmp_path, more, said
) -> None:
    done = dafre("full", *flags(inputs, *more), cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "ds" / STATE / "ledger.jsonl").exists()


def test_the_same_output_without_the_store_says_where_the_images_are(
    inputs, store, tmp_path
) -> None:
    full(inputs, tmp_path, "--into", store.address)
    done = dafre("full", *flags(inputs), cwd=tmp_path)
    assert done.returncode == 2
    assert f"go on with --into {store.address}" in done.stderr


def test_parts_and_their_merge_are_commands_that_need_no_common_folder(
    inputs, store, tmp_path, expected
) -> None:
    for number in (2, 1):
        full(inputs, tmp_path / f"{number}", "--into", store.address, "--part", f"{number}/2")
    (tmp_path / "merge").mkdir()
    done = dafre("merge", "--output", store.address, cwd=tmp_path / "merge")
    assert done.returncode == 0, done.stderr
    assert f"check: dafre-fast verify --output '{store.address}'" in done.stdout
    assert without_times(dataset(store)) == without_times(expected)
    assert not [*(tmp_path / "merge").iterdir()]
    again = dafre("merge", "--output", tmp_path / "1/ds", "--json", cwd=tmp_path)
    assert (again.returncode, json.loads(again.stdout)["packed"]["written"]) == (0, 0)
    assert dafre("verify", "--output", store.address, "--deep", cwd=tmp_path).returncode == 0


def test_engines_put_their_shards_into_the_store_when_all_are_done(
    inputs, store, tmp_path, expected
) -> None:
    printed = full(inputs, tmp_path, "--into", store.address, "--engines", 2, "--workers", 2)
    assert printed["work"]["images"] == IMAGES
    assert without_times(dataset(store)) == without_times(expected)
    assert archives(tmp_path) == []
    assert [name for name in store.names(STATE) if "ledger" in name] == [f"{STATE}/ledger.jsonl"]
    again = full(inputs, tmp_path / "b", "--into", store.address, "--engines", 2, "--workers", 2)
    assert (again["work"]["images"], again["packed"]["written"]) == (0, 0)


def test_a_part_that_is_killed_between_two_puts_goes_on_with_an_empty_disk(
    inputs, store, tmp_path, expected, proxy
) -> None:
    run: list[subprocess.Popen[bytes]] = []
    proxy.plan(lambda *_: os.kill(run[0].pid, signal.SIGKILL), "PUT", "/train/00002.tar")
    given = flags(inputs, "--into", store.address, "--part", "1/2")
    command = [sys.executable, "-m", "dafre_fast.full", *map(str, given)]
    run.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL))
    assert run[0].wait() == -signal.SIGKILL
    printed = full(inputs, tmp_path / "other", "--into", store.address, "--part", "1/2")
    assert printed["packed"]["kept"] == 1
    full(inputs, tmp_path / "other", "--into", store.address, "--part", "2/2")
    assert dafre("merge", "--output", store.address, cwd=tmp_path).returncode == 0
    assert without_times(dataset(store)) == without_times(expected)


def test_parts_have_the_tags_of_the_whole_in_their_shards(inputs, store, tmp_path) -> None:
    posts = tmp_path / "posts.json"
    line = '{{"id": {0}, "rating": "s", "tag_string_general": "solo n{0}"}}\n'
    posts.write_text("".join(map(line.format, range(IMAGES))))
    full(inputs, tmp_path / "whole", "--metadata", posts)
    for number in (1, 2):
        into = ("--into", store.address, "--part", f"{number}/2", "--metadata", posts)
        full(inputs, tmp_path / f"{number}", *into)
    done = dafre("merge", "--output", store.address, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = {
        name: data
        for name, data in tree(tmp_path / "whole/ds").items()
        if name.startswith((LABELS, SHARDS, "stats"))
    }
    assert f"{LABELS}/train_tags.parquet" in whole
    assert {name: data for name, data in objects(store).items() if name in whole} == whole
