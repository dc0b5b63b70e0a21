"""A third output, defined here by one record, on its way through the whole program."""

import asyncio
import io
import json
import os
import shutil
import tarfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from aiohttp import ClientSession
from PIL import Image

from dafre_fast.core.errors import UsageError
from dafre_fast.core.findings import Flaw
from dafre_fast.core.layout import FULL, MANIFEST, SHARDS, STATE
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import HeadBox, Output, Recipe, ShortSide
from dafre_fast.core.settings.running import Running, Workers
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import Summary
from dafre_fast.dataset.items import Items, Making, Stream
from dafre_fast.dataset.shards import Reader
from dafre_fast.full.run import full
from dafre_fast.full.settings import FullRun
from dafre_fast.gallery.index import index_dataset, open_index
from dafre_fast.gallery.server import serving
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.report.run import write_report
from dafre_fast.report.settings import ReportRun
from dafre_fast.stats.settings import Plotting
from dafre_fast.verify.run import verify
from dafre_fast.verify.settings import VerifyRun
from tests.commands import here, tree

pytestmark = pytest.mark.slow

BUST = Output("bust", "busts", HeadBox(margin=0.5), ShortSide(128, at_most=True))
IMAGES = 16
BROKEN, HEADLESS = 15, 14
"""Images whose original is none, and whose head box lies outside the picture."""
MADE = [image for image in range(IMAGES) if image not in (BROKEN, HEADLESS)]
SIZE = (128, 136)
"""The size of a bust: its box is (75, 80, 225, 240) of 300 x 400 pixels, 300 x 320 with margin."""


def name(image: int) -> str:
    return f"{image:04}/{image}.jpg"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Originals of two classes, and the tables that name them."""
    folder, rows = tmp_path_factory.mktemp("inputs"), []
    random = np.random.default_rng(0)
    for image in range(IMAGES):
        path = folder / "originals" / name(image)
        path = path.with_suffix(".png" if image % 2 else ".jpg")
        path.parent.mkdir(parents=True)
        noise = Image.fromarray(random.integers(0, 255, (20, 15, 3), np.uint8))
        noise.resize((300, 400), Image.Resampling.BICUBIC).save(path)
        left = 2.5 if image == HEADLESS else 0.25
        rows.append(f"{image:04}\\{image}.jpg\t{image % 2}\t{left}, 0.2, {left + 0.5}, 0.6 0.9\n")
    path.write_text("<html>")
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text("cirno\t0\nreimu\t1\n")
    return folder


def make(inputs: Path, output: Path, *others: Output, **settings: object) -> Summary:
    run = FullRun(
        faces=inputs / "faces.tsv",
        tag_ids=inputs / "tagIds.tsv",
        source=str(inputs / "originals"),
        output=output,
        **settings,
    )
    rules = Selection(min_images=8), Splitting(), TagSteps(), Plotting(), Fetching()
    return full(run, *rules, Recipe(others=others), Running(workers=2))


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "ds"
    make(inputs, folder, BUST)
    return folder


@pytest.fixture
def ds(made, tmp_path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "ds"))


@pytest.fixture(scope="module")
def in_shards(inputs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "ds"
    make(inputs, folder, BUST, pack="webdataset", shard_size=3)
    return folder


def flaws(ds: Path) -> set[tuple[Flaw, str]]:
    findings = verify(VerifyRun(output=ds, deep=True), Workers(workers=1)).findings
    return {(one.flaw, one.where) for one in findings}


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


# Run, ledger and manifest


def test_it_is_made_of_its_region_in_its_size_into_its_tree(made) -> None:
    found = tree(made / "busts")
    assert found.keys() == {name(image) for image in MADE}
    assert {size_of(data) for data in found.values()} == {SIZE}


def test_it_shows_the_head_box_and_its_margin(inputs, made) -> None:
    with Image.open(inputs / "originals/0001/1.png") as original:
        region = original.convert("RGB").crop((0, 0, 300, 320))
    expected = np.asarray(region.resize(SIZE, Image.Resampling.LANCZOS)).astype(int)
    with Image.open(made / "busts" / name(1)) as bust:
        assert np.abs(np.asarray(bust) - expected).mean() < 3


def test_the_other_outputs_do_not_change(inputs, made, tmp_path) -> None:
    make(inputs, tmp_path / "two")
    for folder in (FULL, "faces", "labels"):
        assert tree(made / folder) == tree(tmp_path / "two" / folder)


def test_a_box_outside_the_picture_costs_it_and_leaves_the_full_image(made) -> None:
    row = pl.read_parquet(made / MANIFEST).filter(id=HEADLESS).row(0, named=True)
    assert (row["status"], row["bust_sha256"]) == ("bad_box", None)
    data = (made / FULL / name(HEADLESS)).read_bytes()
    assert row["sha256"] == sha256(data).hexdigest()


def test_the_ledger_and_the_manifest_record_it_as_they_do_others(made) -> None:
    data = (made / "busts" / name(3)).read_bytes()
    expected = {
        "bust_width": 128,
        "bust_height": 136,
        "bust_bytes": len(data),
        "bust_sha256": sha256(data).hexdigest(),
    }
    lines = map(json.loads, (made / STATE / "ledger.jsonl").read_text().splitlines())
    line = next(line for line in lines if line["stage"] == "make" and line["key"] == "3")
    row = pl.read_parquet(made / MANIFEST).filter(id=3).row(0, named=True)
    for recorded in (line, row):
        assert {column: recorded[column] for column in expected} == expected
    assert [*row][-8:] == [
        "face_width", "face_height", "face_bytes", "face_sha256", *expected,
    ]  # fmt: skip


def test_the_same_run_again_makes_nothing(inputs, ds) -> None:
    before = tree(ds)
    summary = make(inputs, ds, BUST)
    assert summary.work
    assert summary.work.images == 0
    assert tree(ds) == before


def test_one_that_is_gone_is_made_again_and_nothing_else(inputs, ds) -> None:
    before = tree(ds)
    (ds / "busts" / name(5)).unlink()
    summary = make(inputs, ds, BUST)
    assert summary.work
    assert summary.work.images == 1
    assert tree(ds) == before


def test_a_dataset_of_two_outputs_is_given_the_third(inputs, made, tmp_path) -> None:
    make(inputs, tmp_path / "ds")
    make(inputs, tmp_path / "ds", BUST)
    assert tree(tmp_path / "ds") == tree(made)
    assert flaws(tmp_path / "ds") == set()


# Readers of the dataset


def test_it_is_verified(made) -> None:
    verification = verify(VerifyRun(output=made), Workers(workers=1))
    assert verification.findings == []
    assert verification.files == 3 * len(MADE) + 1


def test_damage_to_it_is_found(ds) -> None:
    (ds / "busts" / name(1)).unlink()
    os.truncate(ds / "busts" / name(2), 300)
    changed = bytearray((ds / "busts" / name(3)).read_bytes())
    changed[200] ^= 1
    (ds / "busts" / name(3)).write_bytes(changed)
    (ds / "busts/0003/77.jpg").touch()
    (ds / "busts/0003/.3.jpg.part").touch()
    assert flaws(ds) == {
        (Flaw.MISSING, f"busts/{name(1)}"),
        (Flaw.WRONG_SIZE, f"busts/{name(2)}"),
        (Flaw.WRONG_HASH, f"busts/{name(3)}"),
        (Flaw.ORPHAN, "busts/0003/77.jpg"),
        (Flaw.LEFTOVER, "busts/0003/.3.jpg.part"),
    }


def test_damaged_files_of_it_are_removed_and_made_again(inputs, ds) -> None:
    before = tree(ds)
    os.truncate(ds / "busts" / name(2), 300)
    removed = verify(VerifyRun(output=ds, remove=True), Workers(workers=1)).removed
    assert removed == [f"busts/{name(2)}"]
    make(inputs, ds, BUST)
    assert tree(ds) == before


def test_a_manifest_that_differs_from_the_ledger_in_it_is_found(ds) -> None:
    changed = pl.when(pl.col("id") == 4).then(1).otherwise("bust_width").alias("bust_width")
    pl.read_parquet(ds / MANIFEST).with_columns(changed).write_parquet(ds / MANIFEST)
    assert flaws(ds) == {(Flaw.DIFFERS_FROM_LEDGER, "4")}


def test_it_is_a_member_of_webdataset_shards(ds) -> None:
    pack(PackRun(output=ds))
    with tarfile.open(ds / SHARDS / "train/00000.tar") as shard:
        names = shard.getnames()
        busts = {
            member.name: shard.extractfile(member).read()
            for member in shard
            if member.name.endswith(".bust.jpg")
        }
    assert names[:5] == [names[0], *(names[0].replace("jpg", end) for end in ENDINGS)]
    for member, data in busts.items():
        image = int(member.partition(".")[0])
        assert data == (ds / "busts" / name(image)).read_bytes()
    table = pl.read_parquet(ds / SHARDS / "train/00000.parquet").drop_nulls("bust_offset")
    assert table.height == len(busts) > 0


ENDINGS = ["face.jpg", "bust.jpg", "cls", "json"]


@pytest.mark.parametrize("format", ["parquet", "hf"])
def test_it_is_a_column_of_packed_tables(ds, format) -> None:
    pack(PackRun(output=ds, format=format))
    paths = [*(ds / f"packs/{format}-both").rglob("*.parquet")]
    rows = [row for path in paths for row in pl.read_parquet(path).iter_rows(named=True)]
    assert {row["id"] for row in rows} == {*MADE}
    for row in rows:
        data = row["bust"]["bytes"] if format == "hf" else row["bust"]
        assert data == (ds / "busts" / name(row["id"])).read_bytes()


def test_the_card_of_a_pack_describes_it(ds) -> None:
    pack(PackRun(output=ds, format="hf"))
    text = (ds / "packs/hf-both/README.md").read_text()
    assert "  - name: bust\n    dtype: image\n" in text
    sentence = (
        "`image` is the whole picture, `face` the head, `bust` the head with a margin of 0.5."
    )
    assert sentence in text


def test_it_is_an_archive_of_its_tree(ds) -> None:
    pack(PackRun(output=ds, format="tar"))
    with tarfile.open(ds / "packs/tar-both/dafre_busts.tar.gz") as archive:
        assert archive.getnames() == [f"busts/{name(image)}" for image in MADE]


def test_it_can_be_packed_alone(ds) -> None:
    done = here("pack", "--output", ds, "--images", "bust", cwd=ds)
    assert done.returncode == 0, done.stderr
    with tarfile.open(ds / "packs/webdataset-bust/train/00000.tar") as shard:
        first = shard.getmembers()[0]
        data = shard.extractfile(first).read()
    assert data == (ds / "busts" / name(int(first.name.partition(".")[0]))).read_bytes()


def test_an_output_that_the_dataset_has_not_is_named_with_those_that_it_has(ds) -> None:
    for images in ("heads", "../bust"):
        with pytest.raises(
            UsageError, match=rf"images '{images}': full, faces, bust, both are known"
        ):
            pack(PackRun(output=ds, images=images))
    assert not (ds / "packs").exists()


def test_a_trainer_is_given_it_by_number_and_from_shards(ds) -> None:
    items = {item["id"]: item for item in Items(ds, "train", Making("bust"))}
    assert {item["bust"].shape for item in items.values()} == {(136, 128, 3)}
    pack(PackRun(output=ds))
    streamed = [*Stream(ds / SHARDS / "train", Making("both"), None).items(0, Reader())]
    assert {item["id"] for item in streamed} == items.keys()
    for item in streamed:
        assert item.keys() == {"id", "class_id", "full", "face", "bust"}
        assert np.array_equal(item["bust"], items[item["id"]]["bust"])


def served(ds: Path, *paths: str) -> list[bytes]:
    index_dataset(ds, ds / "index", begin=lambda: None)

    async def ask() -> list[bytes]:
        run = GalleryRun(output=ds, port=0)
        async with serving(run, open_index(ds / "index")) as place, ClientSession() as client:
            answers = [await client.get(place + path) for path in paths]
            return [await answer.read() for answer in answers]

    return asyncio.run(ask())


def test_the_gallery_shows_it(ds) -> None:
    page, picture, grid = served(ds, "image/3", "bust/3.jpg", "?show=bust")
    assert b'<img src="/bust/3.jpg" width="128" height="136"' in page
    assert "<figcaption>Bust, 128 × 136</figcaption>".encode() in page
    assert picture == (ds / "busts" / name(3)).read_bytes()
    assert b'<img src="/bust/3.jpg" width="128" height="136"' in grid


def test_the_gallery_shows_none_where_none_was_made(ds) -> None:
    (page,) = served(ds, f"image/{HEADLESS}")
    assert b'<img src="/full/14.jpg"' in page
    assert b"/bust/" not in page


def test_a_report_has_a_sheet_of_it(ds) -> None:
    page = Path(write_report(ReportRun(output=ds)).index)
    assert (page.parent / "pictures/sheet-busts-train.webp").is_file()


def test_a_copy_without_its_records_still_has_it(ds) -> None:
    shutil.rmtree(ds / STATE)
    (ds / "busts").rename(ds / "bust")  # a folder of its name is all that can be known
    assert flaws(ds) == set()
    (ds / "bust" / name(1)).unlink()
    assert flaws(ds) == {(Flaw.MISSING, f"bust/{name(1)}")}
    assert b"/bust/3.jpg" in served(ds, "image/3")[0]


# A dataset that lies in shards from the start


def test_it_lies_in_shards_as_it_is_packed(ds, in_shards) -> None:
    assert not (in_shards / "busts").exists()
    pack(PackRun(output=ds, shard_size=3))
    found, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.tar")}
        for folder in (in_shards, ds)
    )
    assert found == expected


def test_in_shards_it_is_verified_shown_and_not_made_again(
    inputs, made, in_shards, tmp_path
) -> None:
    ds = Path(shutil.copytree(in_shards, tmp_path / "ds"))
    assert flaws(ds) == set()
    assert served(ds, "bust/3.jpg") == [(made / "busts" / name(3)).read_bytes()]
    summary = make(inputs, ds, BUST, pack="webdataset", shard_size=3)
    assert summary.work
    assert summary.work.images == 0


def test_in_shards_one_that_is_damaged_is_found(in_shards, tmp_path) -> None:
    ds = Path(shutil.copytree(in_shards, tmp_path / "ds"))
    shard = ds / SHARDS / "train/00000.tar"
    row = (
        pl.read_parquet(shard.with_suffix(".parquet")).drop_nulls("bust_offset").row(0, named=True)
    )
    data = bytearray(shard.read_bytes())
    data[row["bust_offset"] + 100] ^= 1
    shard.write_bytes(data)
    where = f"{SHARDS}/train/00000.tar"
    assert flaws(ds) == {
        (Flaw.WRONG_HASH, where),
        (Flaw.WRONG_HASH, f"{where}/{row['id']}.bust.jpg"),
    }
