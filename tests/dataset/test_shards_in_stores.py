"""Readers of shards in an object store read what readers of a folder read."""

import sys
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.dataset import shards
from dafre_fast.dataset.items import Item, Making, Stream
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.dataset.shards import Reader
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.commands import run
from tests.datasets_drawn import draw_dataset
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores, new_store, use

pytestmark = [*needs_stores, pytest.mark.slow]
MAKING = Making("both", tag_names=["tag 1000", "tags_cat4"])


@pytest.fixture(scope="module")
def kept(proxy, tmp_path_factory) -> tuple[ObjectStore, Path]:
    """The same pack in a store and in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        use(proxy, patch)
        ds, store = draw_dataset(tmp_path_factory.mktemp("drawn") / "ds", 40), new_store(proxy)
        for into in (Path(store.address), ds / "pack"):
            pack(PackRun(output=ds, into=into, shard_size=10, workers=1))
    return store, ds / "pack"


@pytest.fixture(autouse=True)
def environment(kept, proxy, monkeypatch) -> None:  # noqa: ARG001  (made before)
    use(proxy, monkeypatch)


def read(
    folder: Path | str, seed: int | None = None, **more: int | None
) -> list[dict[str, object]]:
    stream = Stream(Path(folder), MAKING, seed, batch=more.pop("batch", None))
    return [plain(item) for item in stream.items(1, Reader(**more))]


def plain(item: Item) -> dict[str, object]:
    return {name: getattr(value, "tolist", lambda v=value: v)() for name, value in item.items()}


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("window", [1, 30_000, 8 << 20])
def test_every_sample_comes_in_the_same_order_with_the_same_bytes(
    kept, seed, window, monkeypatch
) -> None:
    store, folder = kept
    monkeypatch.setattr(shards, "_WINDOW_BYTES", window)
    assert read(f"{store.address}/train", seed) == read(folder / "train", seed)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("batch", [None, 3])
def test_ranks_and_workers_read_the_same_as_from_a_folder(kept, seed, batch) -> None:
    store, folder = kept
    for rank, worker in ((0, 1), (1, 0)):
        place = {"rank": rank, "ranks": 2, "worker": worker, "workers": 2, "batch": batch}
        found = read(f"{store.address}/train", seed, **place)
        assert found == read(folder / "train", seed, **place)
        assert found


def test_a_shard_in_order_is_one_request_and_in_disorder_too(kept, proxy) -> None:
    store, _ = kept
    for seed in (None, 3):
        proxy.forget()
        read(f"{store.address}/train", seed)
        asked = [path for method, path in proxy.asked if method == "GET" and ".tar" in path]
        assert len(asked) == len({*asked}) == 4


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("fault", [faults.status(503), faults.half_of_the_answer])
def test_a_read_that_breaks_off_is_gone_on_with(kept, proxy, seed, fault) -> None:
    store, folder = kept
    proxy.plan(fault, "GET", ".tar", times=2)
    proxy.plan(fault, "GET", "/train/00001.json")
    assert read(f"{store.address}/train", seed) == read(folder / "train", seed)


def test_a_pack_that_is_not_finished_is_not_read(kept) -> None:
    store, _ = kept
    sums = store.read("SHA256SUMS")
    store.delete(["SHA256SUMS"])
    try:
        with pytest.raises(InputError, match=r"s3://.*/train: no finished pack is there"):
            read(f"{store.address}/train")
    finally:
        store.put("SHA256SUMS", sums)


def test_a_folder_without_shards_and_a_missing_bucket_are_said(kept) -> None:
    store, _ = kept
    with pytest.raises(InputError, match=r"s3://.*/nothing: no shard is there"):
        read(f"{store.address}/nothing")
    with pytest.raises(
        InputError, match=r"s3://nobody-has-this.*(no such bucket|no finished pack)"
    ):
        read("s3://nobody-has-this/a/train")


@pytest.mark.parametrize("seed", [None, 3])
def test_a_shard_of_another_size_than_its_index_is_said(kept, seed) -> None:
    store, _ = kept
    name = "train/00001.tar"
    whole = store.read(name)
    store.put(name, whole[: len(whole) // 2])
    try:
        with pytest.raises(InputError, match=r"s3://.*/train/00001.tar: "):
            read(f"{store.address}/train", seed)
    finally:
        store.put(name, whole)


FORKED = """
import os, sys
from pathlib import Path
from dafre_fast.dataset.items import Making, Stream
from dafre_fast.dataset.shards import Reader
stream = Stream(Path(sys.argv[1]), Making("full"), None)
if not (child := os.fork()):
    print(len([*stream.items(0, Reader())]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_worker_that_is_forked_reads_too(kept, tmp_path) -> None:
    """As a DataLoader starts it; the threads of obstore would not have come along."""
    done = run([sys.executable, "-c", FORKED, f"{kept[0].address}/train"], tmp_path)
    assert (done.stdout, done.stderr) == ("35\n", "")
