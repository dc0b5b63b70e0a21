"""The `pack` command as users run it, and its packs as other tools read them."""

import csv
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Notice
from dafre_fast.core.findings import Flaw
from dafre_fast.core.layout import FACES, FULL, MANIFEST, STATE
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Packed
from dafre_fast.dataset.ledger import LOCK
from dafre_fast.dataset.provenance import record_choice
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.commands import here, tree
from tests.datasets_drawn import IMAGES, NAMES, REFUSED, SPLITS, draw_dataset, path_of
from tests.sources.archived import fetch, originals, served
from tests.torture.kills import await_true, workers_of

pytestmark = pytest.mark.slow

MADE = IMAGES - 1
FORMATS = ["tar", "webdataset", "parquet", "hf"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "ds")


@pytest.fixture
def ds(drawn, tmp_path) -> Path:
    """Copy a dataset for a test that packs and damages it."""
    return Path(shutil.copytree(drawn, tmp_path / "ds"))


def packed(ds: Path, format: str = "webdataset", **settings: object) -> Packed:
    return pack(PackRun(output=ds, format=format, **{"shard_size": 4, **settings}))


def bytes_of(ds: Path, tree: str, image: int) -> bytes:
    return (ds / tree / path_of(image)).read_bytes()


def ids_of(split: str) -> set[int]:
    return {1000 + number for number in SPLITS[split] if number != REFUSED}


def as_webdataset(*shards: Path) -> list[dict[str, object]]:
    """Read shards with the package webdataset, in another process, since it leaves files open."""
    script = (
        "import json, sys, webdataset\n"
        "for sample in webdataset.WebDataset(sys.argv[1:], shardshuffle=False):\n"
        "    print(json.dumps({k: v.hex() if isinstance(v, bytes) else v"
        " for k, v in sample.items()}))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, shards)]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_a_webdataset_has_every_image_of_a_split_once_with_class_and_json(ds) -> None:
    packed(ds, images="both")
    samples = as_webdataset(*sorted((ds / "packs/webdataset-both/train").glob("*.tar")))
    assert {int(sample["__key__"]) for sample in samples} == ids_of("train")
    assert len(samples) == 7
    for sample in samples:
        image = int(sample["__key__"])
        printed = json.loads(bytes.fromhex(sample["json"]))
        assert bytes.fromhex(sample["jpg"]) == bytes_of(ds, FULL, image)
        assert bytes.fromhex(sample["face.jpg"]) == bytes_of(ds, FACES, image)
        assert bytes.fromhex(sample["cls"]) == b"%d" % (image % 2)
        assert (printed["id"], printed["class_name"]) == (image, NAMES[image % 2])
        assert printed["tags_cat4"] == ["tags_cat4", f"tag {image}"]


def without_values(ds: Path) -> None:
    """Leave tags, a note, a class name, and sizes of its original to image 1000 alone."""
    for path in ds.glob("labels/*_tags.parquet"):
        pl.read_parquet(path).filter(pl.col("id") == 1000).write_parquet(path)
    table, is_first = pl.read_parquet(ds / MANIFEST), pl.col("id") == 1000
    columns = ["class_name", "original_width", "left"]
    table.with_columns(
        pl.when(is_first).then(pl.lit(["truncated"])).otherwise(pl.lit([])).alias("notes"),
        *(pl.when(is_first).then(pl.col(name)).alias(name) for name in columns),
    ).write_parquet(ds / MANIFEST)


def test_the_json_of_a_sample_has_all_keys_with_a_value_that_tells_its_type(ds) -> None:
    without_values(ds)
    packed(ds)
    samples = as_webdataset(*sorted((ds / "packs/webdataset-both/train").glob("*.tar")))
    printed = {int(one["__key__"]): json.loads(bytes.fromhex(one["json"])) for one in samples}
    types = [{name: type(value) for name, value in one.items()} for one in printed.values()]
    assert all(one == types[0] for one in types)
    first, other = printed[1000], printed[1001]
    assert (first["tags_cat0"], first["notes"]) == (["tags_cat0", "tag 1000"], ["truncated"])
    assert other["tags_cat0"] == other["tags_cat4"] == other["notes"] == [""]
    assert (other["class_name"], other["original_width"], other["left"]) == ("", -1, -1.0)


@pytest.mark.parametrize(("images", "trees"), [("full", FULL), ("faces", FACES)])
def test_a_pack_of_one_kind_of_image_has_it_as_jpg(ds, images, trees) -> None:
    packed(ds, images=images)
    (first, *_) = as_webdataset(ds / f"packs/webdataset-{images}/val/00000.tar")
    assert bytes.fromhex(first["jpg"]) == bytes_of(ds, trees, int(first["__key__"]))
    assert "face.jpg" not in first


def test_shards_have_the_size_asked_for_and_a_table_and_counts_beside_them(ds) -> None:
    packed(ds, shard_size=5)
    train = ds / "packs/webdataset-both/train"
    assert sorted(path.name for path in train.iterdir()) == [
        f"0000{number}{ending}"
        for number in (0, 1)
        for ending in (".json", ".parquet", ".tar", "_stats.json")
    ]
    tables = [pl.read_parquet(train / f"0000{number}.parquet") for number in (0, 1)]
    assert [table.height for table in tables] == [5, 2]
    assert set(pl.concat(tables)["id"]) == ids_of("train")
    stats = json.loads((train / "00001_stats.json").read_text())
    assert stats == {
        "count": 2,
        "successes": 2,
        "status_dict": {"success": 2},
        "pictures": {"full": "jpg", "face": "face.jpg"},
    }


def test_the_table_of_a_shard_has_refusals_and_offsets_of_pictures(ds) -> None:
    packed(ds)
    path = ds / "packs/webdataset-both/test/00000.tar"
    data, table = path.read_bytes(), pl.read_parquet(path.with_suffix(".parquet"))
    assert dict(table.select("id", "status").iter_rows()) == {
        1009: "success",
        1010: "success",
        1011: "not_found",
    }
    for row in table.filter(status="success").iter_rows(named=True):
        for place, prefix in ((FULL, ""), (FACES, "face_")):
            begin, size = row[f"{prefix}offset"], row[f"{prefix}bytes"]
            assert data[begin : begin + size] == bytes_of(ds, place, row["id"])
    stats = json.loads(path.with_name("00000_stats.json").read_text())
    assert stats["status_dict"] == {"not_found": 1, "success": 2}
    assert (stats["count"], stats["successes"]) == (3, 2)


def test_an_image_that_is_made_later_changes_no_shard_but_its_own(ds) -> None:
    whole = pl.read_parquet(ds / MANIFEST)
    is_late = pl.col("id") == 1003
    late = whole.with_columns(status=pl.when(is_late).then(pl.lit("timeout")).otherwise("status"))
    late.write_parquet(ds / MANIFEST)
    before = packed(ds, shard_size=2)
    whole.write_parquet(ds / MANIFEST)
    after = packed(ds, shard_size=2)
    assert (after.written, after.kept) == (1, before.written - 1)
    assert after.packed == before.packed + 1


def test_the_index_of_a_shard_has_the_offset_of_each_member(ds) -> None:
    packed(ds)
    path = ds / "packs/webdataset-both/train/00000.tar"
    index, data = json.loads(path.with_suffix(".json").read_text()), path.read_bytes()
    with tarfile.open(path) as archive:
        assert [*index["files"]] == archive.getnames()
    for name, place in index["files"].items():
        member = data[place["offset"] : place["offset"] + place["size"]]
        assert hashlib.sha256(member).hexdigest() == place["sha256"], name
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    assert (index["filesize"], index["hash"]) == (len(data), blob)
    assert index["hash_lfs"] == hashlib.sha256(data).hexdigest()


def test_a_pack_is_a_source_that_can_be_read_by_range(ds, tmp_path) -> None:
    packed(ds, images="both")
    train = {1000, 1003, 1006}
    with served(ds / "packs/webdataset-both/train") as (address, asked):
        found = fetch(f"{address}/{{00000..00001}}.tar", tmp_path / "read", [*train])
    assert {key for key, fetched in found.items() if fetched.reason is None} == train
    assert originals(tmp_path / "read") == {path_of(key): bytes_of(ds, FULL, key) for key in train}
    assert all(path.endswith("*") for path in asked if path.endswith((".tar", ".tar*")))


def test_archives_hold_the_files_of_the_trees_and_labels(ds, tmp_path) -> None:
    packed(ds, "tar")
    for name in ("dafre_full", "dafre_faces", "labels"):
        with tarfile.open(ds / f"packs/tar-both/{name}.tar.gz") as archive:
            archive.extractall(tmp_path / "out", filter="data")
    published = {FULL, FACES, "labels"}
    expected = {name: data for name, data in tree(ds).items() if name.split("/")[0] in published}
    assert tree(tmp_path / "out") == expected


def test_members_of_archives_have_no_owner_and_no_time(ds) -> None:
    packed(ds, "tar")
    with tarfile.open(ds / "packs/tar-both/dafre_full.tar.gz") as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime, one.mode) for one in members} == {
        (0, 0, "", "", 0, 0o644)
    }
    assert (ds / "packs/tar-both/dafre_full.tar.gz").read_bytes()[3:8] == bytes(5)  # flags, time


def test_parquet_holds_the_bytes_of_the_images(ds) -> None:
    packed(ds, "parquet")
    table = pl.read_parquet([*sorted((ds / "packs/parquet-both/train").glob("*.parquet"))])
    assert set(table["id"]) == ids_of("train")
    for row in table.iter_rows(named=True):
        assert row["full"] == bytes_of(ds, FULL, row["id"])
        assert row["face"] == bytes_of(ds, FACES, row["id"])
        assert row["tags_cat0"] == ["tags_cat0", f"tag {row['id']}"]


@pytest.fixture
def datasets(tmp_path, monkeypatch) -> ModuleType:
    """The library of Hugging Face, without a network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    return pytest.importorskip("datasets")


OF_SPLITS = {"train": "train", "validation": "val", "test": "test"}


@pytest.mark.parametrize("format", ["webdataset", "parquet"])
def test_the_folder_of_a_pack_is_loaded_as_it_is(ds, tmp_path, datasets, format) -> None:
    without_values(ds)
    packed(ds, format)
    loaded = datasets.load_dataset(str(ds / f"packs/{format}-both"), cache_dir=str(tmp_path / "c"))
    full, face = ("jpg", "face.jpg") if format == "webdataset" else ("full", "face")
    for split, own in OF_SPLITS.items():
        rows = {
            (row["json"] if format == "webdataset" else row)["id"]: row for row in loaded[split]
        }
        assert rows.keys() == ids_of(own)
        assert {row[full].size for row in rows.values()} == {(40, 32)}
        assert {row[face].size for row in rows.values()} == {(20, 24)}


def test_shards_are_loaded_though_the_first_samples_have_no_tags(ds, tmp_path, datasets) -> None:
    without_values(ds)
    packed(ds, shard_size=100, shuffle=False)
    path = ds / "packs/webdataset-both/train/00000.tar"
    last_first = pl.read_parquet(ds / MANIFEST).sort("id", descending=True)
    last_first.write_parquet(ds / MANIFEST)  # the image that has values is the seventh
    packed(ds, shard_size=100, shuffle=False)
    loaded = datasets.load_dataset(
        "webdataset", data_files={"train": str(path)}, cache_dir=str(tmp_path / "cache")
    )
    rows = [row["json"] for row in loaded["train"]]
    assert {row["id"] for row in rows} == ids_of("train")
    assert (rows[-1]["id"], rows[-1]["notes"], rows[0]["notes"]) == (1000, ["truncated"], [""])


def test_the_folder_for_hugging_face_is_loaded_as_it_is(ds, tmp_path, datasets) -> None:
    packed(ds, "hf")
    loaded = datasets.load_dataset(str(ds / "packs/hf-both"), cache_dir=str(tmp_path / "cache"))
    assert {split: set(loaded[split]["id"]) for split in loaded} == {
        split: ids_of(own) for split, own in OF_SPLITS.items()
    }
    assert loaded["train"].features["label"].names == NAMES
    row = loaded["train"][0]
    assert (row["image"].size, row["face"].size) == ((40, 32), (20, 24))
    assert (row["label"], row["class_name"]) == (row["id"] % 2, NAMES[row["id"] % 2])
    assert row["tags_cat3"] == ["tags_cat3", f"tag {row['id']}"]
    raw = loaded["train"].cast_column("image", datasets.Image(decode=False))[0]["image"]
    assert raw["bytes"] == bytes_of(ds, FULL, row["id"])


WITH_CARDS = ["webdataset", "parquet", "hf"]


def card_of(ds: Path, format: str = "hf", **settings: object) -> str:
    packed(ds, format, **settings)
    return (ds / f"packs/{format}-both/README.md").read_text()


@pytest.mark.parametrize("format", WITH_CARDS)
def test_the_card_has_the_splits_and_the_title_and_description_that_are_given(ds, format) -> None:
    card = card_of(ds, format, title="Heads: {all}", description="Some *text*.")
    assert "| train | 7 | 2 |\n| validation | 2 | 2 |\n| test | 2 | 2 |\n" in card
    assert 'pretty_name: "Heads: {all}"\n' in card
    assert "# Heads: {all}\n\nSome *text*.\n\n" in card
    assert "\n# ds\n\n11 images" in card_of(ds, format)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "https://me:secret@host.example/{id}.{ext}?key=1",
            "originals at https://host.example/{id}",
        ),
        ("hf:owner/pictures@v1", "the data set owner/pictures@v1 on the Hugging Face Hub"),
        ("/home/me/pictures", "originals on a disk"),
        ("http://127.0.0.1:4711/{id}.{ext}", "originals served by the machine that made it"),
    ],
)
def test_the_card_speaks_of_the_source_that_was_used(ds, source, words) -> None:
    faces = ds / "faces.tsv"
    faces.write_text("rows")
    record_choice(ds, [faces], source, Selection(), [Path("tags.jsonl")], None)
    card = card_of(ds)
    digest = hashlib.sha256(b"rows").hexdigest()
    assert f"dafre_fast made it from {words}" in card
    assert f"`faces.tsv` (SHA-256 {digest}).\nTags are those of `tags.jsonl`.\n" in card
    for other in ("anbooru", "/home/me", "secret", "4711"):
        assert other not in card


def test_a_card_that_somebody_wrote_or_edited_is_kept_and_a_line_says_so(ds, tmp_path) -> None:
    card, told = tmp_path / "pack/README.md", list[object]()
    card.parent.mkdir()
    for text in ("my own", None, "edited"):
        if text:
            card.write_text(text)
        else:
            card.unlink()
        pack(PackRun(output=ds, into=card.parent, title=text), told.append)
        assert (card.read_text() == text) == bool(text)
    notices = [one.text for one in told if isinstance(one, Notice)]
    assert len(notices) == 2
    assert f"{card} is not as it was written and is kept" in notices[0]


@pytest.mark.parametrize(
    "source",
    ["hf:nyanko7/danbooru2023", "/data/Danbooru2018/original", "https://cdn.donmai.us/{id}"],
)
def test_the_card_cites_danbooru_where_originals_are_from_there(ds, source) -> None:
    assert "Danbooru" not in card_of(ds)
    record_choice(ds, [], source, Selection(), [], None)
    card = card_of(ds)
    assert "2101.08674" in card
    assert "@misc{danbooru2018," in card
    assert "howpublished = {\\url{https://www.gwern.net/Danbooru2018}}" in card


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_images_give_the_same_bytes(ds, tmp_path, format) -> None:
    packed(ds, format, into=tmp_path / "one", workers=1)
    for path in ds.rglob("*.jpg"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    manifest = pl.read_parquet(ds / MANIFEST).with_columns(url=pl.lit("http://elsewhere"))
    manifest.write_parquet(ds / MANIFEST)
    packed(ds, format, into=tmp_path / "two", workers=3)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_images_are_in_a_fixed_random_order_or_class_by_class(ds) -> None:
    def order(*, shuffle: bool) -> list[int]:
        packed(ds, "parquet", shuffle=shuffle, shard_size=100)
        return pl.read_parquet(ds / "packs/parquet-both/train/00000.parquet")["id"].to_list()

    stored, mixed = order(shuffle=False), order(shuffle=True)
    assert stored == sorted(stored) != mixed
    assert mixed == sorted(stored, key=lambda image: hashlib.sha256(b"%d" % image).digest())


@pytest.mark.parametrize("format", FORMATS)
def test_a_finished_shard_is_not_written_again(ds, format) -> None:
    first = packed(ds, format)
    before = {path: path.stat().st_ino for path in (ds / "packs").rglob("0*.*")}
    again = packed(ds, format)
    assert (first.kept, again.written, again.kept) == (0, 0, first.written)
    assert {path: path.stat().st_ino for path in (ds / "packs").rglob("0*.*")} == before
    assert (again.images, again.packed, again.bytes) == (IMAGES, MADE, first.bytes)


@pytest.mark.parametrize("spoil", ["flip", "cut", "remove", "index"])
def test_only_a_changed_shard_is_written_again(ds, spoil) -> None:
    packed(ds)
    before = tree(ds / "packs")
    shard = ds / "packs/webdataset-both/train/00001.tar"
    if spoil == "flip":
        data = bytearray(shard.read_bytes())
        data[600] ^= 1
        shard.write_bytes(data)
    elif spoil == "cut":
        os.truncate(shard, 1000)
    elif spoil == "remove":
        shard.unlink()
    else:
        shard.with_suffix(".json").write_text("{}")
    assert packed(ds).written == 1
    assert tree(ds / "packs") == before


def test_a_shard_whose_rows_changed_is_written_again(ds) -> None:
    packed(ds, "parquet")
    name = pl.when(id=1000).then(pl.lit("new")).otherwise("class_name").alias("class_name")
    pl.read_parquet(ds / MANIFEST).with_columns(name).write_parquet(ds / MANIFEST)
    assert packed(ds, "parquet").written == 1


def test_shards_of_another_size_are_removed_and_other_files_stay(ds) -> None:
    packed(ds, shard_size=1)
    train = ds / "packs/webdataset-both/train"
    (train / "notes.txt").touch()
    packed(ds, shard_size=4)
    names = {path.name for path in train.iterdir()}
    assert {name for name in names if name.endswith(".tar")} == {"00000.tar", "00001.tar"}
    assert "notes.txt" in names
    assert "00002.json" not in names
    assert "00002.tar" not in (train.parent / "SHA256SUMS").read_text()


def test_sha256sum_accepts_the_checksums(ds) -> None:
    packed(ds, "hf")
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=ds / "packs/hf-both", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK") == 4


def damage(ds: Path) -> dict[int, Flaw]:
    (ds / FULL / path_of(1000)).unlink()
    with (ds / FULL / path_of(1001)).open("r+b") as file:
        file.write(b"\0")
    os.truncate(ds / FACES / path_of(1007), 10)
    path = ds / FULL / path_of(1009)
    path.unlink()
    os.mkfifo(path)
    return {
        1000: Flaw.MISSING,
        1001: Flaw.WRONG_HASH,
        1007: Flaw.WRONG_SIZE,
        1009: Flaw.UNREADABLE,
    }


@pytest.mark.parametrize("format", FORMATS)
def test_images_that_differ_from_their_record_are_left_out_counted_and_listed(ds, format) -> None:
    flaws = damage(ds)
    found = packed(ds, format)
    assert (found.images, found.packed, found.refused) == (IMAGES, MADE - 4, {"not_found": 1})
    assert found.damaged == dict.fromkeys(flaws.values(), 1)
    assert found.damaged_list == str(ds / f"packs/{format}-both/damaged.csv")
    with Path(found.damaged_list).open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert {int(row["id"]): row["flaw"] for row in rows} == flaws
    assert f"{FACES}/{path_of(1007)}" in {row["file"] for row in rows}


def test_the_table_of_a_shard_lists_what_was_left_out(ds) -> None:
    flaws = damage(ds)
    packed(ds, shard_size=100)
    val = ds / "packs/webdataset-both/val"
    status = dict(pl.read_parquet(val / "00000.parquet").select("id", "status").iter_rows())
    assert status == {1007: flaws[1007], 1008: "success"}
    stats = json.loads((val / "00000_stats.json").read_text())
    assert stats["status_dict"] == {"success": 1, "wrong_size": 1}
    assert {int(sample["__key__"]) for sample in as_webdataset(val / "00000.tar")} == {1008}


def test_a_shard_is_written_again_once_a_damaged_image_is_repaired(ds) -> None:
    whole = bytes_of(ds, FULL, 1007)
    (ds / FULL / path_of(1007)).unlink()
    assert packed(ds).packed == MADE - 1
    assert packed(ds).written == 0
    (ds / FULL / path_of(1007)).write_bytes(whole)
    again = packed(ds)
    assert (again.written, again.packed, again.damaged_list) == (1, MADE, None)
    assert not (ds / "packs/webdataset-both/damaged.csv").exists()


def test_a_shard_of_only_damaged_images_is_empty_and_can_be_read(ds) -> None:
    for image in ids_of("val"):
        (ds / FULL / path_of(image)).unlink()
    packed(ds, "hf")
    table = pl.read_parquet(ds / "packs/hf-both/data/validation-00000-of-00001.parquet")
    assert (table.height, table.schema["image"].fields[0].name) == (0, "bytes")


STOPPED_AT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
sent = signal.Signals[sys.argv.pop(1)]
from dafre_fast import cli
from dafre_fast.pack import __main__ as pack, writing
from dafre_fast.pack.formats import webdataset as formats

module, name = {"close": (formats.Tar, "close"), "rows": (formats, "write_rows"),
                "index": (formats, "index_of"), "record": (writing, "record")}[sys.argv.pop(1)]
original, calls = getattr(module, name), []

def stopping(*arguments):
    calls.append(1)
    if len(calls) == 6:
        os.kill(os.getpid(), sent)
    return original(*arguments)

setattr(module, name, stopping)
cli.run(pack.command)
"""


@pytest.mark.parametrize("format", FORMATS)
def test_any_number_of_workers_leaves_the_same_bytes(ds, tmp_path, format) -> None:
    for workers in (1, 3):
        packed(ds, format, into=tmp_path / f"{workers}", shard_size=2, workers=workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "3")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["close", "index", "rows", "record"])
@pytest.mark.parametrize(("sent", "status"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_a_stopped_run_continues_where_it_was(ds, tmp_path, moment, sent, status) -> None:
    packed(ds, into=tmp_path / "whole", shard_size=1)
    flags = ("--output", ds, "--shard-size", 1, "--workers", 1)
    command = [sys.executable, "-c", STOPPED_AT, sent, moment, *map(str, flags)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == status
    if sent == "SIGINT":
        assert not [*(ds / "packs").rglob("*.part")]
    again = packed(ds, shard_size=1)
    assert 0 < again.kept < IMAGES
    assert again.kept + again.written == IMAGES
    assert tree(ds / "packs/webdataset-both") == tree(tmp_path / "whole")


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """Draw a dataset that is large enough to interrupt its packing, and pack it undisturbed."""
    folder = tmp_path_factory.mktemp("many")
    ds = draw_dataset(folder / "ds", images=600)
    packed(ds, into=folder / "undisturbed", shard_size=2, workers=1)
    return ds


@contextmanager
def packing(ds: Path, into: Path, temporary: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start `pack` with two workers in its own session, and wait for its first shards."""
    flags = ("--output", ds, "--into", into, "--shard-size", 2, "--workers", 2)
    with subprocess.Popen(
        [sys.executable, "-m", "dafre_fast.pack", *map(str, flags)],
        env=os.environ | {"TMPDIR": temporary},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        assert await_true(lambda: [*(into / STATE).glob("train/*.json")])
        yield run


def test_ctrl_c_leaves_nothing_half_written_and_the_next_run_continues(
    many, tmp_path, short_tmpdir
) -> None:
    with packing(many, tmp_path / "pack", short_tmpdir) as run:
        run.send_signal(signal.SIGINT)
    assert run.returncode == 130
    assert not [*tmp_path.rglob("*.part")]
    again = packed(many, into=tmp_path / "pack", shard_size=2)
    assert again.kept > 0
    assert again.written > 0
    assert tree(tmp_path / "pack") == tree(many.parent / "undisturbed")


def test_a_worker_that_dies_costs_nothing(many, tmp_path, short_tmpdir) -> None:
    with packing(many, tmp_path / "pack", short_tmpdir) as run:
        os.kill(workers_of(run.pid)[0], signal.SIGKILL)
    assert run.returncode == 0
    assert tree(tmp_path / "pack") == tree(many.parent / "undisturbed")


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_no_half_shard_and_with_more_space_the_rest_is_written(
    ds, tmp_path, small_disk, format
) -> None:
    pack_folder = small_disk.folder / "pack"
    with pytest.raises(OutputError, match="No space left"):
        packed(ds, format, into=pack_folder, shard_size=3)
    assert not [*small_disk.folder.rglob("*.part")]
    small_disk.remount("size=4m")
    packed(ds, format, into=pack_folder, shard_size=3)
    packed(ds, format, into=tmp_path / "whole", shard_size=3)
    assert tree(pack_folder) == tree(tmp_path / "whole")


@pytest.mark.parametrize("format", ["webdataset", "parquet", "hf"])
def test_images_that_an_audit_excludes_are_left_out_and_counted(ds, tmp_path, format) -> None:
    (tmp_path / "exclude.csv").write_text("split,id\ntrain,1003\nval, 1007\ntrain,999\n")
    found = packed(ds, format, exclude=tmp_path / "exclude.csv")
    assert (found.images, found.packed, found.excluded) == (IMAGES, MADE - 2, 2)
    names = [path for path in (ds / "packs").rglob("*.parquet") if ".dafre_fast" not in path.parts]
    ids = {image for path in names for image in pl.read_parquet(path)["id"]}
    assert not ids & {1003, 1007}
    assert len(ids) == MADE - 2 + (format == "webdataset")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("number,why\n1,x\n", "has no column id or key, but number, why"),
        ("id\n1\ncirno\n", "line 3: 'cirno' is no id"),
    ],
)
def test_a_list_that_cannot_be_read_excludes_nothing(ds, tmp_path, text, reason) -> None:
    (tmp_path / "exclude.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        packed(ds, exclude=tmp_path / "exclude.csv")


def test_only_the_images_of_a_list_are_packed_and_the_others_counted(ds, tmp_path) -> None:
    (tmp_path / "marks.csv").write_text(
        "id,mark\n1003,good\n1007,good\n1004,wrong head\n999,good\n"
    )
    flags = ("--only", tmp_path / "marks.csv", "--mark", "good", "--json")
    done = here("pack", "--output", ds, *flags, cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (found["images"], found["packed"], found["excluded"]) == (IMAGES, 2, IMAGES - 2)
    assert "marks.csv: 1 of 3 images are not in the dataset, such as 999" in done.stderr


@pytest.mark.parametrize(
    ("only", "exclude", "said"),
    [
        ("id\n1\n2\n", None, "only.csv: none of its 2 images is in the dataset, such as 1"),
        (None, "1\n", "exclude.csv: none of its 1 images is in the dataset, such as 1"),
        ("id\n", None, "only .*only.csv: no image of .*manifest.parquet is left"),
        ("id\n1003\n", "1003\n", "only .*only.csv, exclude .*exclude.csv: no image of"),
    ],
)
def test_lists_that_leave_nothing_are_refused_and_change_nothing(
    ds, tmp_path, only, exclude, said
) -> None:
    flags = list[object]()
    for name, text in (("only", only), ("exclude", exclude)):
        if text is not None:
            (tmp_path / f"{name}.csv").write_text(text)
            flags += [f"--{name}", tmp_path / f"{name}.csv"]
    done = here("pack", "--output", ds, *flags, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(said, done.stderr), done.stderr
    assert not (ds / "packs").exists()


@pytest.mark.parametrize("flag", ["only", "exclude"])
def test_archives_whose_labels_would_name_excluded_images_are_refused(ds, tmp_path, flag) -> None:
    with pytest.raises(UsageError, match=f"--{flag}: archives hold the labels"):
        packed(ds, "tar", **{flag: tmp_path / "list.csv"})


def test_nothing_is_packed_during_a_run(ds) -> None:
    (ds / STATE).mkdir()
    with (ds / STATE / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="a run is at work"):
            packed(ds)
    packed(ds)


def test_two_packs_are_not_written_into_one_folder_at_once(ds) -> None:
    packed(ds)
    with (ds / "packs/webdataset-both" / STATE / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="a run is at work"):
            packed(ds)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pl.col("split").replace("val", "../val"), "'../val' is no split"),
        (pl.lit(1000).cast(pl.Int64).alias("id"), "image 1000 is in it twice"),
        (pl.lit("not_found").alias("status"), "no image was made"),
        (pl.lit(None, pl.Int64).alias("class_id"), "has no id, class_id, split or status"),
    ],
)
def test_an_inconsistent_manifest_is_refused_by_name(ds, change, said) -> None:
    pl.read_parquet(ds / MANIFEST).with_columns(change).write_parquet(ds / MANIFEST)
    with pytest.raises(InputError, match=f"manifest.parquet: .*{said}"):
        packed(ds)


def test_a_folder_without_labels_has_none_to_pack(ds) -> None:
    shutil.rmtree(ds / "labels")
    with pytest.raises(InputError, match="labels: No such file"):
        packed(ds, "tar")


def test_two_classes_of_one_name_get_different_names_for_hugging_face(ds) -> None:
    same = pl.read_parquet(ds / MANIFEST).with_columns(class_name=pl.lit("same"))
    same.write_parquet(ds / MANIFEST)
    packed(ds, "hf")
    card = (ds / "packs/hf-both/README.md").read_text()
    assert "'0': \"same\"\n          '1': \"same (1)\"\n" in card


def test_the_text_accounts_for_every_image(ds) -> None:
    damage(ds)
    done = here("pack", "--output", ds, "--max-refused", 3, cwd=ds)
    assert done.returncode == 1, done.stderr
    assert "12 images = 7 packed + 1 refused before + 4 damaged" in done.stdout
    assert "damaged.csv" in done.stdout
    assert here("pack", "--output", ds, "--max-refused", 4, cwd=ds).returncode == 0


def test_the_json_has_the_same_counts(ds) -> None:
    done = here("pack", "--output", ds, "--format", "parquet", "--json", cwd=ds)
    printed = json.loads(done.stdout)
    assert (printed["images"], printed["packed"], printed["written"]) == (IMAGES, MADE, 3)


def test_a_folder_without_a_dataset_is_one_line_and_status_2(tmp_path) -> None:
    done = here("pack", "--output", tmp_path, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "manifest.parquet" in done.stderr
