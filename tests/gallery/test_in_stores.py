"""The gallery of a dataset in an object store: pictures are read out of its shards."""

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from dafre_fast.core.layout import FACES, FULL, LABELS, MANIFEST, SHARDS
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.commands import dafre
from tests.datasets_drawn import IMAGES, draw_dataset, path_of
from tests.gallery.test_command import started
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores, new_store

pytestmark = [*needs_stores, pytest.mark.slow]


@pytest.fixture
def kept(proxy, tmp_path) -> tuple[ObjectStore, Path]:
    """A dataset in a store, as `full` leaves it, and its trees in a folder."""
    ds, store = draw_dataset(tmp_path / "ds"), new_store(proxy)
    pack(PackRun(output=ds, into=Path(f"{store.address}/{SHARDS}"), shard_size=3, workers=1))
    for path in [ds / MANIFEST, *(ds / LABELS).iterdir()]:
        store.put(str(path.relative_to(ds)), path)
    return store, ds


def test_pictures_are_read_by_ranges_out_of_shards(kept, proxy) -> None:
    store, ds = kept
    proxy.forget()
    with started(Path(store.address), "--port", "0") as process:
        line = process.stdout.readline()
        assert line.startswith(f"{IMAGES} images at http://127.0.0.1:")
        assert not [path for method, path in proxy.asked if method == "GET" and ".tar" in path]
        address = line.split()[3]
        for output, tree in (("full", FULL), ("face", FACES)):
            with urlopen(f"{address}{output}/1003.jpg") as answer:
                assert answer.read() == (ds / tree / path_of(1003)).read_bytes()
        with urlopen(f"{address}") as answer:
            assert f"{IMAGES} images" in answer.read().decode()
        store.delete([f"{SHARDS}/test/00000.tar"])
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{address}full/1009.jpg")


def test_a_store_that_is_not_there_is_one_line(proxy, tmp_path) -> None:
    done = dafre("gallery", "--output", "s3://nobody-has-this/a", "--port", 0, cwd=tmp_path)
    assert done.returncode == 2
    assert "s3://nobody-has-this/a: there is no such bucket" in done.stderr.splitlines()[-1]
    proxy.plan(faults.status(403), "GET")
    done = dafre("gallery", "--output", new_store(proxy).address, "--port", 0, cwd=tmp_path)
    assert done.returncode == 2
    assert "403" in done.stderr.splitlines()[-1]
