"""Outputs of another format: everything that reads a dataset finds its files, and takes them."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.settings.images import FULL_IMAGE
from dafre_fast.dataset.items import Items, Making, Stream
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.shards import Reader
from tests.commands import here, tree
from tests.edits import drawn

FORMS = {"jpg": "JPEG", "webp": "WEBP", "png": "PNG"}
other_formats = pytest.mark.parametrize(
    "extension", [pytest.param("webp", marks=pytest.mark.slow), "png"]
)


def form(data: bytes) -> str | None:
    return Image.open(io.BytesIO(data)).format


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write six pictures of two classes, with boxes, and their table."""
    (tmp_path / "mine").mkdir()
    rows = []
    for number in range(6):
        drawn(number, (60, 80)).save(tmp_path / f"mine/{number}.png")
        box = {"left": 0.25, "top": 0.25, "right": 0.75, "bottom": 0.5}
        rows.append({"path": f"{number}.png", "key": number, "class": "ab"[number % 2], **box})
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    return tmp_path


def full(folder: Path, *flags: object):
    given = ("--table", "t.csv", "--source", "mine", "--output", "ds", "--workers", 1)
    return here("full", *given, "--size", 32, "--no-report", "--json", *flags, cwd=folder)


def succeeded(done) -> None:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@other_formats
def test_files_manifest_and_labels_have_the_extension(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension))
    paths = {f"{number:04d}/{number}.{extension}" for number in range(6)}
    for output in ("fullMin256", "faces"):
        files = tree(folder / "ds" / output)
        assert {*files} == paths
        assert {form(data) for data in files.values()} == {FORMS[extension]}
    assert {*pl.read_parquet(folder / "ds/manifest.parquet")["path"]} == paths
    lines = (folder / "ds/labels/train.csv").read_text().split()
    assert {line.partition(",")[2] for line in lines} <= paths


@other_formats
def test_a_second_run_makes_nothing_again(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension))
    again = full(folder, "--encode-format", extension)
    assert json.loads(again.stdout)["work"]["images"] == 0


def test_another_format_in_the_same_place_is_refused(folder) -> None:
    succeeded(full(folder))
    done = full(folder, "--encode-format", "webp")
    assert done.returncode == 2
    assert "--encode-format jpg (now --encode-format webp)" in done.stderr


def test_files_of_the_format_before_are_orphans_that_verify_removes(folder) -> None:
    succeeded(full(folder))
    succeeded(full(folder, "--encode-format", "png", "--no-resume"))
    here("verify", "--output", "ds", "--remove", cwd=folder)
    assert {Path(name).suffix for name in tree(folder / "ds/fullMin256")} == {".png"}
    succeeded(here("verify", "--output", "ds", "--deep", cwd=folder))


@other_formats
def test_verify_and_audit_read_them(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension))
    succeeded(here("verify", "--output", "ds", "--deep", cwd=folder))
    done = here("audit", "--output", "ds", "--json", cwd=folder)
    succeeded(done)
    assert not json.loads(done.stdout).get("findings")


@other_formats
def test_verify_finds_a_missing_a_changed_and_a_strange_file(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension))
    files = folder / "ds/fullMin256"
    (files / f"0000/0.{extension}").unlink()
    (files / f"0001/1.{extension}").write_bytes(b"x")
    (files / "0002/2.jpg").write_bytes(b"x")
    found = json.loads(here("verify", "--output", "ds", "--json", cwd=folder).stdout)
    flaws = {(one["flaw"], one["where"]) for one in found["findings"]}
    assert flaws == {
        ("missing", f"fullMin256/0000/0.{extension}"),
        ("wrong_size", f"fullMin256/0001/1.{extension}"),
        ("orphan", "fullMin256/0002/2.jpg"),
    }


@other_formats
@pytest.mark.parametrize("command", ["resize", "crop"])
def test_a_folder_is_made_and_verified_in_the_format(folder, extension, command) -> None:
    flags = ("--input", "mine", "--output", "small", "--workers", 1, "--encode-format", extension)
    if command == "crop":
        (folder / "mine/0000").mkdir()
        (folder / "mine/0.png").rename(folder / "mine/0000/0.png")
        (folder / "faces.tsv").write_text("0000\\0.jpg\t1\t0.1, 0.1, 0.5, 0.5 1.0\n")
        flags = (*flags, "--faces", "faces.tsv", "--min-images", 1)
    succeeded(here(command, *flags, cwd=folder))
    files = tree(folder / "small")
    assert {Path(name).suffix for name in files} == {f".{extension}"}
    assert {form(data) for data in files.values()} == {FORMS[extension]}
    succeeded(here("verify", "--output", "small", cwd=folder))


def test_an_original_of_the_name_of_an_output_keeps_its_own(folder) -> None:
    (folder / "mine/0.webp").write_bytes((folder / "mine/1.png").read_bytes())
    flags = ("--input", "mine", "--output", "small", "--workers", 1, "--encode-format", "webp")
    succeeded(here("resize", *flags, cwd=folder))
    assert {"0.webp", "0.png.webp", "1.webp"} <= {*tree(folder / "small")}
    succeeded(here("verify", "--output", "small", cwd=folder))


@other_formats
def test_shards_have_members_of_the_format_and_loaders_read_them(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension, "--pack", "webdataset"))
    shard = folder / "ds/packs/webdataset-both/train/00000.tar"
    with tarfile.open(shard) as archive:
        endings = {name.partition(".")[2] for name in archive.getnames()}
    assert endings == {extension, f"face.{extension}", "cls", "json"}
    succeeded(here("verify", "--output", "ds", "--deep", cwd=folder))
    item = next(Stream(shard.parent, Making("both"), None).items(0, Reader()))
    assert item["full"].shape == (42, 32, 3)
    assert Items(folder / "ds", "train", Making("both"))[0]["face"].shape == (20, 30, 3)


@other_formats
@pytest.mark.parametrize("format", ["tar", "parquet", "hf", "webdataset"])
def test_packs_are_made_of_them(folder, extension, format) -> None:
    succeeded(full(folder, "--encode-format", extension))
    done = here("pack", "--output", "ds", "--format", format, "--workers", 1, "--json", cwd=folder)
    succeeded(done)
    assert json.loads(done.stdout)["packed"] == 6
    if format == "hf":
        table = pl.read_parquet(folder / "ds/packs/hf-both/data/train-*.parquet")
        assert table["image"].struct.field("path").str.ends_with(f".{extension}").all()
    if format == "tar":
        with tarfile.open(folder / "ds/packs/tar-both/dafre_full.tar.gz") as archive:
            assert all(name.endswith(f".{extension}") for name in archive.getnames())


@other_formats
def test_loaders_read_the_trees(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension))
    items = Items(folder / "ds", None, Making("both"))
    assert [one["full"].shape for one in (items[0], items[5])] == [(42, 32, 3)] * 2
    place = Pictures.of(folder / "ds").place(FULL_IMAGE, 3)
    assert place.file == f"fullMin256/0003/3.{extension}"


@other_formats
def test_the_report_shows_them(folder, extension) -> None:
    succeeded(full(folder, "--encode-format", extension))
    done = here("report", "--output", "ds", cwd=folder)
    succeeded(done)
    assert "could not be read" not in done.stdout


def test_merged_parts_are_what_one_run_makes(folder) -> None:
    flags = ("--encode-format", "png", "--resize-mode", "border")
    succeeded(full(folder, *flags))
    whole = tree(folder / "ds/fullMin256")
    for number in (1, 2):
        succeeded(full(folder, *flags, "--output", "parts", "--part", f"{number}/2"))
    succeeded(here("merge", "--output", "parts", cwd=folder))
    assert tree(folder / "parts/fullMin256") == whole
    succeeded(here("verify", "--output", "parts", cwd=folder))


@pytest.mark.parametrize("mode", ["keep_ratio_largest", "center_crop", "border", "no"])
def test_a_dataset_of_each_resize_mode_is_whole(folder, mode) -> None:
    succeeded(full(folder, "--resize-mode", mode))
    sizes = {"keep_ratio_largest": (24, 32), "no": (60, 80)}
    rows = pl.read_parquet(folder / "ds/manifest.parquet")
    assert rows.select("width", "height").unique().rows() == [sizes.get(mode, (32, 32))]
    succeeded(here("verify", "--output", "ds", "--deep", cwd=folder))


def test_a_wrong_mode_is_a_wrong_use(folder) -> None:
    done = full(folder, "--resize-mode", "stretch")
    assert done.returncode == 2
    assert "center_crop" in done.stderr


def test_a_png_with_a_quality_is_a_wrong_use(folder) -> None:
    done = full(folder, "--encode-format", "png", "--quality", 9)
    assert done.returncode == 2
    assert "PNG loses nothing" in done.stderr


@other_formats
@pytest.mark.parametrize("format", ["yolo", "coco", "imagefolder", "fiftyone"])
def test_exports_have_files_of_the_format(folder, extension, format) -> None:
    succeeded(full(folder, "--encode-format", extension))
    succeeded(here("export", "--output", "ds", "--format", format, "--into", "out", cwd=folder))
    signatures = {"png": b"\x89PNG", "webp": b"RIFF"}
    found = tree(folder / "out").items()
    images = [name for name, data in found if data.startswith(signatures[extension])]
    assert len(images) == 6
    assert {Path(name).suffix for name in images} == {f".{extension}"}
    assert not [name for name, _ in found if name.endswith(".jpg")]


def test_the_box_of_an_export_is_where_the_head_is_in_a_square(folder) -> None:
    succeeded(full(folder, "--resize-mode", "border"))
    succeeded(here("export", "--output", "ds", "--format", "yolo", "--into", "out", cwd=folder))
    (label,) = (folder / "out/labels/train").glob("0002/2.txt")
    assert label.read_text().split()[1:] == ["0.500000", "0.375000", "0.375000", "0.250000"]


@other_formats
def test_a_dataset_without_the_state_of_its_runs_has_the_format_of_its_manifest(
    folder, extension
) -> None:
    succeeded(full(folder, "--encode-format", extension))
    shutil.rmtree(folder / "ds/.dafre_fast")
    succeeded(here("verify", "--output", "ds", "--deep", cwd=folder))
    assert Items(folder / "ds", None, Making("both"))[0]["face"].shape == (20, 30, 3)


def test_a_folder_of_images_without_its_state_is_taken_for_one_of_jpegs(folder) -> None:
    flags = ("--input", "mine", "--output", "small", "--manifest", "m.parquet", "--workers", 1)
    succeeded(here("resize", *flags, cwd=folder))
    shutil.rmtree(folder / "small/.dafre_fast")
    succeeded(here("verify", "--output", "small", "--manifest", "m.parquet", cwd=folder))
