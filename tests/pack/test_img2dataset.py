"""Shards as img2dataset writes them: what its users' loaders rely on."""

import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.commands import here, run, tree
from tests.edits import drawn, jpeg
from tests.hosts import Host, host

FIELDS = {
    "caption": pl.String,
    "url": pl.String,
    "key": pl.String,
    "status": pl.String,
    "error_message": pl.String,
    "width": pl.Int32,
    "height": pl.Int32,
    "original_width": pl.Int32,
    "original_height": pl.Int32,
    "exif": pl.String,
    "sha256": pl.String,
}
"""The last columns of a table of img2dataset, in its order."""
COUNTS = [
    "count",
    "successes",
    "failed_to_download",
    "failed_to_resize",
    "duration",
    "start_time",
    "end_time",
    "status_dict",
]


@pytest.fixture(scope="module")
def served() -> Iterator[Host]:
    with host() as found:
        found.files |= {f"/{n}.jpg": jpeg(drawn(n, (60, 80))) for n in range(5)}
        found.files["/page.jpg"] = b"<html>no picture</html>"
        found.files["/half.jpg"] = found.files["/0.jpg"][:-300]
        yield found


@pytest.fixture(scope="module")
def folder(served, tmp_path_factory) -> Path:
    """Run `full --compat` on eight addresses, of which five are pictures, three to a shard."""
    folder = tmp_path_factory.mktemp("run")
    names = ["0", "gone", "1", "2", "page", "half", "3", "4"]
    rows = {
        "url": [f"{served.address}/{name}.jpg" for name in names],
        "caption": [f"über {name}" for name in names],
        "score": [*range(8)],
        "status": ["mine"] * 8,
    }
    pl.DataFrame(rows).write_parquet(folder / "list.parquet")
    flags = "--url_list list.parquet --url_col url --caption_col caption --output_folder out"
    more = "--image_size 32 --resize_mode center_crop --output_format webdataset --retries 0"
    rest = "--number_sample_per_shard 3 --processes_count 1 --encode_quality 95 --no-report"
    done = here("full", *f"{flags} {more} {rest}".split(), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def shards(folder) -> Path:
    return folder / "out/packs/img2dataset-both"


def test_shards_tables_and_counts_have_their_names(shards) -> None:
    names = {name for name in tree(shards) if not name.startswith(".") and name != "SHA256SUMS"}
    endings = (".tar", ".parquet", "_stats.json")
    assert names == {f"{shard:05d}{ending}" for shard in range(3) for ending in endings}


def test_members_are_named_by_shard_and_place(shards) -> None:
    with tarfile.open(shards / "00000.tar") as archive:
        names = archive.getnames()
    keys = ("000000", "000002")
    assert names == [f"{key}.{ending}" for key in keys for ending in ("jpg", "json", "txt")]


def test_keys_have_as_many_digits_as_those_of_img2dataset(folder) -> None:
    flags = ("--output", "out", "--format", "img2dataset", "--into", "one", "--workers", 1)
    assert here("pack", *flags, "--shard-size", 10_000, cwd=folder).returncode == 0
    keys = pl.read_parquet(folder / "one/00000.parquet")["key"]
    assert keys.to_list() == [f"{place:09d}" for place in range(8)]


def test_a_table_has_every_row_of_the_list_in_its_order(shards, served) -> None:
    table = pl.concat(pl.read_parquet(shards / f"{shard:05d}.parquet") for shard in range(3))
    assert [*table.schema.items()][-len(FIELDS) :] == [*FIELDS.items()]
    assert table["score"].to_list() == [*range(8)]
    assert table["url"][4] == f"{served.address}/page.jpg"
    assert table["status"].to_list() == [
        *("success", "failed_to_download", "success", "success"),
        *("failed_to_resize", "failed_to_resize", "success", "success"),
    ]
    failed = table.filter(pl.col("status") != "success")
    assert failed["error_message"].str.contains("^[a-z_]+(: |$)").all()
    assert failed.select("width", "sha256").null_count().row(0) == (3, 3)
    assert table.filter(status="success")["error_message"].null_count() == 5


def test_a_column_of_the_list_with_one_of_their_names_is_kept_beside(shards) -> None:
    assert pl.read_parquet(shards / "00000.parquet")["table_status"].to_list() == ["mine"] * 3


def test_the_json_of_a_sample_is_its_row(shards) -> None:
    table = pl.read_parquet(shards / "00001.parquet")
    with tarfile.open(shards / "00001.tar") as archive:
        facts = json.load(archive.extractfile("000010.json"))
        text = archive.extractfile("000010.txt").read().decode()
    assert facts == table.row(0, named=True)
    assert [*facts][-len(FIELDS) :] == [*FIELDS]
    assert (facts["key"], facts["status"], text) == ("000010", "success", "über 2")
    assert (facts["width"], facts["original_height"], facts["exif"]) == (32, 80, None)
    assert len(facts["sha256"]) == 64


def test_counts_have_their_names_and_agree(shards) -> None:
    for shard in range(3):
        counts = json.loads((shards / f"{shard:05d}_stats.json").read_text())
        assert [*counts] == COUNTS
        failed = counts["failed_to_download"] + counts["failed_to_resize"]
        assert (
            counts["count"] == counts["successes"] + failed == sum(counts["status_dict"].values())
        )
        assert counts["start_time"] <= counts["end_time"]


def test_webdataset_reads_the_samples(shards) -> None:
    pytest.importorskip("webdataset")
    code = (
        "import json, sys, webdataset\n"
        "for one in webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode('pil'):\n"
        "    print(json.dumps([one['__key__'], one['jpg'].size, one['txt'], one['json']]))\n"
    )
    paths = map(str, sorted(shards.glob("*.tar")))
    done = run([sys.executable, "-W", "ignore", "-c", code, *paths], shards)
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    assert [key for key, *_ in samples] == ["000000", "000002", "000010", "000020", "000021"]
    for key, size, text, facts in samples:
        assert size == [32, 32]
        assert (facts["key"], facts["caption"]) == (key, text)


def test_arrow_reads_the_tables(shards) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    schema = parquet.read_schema(shards / "00000.parquet")
    assert str(schema.field("width").type) == "int32"
    assert str(schema.field("key").type) in ("string", "large_string")


def test_a_second_run_writes_nothing(folder, shards) -> None:
    before = tree(shards)
    done = here(
        "pack",
        "--output",
        "out",
        "--format",
        "img2dataset",
        "--shard-size",
        3,
        "--json",
        cwd=folder,
    )
    assert json.loads(done.stdout)["written"] == 0
    assert tree(shards) == before


def test_a_damaged_image_has_a_row_and_no_member(folder) -> None:
    row = (
        pl.read_parquet(folder / "out/manifest.parquet").filter(status="success").row(0, named=True)
    )
    path = folder / "out/fullMin256" / row["path"]
    kept = path.read_bytes()
    path.write_bytes(kept + b"x")
    flags = ("--format", "img2dataset", "--into", "damaged", "--workers", 1)
    assert here("pack", "--output", "out", *flags, cwd=folder).returncode == 0
    path.write_bytes(kept)
    table = pl.read_parquet(folder / "damaged/00000.parquet")
    assert table.row(0, named=True)["error_message"].startswith("wrong_size: ")
    assert table["status"].to_list().count("success") == 4
    with tarfile.open(folder / "damaged/00000.tar") as archive:
        assert len(archive.getnames()) == 4 * 3


def test_other_formats_and_heads_have_members_of_their_own(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    drawn(1, (60, 80)).save(tmp_path / "mine/1.png")
    (tmp_path / "t.csv").write_text("path,left,top,right,bottom\n1.png,0,0,0.5,0.5\n")
    flags = "--table t.csv --source mine --encode_format webp --compat img2dataset --workers 1"
    assert here("full", *flags.split(), "--no-report", cwd=tmp_path).returncode == 0
    with tarfile.open(tmp_path / "dataset/packs/img2dataset-both/00000.tar") as archive:
        endings = [name.partition(".")[2] for name in archive.getnames()]
    assert endings == ["webp", "face.webp", "json"]


@pytest.mark.parametrize("flags", ["--part 1/2", "--into s3://b/p --pack webdataset"])
def test_parts_and_stores_are_packed_afterwards(tmp_path, flags) -> None:
    given = ("--table", "t.csv", "--compat", "img2dataset", *flags.split())
    done = here("full", *given, cwd=tmp_path)
    assert done.returncode == 2
    assert "`pack --format img2dataset` writes such shards afterwards" in done.stderr
