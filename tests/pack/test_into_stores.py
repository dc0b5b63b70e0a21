"""Packs in object stores: the same bytes as in a folder, whatever the store does meanwhile."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import OutputError, UsageError
from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.core.summaries import Packed
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.commands import dafre, tree
from tests.datasets_drawn import draw_dataset
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores, objects

pytestmark = [*needs_stores, pytest.mark.slow]
FORMATS = ["tar", "webdataset", "parquet", "hf"]
SUMS = "SHA256SUMS"


@pytest.fixture
def ds(tmp_path) -> Path:
    return draw_dataset(tmp_path / "ds")


def packed(ds: Path, into: ObjectStore | Path, **settings: object) -> Packed:
    place = Path(into.address) if isinstance(into, ObjectStore) else into
    wanted = {"shard_size": 4, "workers": 1, **settings}
    return pack(PackRun(output=ds, into=place, **wanted))


@pytest.fixture
def expected(ds, tmp_path) -> dict[str, bytes]:
    packed(ds, tmp_path / "folder")
    return tree(tmp_path / "folder")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_holds_the_bytes_that_a_folder_holds(ds, store, tmp_path, format, workers) -> None:
    into_folder = packed(ds, tmp_path / "folder", format=format)
    into_store = packed(ds, store, format=format, workers=workers)
    assert objects(store) == tree(tmp_path / "folder")
    assert (into_store.written, into_store.bytes) == (into_folder.written, into_folder.bytes)
    assert into_store.folder == store.address


def test_every_file_is_put_once_and_the_sums_last(ds, store, proxy) -> None:
    packed(ds, store)
    puts = [path for path in proxy.puts() if "/trial/" not in path]
    assert len(puts) == len({*puts})
    assert puts[-1].endswith(SUMS)
    assert not [*(ds / STATE).glob("into-*")]


def test_the_same_again_sends_nothing(ds, store, proxy) -> None:
    first = packed(ds, store)
    proxy.forget()
    again = packed(ds, store)
    assert (again.written, again.kept) == (0, first.written)
    assert [path for path in proxy.puts() if "/trial/" not in path] == []


def test_an_image_that_is_made_later_changes_its_shard_alone(ds, store, proxy, expected) -> None:
    whole = pl.read_parquet(ds / MANIFEST)
    is_late = pl.col("id") == 1003
    late = whole.with_columns(status=pl.when(is_late).then(pl.lit("timeout")).otherwise("status"))
    late.write_parquet(ds / MANIFEST)
    packed(ds, store)
    whole.write_parquet(ds / MANIFEST)
    proxy.forget()
    assert packed(ds, store).written == 1
    assert objects(store) == expected
    assert len([path for path in proxy.puts() if path.endswith(".tar")]) == 1


def test_shards_of_another_size_leave_nothing_of_the_old_ones(ds, store, expected) -> None:
    packed(ds, store, shard_size=2)
    packed(ds, store)
    assert objects(store) == expected
    records = [name for name in store.names(STATE) if name.endswith(".json")]
    assert len(records) == len([name for name in expected if name.endswith(".tar")])


@pytest.mark.parametrize("flaw", ["missing", "other"])
def test_a_shard_that_somebody_touched_is_written_again(ds, store, expected, flaw) -> None:
    packed(ds, store)
    name = "train/00000.tar"
    if flaw == "missing":
        store.delete([name])
    else:
        store.put(name, expected[name][::-1])
    assert packed(ds, store).written == 1
    assert objects(store) == expected


@pytest.mark.parametrize(
    "fault",
    [faults.status(500), faults.cut_in_the_middle, faults.half_stored, faults.other_bytes_stored],
    ids=lambda fault: fault.__name__,
)
def test_a_faulty_store_loses_nothing(ds, store, proxy, expected, fault) -> None:
    for text in (".tar", ".parquet", ".json", SUMS, "README"):
        proxy.plan(fault, "PUT", text, times=2)
    packed(ds, store)
    assert objects(store) == expected


def test_a_store_that_goes_down_in_the_middle_is_gone_on_with(ds, store, proxy, expected) -> None:
    proxy.plan(faults.status(503), "PUT", "/train/00001.parquet", times=4)
    with pytest.raises(OutputError, match=r"s3://.*/train/00001.parquet: .*503"):
        packed(ds, store)
    assert SUMS not in store.names()
    proxy.forget()
    assert packed(ds, store).kept == 1
    assert objects(store) == expected
    sent = [path for path in proxy.puts() if path.endswith("train/00001.tar")]
    assert sent == []  # it had arrived


def test_a_pack_that_is_being_changed_has_no_sums(ds, store, proxy) -> None:
    packed(ds, store, shard_size=2)
    proxy.plan(faults.status(503), "PUT", "/train/", times=4)
    with pytest.raises(OutputError):
        packed(ds, store)
    assert SUMS not in store.names()


def test_a_killed_command_goes_on_where_it_was(ds, store, proxy, expected, tmp_path) -> None:
    flags = ("--output", ds, "--into", store.address, "--shard-size", 4, "--workers", 1)
    command = [sys.executable, "-m", "dafre_fast.pack", *map(str, flags)]
    run: list[subprocess.Popen[bytes]] = []

    def kill(*_: object) -> None:
        os.kill(run[0].pid, signal.SIGKILL)

    proxy.plan(kill, "PUT", "/train/00001.tar")
    run.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL))
    assert run[0].wait() == -signal.SIGKILL
    assert SUMS not in store.names()
    done = dafre("pack", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 kept" in done.stdout
    assert objects(store) == expected
    assert not [*(ds / STATE).glob("into-*")]


def test_a_card_that_somebody_edited_is_kept(ds, store) -> None:
    packed(ds, store)
    store.put("README.md", b"mine")
    packed(ds, store)
    assert store.read("README.md") == b"mine"


def test_a_bucket_that_refuses_ends_it_with_status_2_before_anything(ds, tmp_path) -> None:
    flags = ("--output", ds, "--into", "s3://nobody-has-this/a")
    done = dafre("pack", *flags, cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert "--into s3://nobody-has-this/a: cannot be written" in line
    assert "there is no such bucket" in line


def test_a_dataset_that_is_read_only_is_packed_by_way_of_temporary_files(
    ds, store, expected, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr("dafre_fast.pack.target.os.access", lambda *_: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    packed(ds, store)
    assert objects(store) == expected
    assert not (ds / STATE).exists()


def test_an_empty_dataset_leaves_the_store_as_it_is(tmp_path, store) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(Exception, match="manifest"):
        packed(tmp_path / "none", store)
    assert store.names() == {}


def test_excluding_is_as_for_a_folder(ds, store, tmp_path) -> None:
    (tmp_path / "exclude.csv").write_text("id\n1000\n")
    with pytest.raises(UsageError, match="--exclude"):
        packed(ds, store, format="tar", exclude=tmp_path / "exclude.csv")
    assert packed(ds, store, exclude=tmp_path / "exclude.csv").excluded == 1


def test_ctrl_c_ends_it_while_the_store_does_not_answer(ds, store, proxy, tmp_path) -> None:
    flags = ("--output", ds, "--into", store.address, "--workers", 1)
    command = [sys.executable, "-m", "dafre_fast.pack", *map(str, flags)]
    run: list[subprocess.Popen[str]] = []

    def stop(*_: object) -> None:
        run[0].send_signal(signal.SIGINT)
        run[0].wait()

    proxy.plan(stop, "PUT", "/train/00000.tar")
    run.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True))
    assert run[0].stderr
    assert "Traceback" not in run[0].stderr.read()
    assert run[0].wait() == 130
    run[0].stderr.close()
