"""Shards in place of missing trees: everything that reads a dataset can read them."""

import asyncio
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from dafre_fast.audit.run import audit
from dafre_fast.audit.settings import AuditRun
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.layout import AUDIT, FACES, FULL, SHARDS
from dafre_fast.core.settings.running import Workers
from dafre_fast.dataset.items import Items, Making
from dafre_fast.gallery.index import index_dataset, open_index
from dafre_fast.gallery.server import serving
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.report.run import write_report
from dafre_fast.report.settings import ReportRun
from tests.datasets_drawn import REFUSED, SPLITS, draw_dataset, path_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "ds")


@pytest.fixture
def shards(trees, tmp_path) -> Path:
    """Copy the dataset, and keep its images only in shards of three."""
    ds = Path(shutil.copytree(trees, tmp_path / "ds"))
    pack(PackRun(output=ds, shard_size=3))
    shutil.rmtree(ds / FULL)
    shutil.rmtree(ds / FACES)
    return ds


def test_a_trainer_gets_the_same_items(trees, shards) -> None:
    expected, found = (Items(ds, None, Making("both")) for ds in (trees, shards))
    found = pickle.loads(pickle.dumps(found))  # as workers get it
    assert found.ids.tolist() == expected.ids.tolist()
    for one, other in zip(found, expected, strict=True):
        assert one["id"] == other["id"]
        assert np.array_equal(one["full"], other["full"])
        assert np.array_equal(one["face"], other["face"])


def test_the_error_for_a_missing_picture_names_it_and_its_shard(shards) -> None:
    items = Items(shards, "val", Making("full"))
    for path in (shards / SHARDS / "val").glob("*.tar"):
        path.unlink()
    with pytest.raises(InputError, match=r"val/00000\.tar/100[78]\.jpg: No such file"):
        items[0]


def test_nothing_is_excluded_from_shards_that_are_the_dataset(shards, tmp_path) -> None:
    (tmp_path / "exclude.csv").write_text("id\n1003\n")
    run = PackRun(output=shards, exclude=tmp_path / "exclude.csv")
    with pytest.raises(UsageError, match="holds the dataset itself; give --into another"):
        pack(run)
    assert pack(replace(run, into=tmp_path / "less")).excluded == 1


def test_an_audit_finds_the_same(trees, shards) -> None:
    for ds in (trees, shards):
        found = audit(AuditRun(output=ds), Workers(workers=1))
        assert (found.compared, found.refused) == (11, [])
    names = ("duplicates.csv", "exclude.csv")
    assert all(
        (trees / AUDIT / name).read_bytes() == (shards / AUDIT / name).read_bytes()
        for name in names
    )


def test_a_report_shows_the_same_pictures(trees, shards) -> None:
    pages = [Path(write_report(ReportRun(output=ds, title="both")).index) for ds in (trees, shards)]
    files, in_shards = (
        {path.relative_to(page.parent): path.read_bytes() for path in page.parent.rglob("*.webp")}
        for page in pages
    )
    assert files == in_shards
    assert len(files) > 10


def test_a_gallery_serves_the_same_bytes(trees, shards) -> None:
    index_dataset(shards, shards / "index", begin=lambda: None)

    async def ask(*paths: str) -> list[tuple[int, bytes]]:
        run = GalleryRun(output=shards, port=0)
        async with serving(run, open_index(shards / "index")) as place, ClientSession() as client:
            answers = [await client.get(place + path) for path in paths]
            return [(answer.status, await answer.read()) for answer in answers]

    images = [1000 + number for number in SPLITS["test"] if number != REFUSED]
    paths = [f"{kind}/{image}.jpg" for image in images for kind in ("full", "face")]
    expected = [(trees / tree / path_of(image)) for image in images for tree in (FULL, FACES)]
    assert asyncio.run(ask(*paths)) == [(200, path.read_bytes()) for path in expected]
    ((status, text),) = asyncio.run(ask(f"full/{1000 + REFUSED}.jpg"))
    assert status == 404
    assert f"{FULL}/{path_of(1000 + REFUSED)}" in text.decode()


def test_a_gallery_follows_no_link_in_place_of_a_shard(shards, tmp_path) -> None:
    index_dataset(shards, shards / "index", begin=lambda: None)
    (path,) = (shards / SHARDS / "val").glob("*.tar")
    (tmp_path / "elsewhere.tar").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.tar")

    async def ask() -> int:
        run = GalleryRun(output=shards, port=0)
        async with serving(run, open_index(shards / "index")) as place, ClientSession() as client:
            return (await client.get(f"{place}full/1007.jpg")).status

    assert asyncio.run(ask()) == 404
