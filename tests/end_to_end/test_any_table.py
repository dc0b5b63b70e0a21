"""`--table`: a list of addresses of any kind becomes a dataset, as faces.tsv does."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.settings.images import FULL_IMAGE
from dafre_fast.dataset.items import Items, Making
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.gallery.index import index_dataset, open_index
from tests.commands import dafre, here, ledger_keys, tree
from tests.edits import drawn
from tests.hosts import Host, host

FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff")


def picture(number: int) -> bytes:
    file = io.BytesIO()
    drawn(number, (60, 80)).save(file, FORMATS[number % len(FORMATS)])
    return file.getvalue()


BODIES = {f"/p/{number}.{FORMATS[number % len(FORMATS)]}": picture(number) for number in range(8)}
KEYS = [f"../dir/é {number}" for number in range(8)]


@pytest.fixture
def served() -> Iterator[Host]:
    with host() as found:
        found.files |= BODIES
        yield found


@pytest.fixture
def folder(tmp_path, served) -> Path:
    """Write a table of eight pictures, and one that is not there, in two classes."""
    rows = [
        {
            "url": served.address + path,
            "key": key,
            "class": "ab"[number % 2],
            "md5": hashlib.md5(BODIES[path]).hexdigest(),
            "caption": f'a "{number}", b',
            "score": number / 4,
        }
        for number, (path, key) in enumerate(zip(BODIES, KEYS, strict=True))
    ]
    rows.append(rows[0] | {"url": f"{served.address}/gone.jpg", "key": "gone", "md5": None})
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    return tmp_path


def full(folder: Path, *flags: object, table: str = "t.csv"):
    given = ("--table", table, "--output", "ds", "--workers", 1, "--retries", 0, "--size", 32)
    return here("full", *given, "--no-report", *flags, cwd=folder)


def summary(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def manifest(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "ds/manifest.parquet")


def test_a_list_of_keys_chooses_images_of_packs_and_exports(folder) -> None:
    full(folder)
    (folder / "keys.txt").write_text(f"{KEYS[3]}\n{KEYS[5]}\nnobody\n")
    done = here("pack", "--output", "ds", "--exclude", "keys.txt", "--json", cwd=folder)
    found = summary(done)
    assert (found["images"], found["packed"], found["excluded"]) == (9, 6, 2)
    assert "keys.txt: 1 of 3 images are not in the dataset, such as nobody" in done.stderr
    flags = ("--format", "fiftyone", "--output", "ds", "--only", "keys.txt", "--json")
    found = summary(here("export", *flags, cwd=folder))
    assert (found["exported"], found["excluded"]) == (2, 7)


def test_every_row_has_an_outcome_and_keeps_its_columns(folder) -> None:
    found = summary(full(folder, "--json"))
    assert (found["images"], found["success"], found["refused"]) == (9, 8, {"not_found": 1})
    rows = manifest(folder)
    assert {*rows["key"]} == {*KEYS, "gone"}
    row = rows.row(by_predicate=pl.col("key") == KEYS[3], named=True)
    assert (row["caption"], row["score"], row["class_name"]) == ('a "3", b', 0.75, "b")
    assert (row["proof"], row["format"]) == ("md5", "gif")
    assert "face_width" not in rows.columns


def test_files_lie_below_two_levels_of_digits(folder) -> None:
    full(folder)
    for path in (folder / "ds/fullMin256").rglob("*.jpg"):
        bucket, name = path.relative_to(folder / "ds/fullMin256").parts
        assert bucket.isdecimal()
        assert name.removesuffix(".jpg").isdecimal()


def test_a_second_run_asks_for_nothing(folder, served) -> None:
    full(folder)
    served.asked.clear()
    assert summary(full(folder, "--json"))["work"]["images"] == 0
    assert served.asked == []


def test_a_run_with_more_rows_goes_on(folder) -> None:
    full(folder, "--limit", 3)
    assert len(ledger_keys(folder / "ds")) > 3 - 1
    found = summary(full(folder, "--json"))
    assert found["work"]["images"] == 6
    whole = tree(folder / "ds/fullMin256")
    full(folder, "--no-resume")
    assert tree(folder / "ds/fullMin256") == whole


def test_another_order_of_the_table_changes_no_file(folder) -> None:
    full(folder)
    before = tree(folder / "ds/fullMin256")
    pl.read_csv(folder / "t.csv").reverse().write_csv(folder / "t.csv")
    assert summary(full(folder, "--json"))["success"] == 8
    assert tree(folder / "ds/fullMin256") == before


def test_a_mended_address_is_asked_for_again(folder) -> None:
    full(folder)
    text = (folder / "t.csv").read_text().replace("/gone.jpg", "/p/0.jpeg")
    (folder / "t.csv").write_text(text)
    assert summary(full(folder, "--json"))["success"] == 9


def test_what_is_not_the_file_of_its_md5_is_refused(folder, served) -> None:
    served.files["/p/1.png"] = BODIES["/p/7.png"]
    assert summary(full(folder, "--json"))["refused"] == {"not_found": 1, "wrong_hash": 1}


def test_labels_follow_from_classes_and_are_left_out_without(folder) -> None:
    full(folder)
    assert (folder / "ds/labels/classid_classname.csv").read_text() == "0,a\n1,b\n"
    pl.read_csv(folder / "t.csv").drop("class").write_csv(folder / "t.csv")
    full(folder, "--output", "bare")
    assert [path.name for path in (folder / "bare/labels").iterdir()] == ["funnel.json"]


@pytest.fixture
def bare(folder) -> Path:
    """Make a dataset without classes, keys and boxes."""
    table = pl.read_csv(folder / "t.csv").select("url", "score").head(8)
    table.write_ndjson(folder / "bare.jsonl")
    assert full(folder, table="bare.jsonl").returncode == 0
    return folder


def test_verify_finds_nothing_wrong_without_classes(bare) -> None:
    done = here("verify", "--output", "ds", "--deep", cwd=bare)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("format", ["webdataset", "parquet", "hf", "tar"])
def test_packs_are_made_without_classes(bare, format) -> None:
    done = here("pack", "--output", "ds", "--format", format, "--workers", 1, "--json", cwd=bare)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["packed"] == 8


def test_a_shard_has_the_further_columns_and_no_class_without_classes(bare) -> None:
    here("pack", "--output", "ds", "--workers", 1, cwd=bare)
    with tarfile.open(bare / "ds/packs/webdataset-both/train/00000.tar") as archive:
        names = archive.getnames()
        facts = json.load(archive.extractfile(names[1]))
    assert {name.partition(".")[2] for name in names} == {"jpg", "json"}
    assert facts["key"].startswith("http://127.0.0.1")
    assert "score" in facts
    assert "class_id" not in facts
    table = pl.read_parquet(bare / "ds/packs/webdataset-both/train/00000.parquet")
    assert {"key", "score"} <= {*table.columns}


def test_loaders_read_it_without_classes(bare) -> None:
    items = Items(bare / "ds", None, Making("full"))
    assert len(items) == 8
    assert items[0]["class_id"] == -1
    assert items.class_names == []


def test_the_gallery_has_all_of_its_images(bare) -> None:
    index_dataset(bare / "ds", bare / "index", lambda: None)
    assert open_index(bare / "index").rows.collect().height == 8


def test_audit_and_report_take_it(bare) -> None:
    assert here("audit", "--output", "ds", cwd=bare).returncode == 0
    done = here("report", "--output", "ds", cwd=bare)
    assert done.returncode == 0, done.stderr
    assert "could not be read" not in done.stdout


def test_images_go_straight_into_shards(folder) -> None:
    found = summary(full(folder, "--pack", "webdataset", "--json"))
    assert found["packed"]["packed"] == 8
    assert not (folder / "ds/fullMin256").exists()
    assert here("verify", "--output", "ds", cwd=folder).returncode == 0


def test_a_table_with_boxes_makes_two_outputs_of_an_image(folder) -> None:
    boxes = {"l": 0.0, "t": 0.0, "r": 0.5, "b": 0.25}
    table = pl.read_csv(folder / "t.csv").with_columns(pl.lit(v).alias(k) for k, v in boxes.items())
    table.write_csv(folder / "t.csv")
    assert full(folder, "--box-columns", "l,t,r,b").returncode == 0
    rows = manifest(folder).filter(status="success")
    assert rows.select("face_width", "face_height").unique().rows() == [(30, 20)]
    place = Pictures.of(folder / "ds").place(FULL_IMAGE, rows["id"][0])
    assert (folder / "ds" / place.file).exists()


def test_parts_are_merged_to_what_one_run_makes(folder) -> None:
    full(folder)
    whole = tree(folder / "ds")
    for number in (1, 2):
        assert full(folder, "--output", "parts", "--part", f"{number}/2").returncode == 0
    assert here("merge", "--output", "parts", cwd=folder).returncode == 0
    alike = {name: data for name, data in tree(folder / "parts").items() if "original/" not in name}
    assert alike.keys() == {name for name in whole if "original/" not in name}
    assert all(
        whole[name] == data for name, data in alike.items() if name.endswith((".jpg", ".csv"))
    )
    columns = ["id", "key", "status", "sha256"]
    assert (
        manifest(folder)
        .select(columns)
        .equals(pl.read_parquet(folder / "parts/manifest.parquet").select(columns))
    )


@pytest.mark.slow
def test_several_engines_share_a_table(folder) -> None:
    flags = ("--table", "t.csv", "--output", "ds", "--engines", 2, "--workers", 2, "--size", 32)
    done = dafre("full", *flags, "--retries", 0, "--no-report", "--json", cwd=folder)
    assert summary(done)["success"] == 8


def test_a_table_may_be_at_an_address_and_is_fetched_once(folder, served) -> None:
    served.files["/lists/t.csv"] = (folder / "t.csv").read_bytes() + b"x\n"
    table = f"{served.address}/lists/t.csv?sig=5"
    served.files["/lists/t.csv?sig=5"] = served.files["/lists/t.csv"]
    flags = ("--max-bad-rows", 1)
    assert full(folder, *flags, table=table).returncode == 0
    assert full(folder, *flags, table=table).returncode == 0
    assert served.asked.count("/lists/t.csv?sig=5") == 1
    bad = pl.read_csv(folder / "ds/bad_rows.csv")
    assert bad["table"].item().endswith("-t.csv")
    full(folder, *flags, "--no-resume", table=table)
    assert served.asked.count("/lists/t.csv?sig=5") == 2


def test_a_dry_run_reads_the_table_and_asks_for_no_original(folder, served) -> None:
    found = summary(full(folder, "--dry-run", "--json"))
    assert found["originals"]["places"][0]["originals"] == 9
    assert served.asked == []
    assert not (folder / "ds").exists()


def test_relative_addresses_are_joined_to_the_source(folder, served) -> None:
    (folder / "t.csv").write_text("url\np/0.jpeg\np/1.png\n../x\n")
    flags = ("--source", f"{served.address}/", "--max-bad-rows", 1, "--json")
    found = summary(full(folder, *flags))
    assert found["success"] == 2
    assert found["bad_rows"][0]["problem"] == "bad_address"


def test_originals_of_a_folder_are_read_where_they_are(folder) -> None:
    for path, body in BODIES.items():
        target = folder / f"mine{path}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    (folder / "t.csv").write_text("path\n" + "".join(f"{path[1:]}\n" for path in BODIES))
    found = summary(full(folder, "--source", "mine", "--no-keep-originals", "--json"))
    assert found["success"] == 8
    assert not (folder / "ds/original").exists()
    assert len([*(folder / "mine/p").iterdir()]) == 8


def test_originals_of_a_folder_are_never_removed(folder) -> None:
    (folder / "ds/original").mkdir(parents=True)
    (folder / "ds/original/1.png").write_bytes(BODIES["/p/1.png"])
    (folder / "t.csv").write_text("path\n1.png\n")
    done = full(folder, "--source", "ds/original", "--no-keep-originals")
    assert done.returncode == 2
    assert "--no-keep-originals" in done.stderr
    assert (folder / "ds/original/1.png").exists()


def test_download_fetches_a_table_and_its_manifest_has_the_columns(folder) -> None:
    flags = ("--table", "t.csv", "--output", "got", "--manifest", "m.parquet", "--retries", 0)
    found = summary(here("download", *flags, "--json", cwd=folder))
    assert (found["success"], found["refused"]) == (8, {"not_found": 1})
    rows = pl.read_parquet(folder / "m.parquet")
    assert {*rows["key"]} == {*KEYS, "gone"}
    assert rows["score"].dtype == pl.Float64
    done = here("download", *flags, "--simulate", "--json", cwd=folder)
    assert json.loads(done.stdout)["there"] == 8


def test_resize_takes_a_table_of_paths(folder) -> None:
    (folder / "in").mkdir()
    for path, body in BODIES.items():
        (folder / "in" / Path(path).name).write_bytes(body)
    names = [Path(path).name for path in BODIES]
    pl.DataFrame({"file": names, "key": KEYS}).write_parquet(folder / "t.parquet")
    flags = ("--table", "t.parquet", "--input", "in", "--output", "small", "--size", 16)
    more = ("--manifest", "m.parquet", "--workers", 1, "--json")
    assert summary(here("resize", *flags, *more, cwd=folder))["success"] == 8
    assert {*pl.read_parquet(folder / "m.parquet")["key"]} == {*KEYS}
    done = here("verify", "--output", "small", "--manifest", "m.parquet", cwd=folder)
    assert done.returncode == 0, done.stdout


def test_resize_fetches_nothing(folder, served) -> None:
    done = here("resize", "--table", "t.csv", "--input", ".", "--output", "small", cwd=folder)
    assert done.returncode == 2
    assert "`full --table` fetches originals" in done.stderr
    assert served.asked == []


@pytest.mark.parametrize(
    ("command", "flags", "message"),
    [
        ("full", ("--faces", "f"), "--table stands in place of --faces"),
        ("full", ("--tag-ids", "f"), "--tag-ids goes with --faces"),
        ("full", ("--metadata", "f"), "--metadata goes with --faces"),
        ("full", ("--splits", "f"), "--splits goes with --faces"),
        ("full", ("--min-confidence", "0.5"), "--min-confidence is for --faces"),
        ("full", ("--detector", "f"), "--detector does not go with --table"),
        ("full", ("--url-column", "ulr"), "has no such column; did you mean url?"),
        ("download", ("--faces", "f"), "--table stands in place of --faces"),
        ("download", ("--metadata", "f"), "--metadata goes with --faces"),
    ],
)
def test_what_does_not_go_with_a_table_is_a_wrong_use(folder, command, flags, message) -> None:
    done = here(command, "--table", "t.csv", *flags, "--output", "ds", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("command", ["full", "download", "resize"])
def test_columns_without_a_table_are_a_wrong_use(folder, command) -> None:
    done = here(command, "--key-column", "key", "--output", "ds", cwd=folder)
    assert done.returncode == 2
    assert "belong to --table" in done.stderr


def test_further_columns_of_any_name_change_nothing(folder) -> None:
    names = ["success", "found", "row", "name", "extension", "known_bytes", "spool", "problem"]
    table = pl.read_csv(folder / "t.csv")
    table = table.with_columns(pl.lit(f"<{name}>").alias(name) for name in [*names, "full file"])
    table.write_csv(folder / "t.csv")
    assert summary(full(folder, "--json"))["success"] == 8
    values = manifest(folder).row(0)
    assert {f"<{name}>" for name in names} <= {*map(str, values)}


def test_addresses_and_their_secrets_are_in_nothing_that_is_written(folder, served) -> None:
    path = next(iter(BODIES))
    served.files[f"{path}?token=t0ken"] = BODIES[path]
    (folder / "t.csv").write_text(f"url\n{served.address}{path}?token=t0ken\n")
    assert summary(full(folder, "--json"))["success"] == 1
    for file in (folder / "ds").rglob("*"):
        assert file.is_dir() or b"t0ken" not in file.read_bytes(), file


def test_a_picture_is_as_it_would_be_from_faces_tsv(folder) -> None:
    full(folder)
    row = manifest(folder).row(by_predicate=pl.col("key") == KEYS[0], named=True)
    with Image.open(folder / "ds/fullMin256" / row["path"]) as image:
        assert image.size == (32, 42)
