"""`heads` finds heads in the originals of all posts with one character, and writes their tables."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dafre_fast.tables.heads import Search, read_search
from tests.commands import here, ledger_keys, tree
from tests.heads.drawn import ONE, OTHER, picture, write_inputs
from tests.hosts import host
from tests.pixels.detectors import models

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path) -> Path:
    write_inputs(tmp_path)
    return tmp_path


FLAGS = ("--metadata", "posts.json", "--source", "originals", "--workers", 2)


def heads(folder: Path, *flags: object):
    given = (*FLAGS, *flags)
    if "--detector" not in flags:
        given = (*given, "--detector", "model.onnx")
    return here("heads", *given, cwd=folder)


def test_exactly_one_head_makes_a_row(folder) -> None:
    done = heads(folder, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    counts = ("images", "single", "none", "several", "refused")
    assert [summary[name] for name in counts] == [4, 2, 1, 1, {}]
    assert (folder / "heads/faces.tsv").read_text() == (
        "0001\\1.jpg\t0\t0.062500, 0.062500, 0.562500, 0.562500 1.000000\n"
        "0005\\5.jpg\t2\t0.437500, 0.437500, 0.937500, 0.937500 1.000000\n"
    )
    assert (folder / "heads/tagIds.tsv").read_text() == "reimu\t0\nmarisa\t1\ncirno\t2\n"


def test_every_box_is_kept_in_a_table(folder) -> None:
    heads(folder)
    boxes = pl.read_parquet(folder / "heads/heads.parquet")
    assert boxes["score"].min() >= 0.1
    assert boxes.filter(pl.col("score") >= 0.3)["id"].to_list() == [1, 3, 3, 5]


def test_the_tables_lead_to_labels(folder) -> None:
    heads(folder)
    tables = ("--faces", "heads/faces.tsv", "--tag-ids", "heads/tagIds.tsv", "--min-images", 1)
    assert here("labels", *tables, cwd=folder).returncode == 0
    assert (folder / "labels/classid_classname.csv").read_text() == "0,reimu\n1,cirno\n"


def test_a_second_run_searches_nothing(folder) -> None:
    heads(folder)
    before = tree(folder / "heads")
    assert json.loads(heads(folder, "--json").stdout)["work"]["images"] == 0
    assert tree(folder / "heads") == before


def test_a_limit_searches_the_first_posts_and_goes_on_with_more(folder) -> None:
    done = heads(folder, "--limit", 2)
    assert done.returncode == 0, done.stderr
    assert {*ledger_keys(folder / "heads")} == {"1", "2"}
    heads(folder)
    assert sorted(ledger_keys(folder / "heads")) == ["1", "2", "3", "5"]


def test_another_threshold_searches_nothing(folder) -> None:
    (folder / "originals/0001/1.png").write_bytes(picture((16, 16, 144, 136)))  # scores 3/4
    assert json.loads(heads(folder, "--json").stdout)["single"] == 2
    again = json.loads(heads(folder, "--json", "--count-threshold", 0.9).stdout)
    assert (again["work"]["images"], again["single"], again["none"]) == (0, 1, 2)


def test_another_model_searches_everything(folder) -> None:
    heads(folder)
    (folder / "model.onnx").write_bytes(models.yolo5())
    assert json.loads(heads(folder, "--json").stdout)["work"]["images"] == 4


def test_an_original_that_cannot_be_searched_is_refused_and_the_rest_is_not(folder) -> None:
    (folder / "originals/0001/1.png").write_bytes(b"no picture")
    shutil.rmtree(folder / "originals/0002")
    summary = json.loads(heads(folder, "--json").stdout)
    assert summary["refused"] == {"not_an_image": 1, "missing_original": 1}
    assert summary["single"] == 1
    manifest = pl.read_parquet(folder / "heads/manifest.parquet")
    assert manifest["status"].to_list() == [
        "not_an_image", "missing_original", "success", "success",
    ]  # fmt: skip
    assert manifest["heads"].to_list() == [None, None, 2, 1]
    assert json.loads(heads(folder, "--json").stdout)["work"]["refused_before"] == 1


def test_a_picture_is_searched_upright(folder) -> None:
    tall = Image.open(BytesIO(picture(ONE))).crop((0, 0, 256, 192))
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored picture is turned by a quarter to the right
    path = folder / "originals/0001/1.png"
    path.unlink()
    tall.save(path.with_suffix(".jpg"), quality=95, exif=exif)
    heads(folder)
    boxes = pl.read_parquet(folder / "heads/heads.parquet").filter(pl.col("score") >= 0.3, id=1)
    assert boxes.height == 1
    assert boxes["left"][0] > boxes["top"][0]


def test_the_number_of_workers_changes_nothing(folder) -> None:
    heads(folder)
    heads(folder, "--workers", 1, "--output", "alone")
    assert tree(folder / "heads") == tree(folder / "alone")


def test_the_model_may_be_at_an_address_and_is_fetched_once(folder) -> None:
    with host() as served:
        served.files["/model.onnx"] = models.yolo8()
        for _ in range(2):
            done = heads(folder, "--detector", f"{served.address}/model.onnx", "--json")
            assert json.loads(done.stdout)["single"] == 2
        assert served.asked.count("/model.onnx") == 1
    assert read_search(folder / "heads/heads.parquet") == Search("model.onnx", 0.3)


def test_the_model_may_be_on_the_hub(folder, monkeypatch) -> None:
    with host() as served:
        served.files["/some/heads/resolve/main/v2/model.onnx"] = models.yolo8()
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        done = heads(folder, "--detector", "hf:some/heads/v2/model.onnx", "--json")
        assert json.loads(done.stdout)["single"] == 2, done.stderr


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "model.onnx: No such file or directory"),
        (b"no model", "model.onnx: is not an ONNX model"),
        (models.constant(y=np.zeros((1, 7))), "model.onnx: the outputs are y [1, 7]"),
        (models.yolo8(["face", "body"]), "several classes (face, body): choose one with --class"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_line(folder, data, message) -> None:
    (folder / "model.onnx").unlink()
    if data is not None:
        (folder / "model.onnx").write_bytes(data)
    done = heads(folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


def test_a_missing_setting_is_named(folder) -> None:
    for flag in ("--detector", "--metadata"):
        given = ["--source", "originals", "--detector", "model.onnx", "--metadata", "posts.json"]
        at = given.index(flag)
        done = here("heads", *given[:at], *given[at + 2 :], cwd=folder)
        assert (done.returncode, f"{flag} is needed" in done.stderr) == (2, True)


def test_known_boxes_judge_those_found(folder) -> None:
    (folder / "known.tsv").write_text(
        "0001\\1.jpg\t0\t0.0625, 0.0625, 0.5625, 0.5625 1.0\n"
        "0002\\2.jpg\t0\t0.0625, 0.0625, 0.5625, 0.5625 1.0\n"
    )
    done = heads(folder, "--evaluate", "known.tsv", "--json")
    judged = json.loads(done.stdout)["judged"][0]
    assert (judged["known"], judged["recall"], judged["precision"]) == (2, 0.5, 1)
    assert (folder / "heads/evaluation.csv").exists()
    assert (folder / "heads/evaluation.svg").read_bytes().startswith(b"<?xml")


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(folder) -> None:
    heads(folder, "--output", "whole")
    ledger = folder / "whole/.dafre_fast/ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    shutil.copytree(folder / "whole", folder / "heads")
    (folder / "heads/.dafre_fast/ledger.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    (folder / "heads/faces.tsv").unlink()
    assert json.loads(heads(folder, "--json").stdout)["work"]["images"] == 1
    assert tree(folder / "heads") == tree(folder / "whole")
    assert sorted({*ledger_keys(folder / "heads")}) == ["1", "2", "3", "5"]


def test_all_heads_of_all_posts_are_cut_and_leave_the_tables_as_they_are(folder) -> None:
    heads(folder, "--output", "usual")
    path = folder / "originals/0004/4.png"
    path.parent.mkdir()
    path.write_bytes(picture(ONE, OTHER))
    assert heads(folder, "--several-characters").returncode == 0
    for name in ("faces.tsv", "tagIds.tsv", "funnel.json"):
        assert (folder / "heads" / name).read_bytes() == (folder / "usual" / name).read_bytes()
    given = ("--all-heads", "heads/heads.parquet", "--input", "originals", "--json")
    done = here("crop", *given, "--manifest", "crops.parquet", cwd=folder)
    assert (done.returncode, json.loads(done.stdout)["success"]) == (0, 6), done.stderr
    crops = sorted(path.name for path in folder.glob("faces/*/*.jpg"))
    assert crops == ["1_0.jpg", "3_0.jpg", "3_1.jpg", "4_0.jpg", "4_1.jpg", "5_0.jpg"]
    tags = pl.read_parquet(folder / "crops.parquet").filter(id=4)["tag_id"].to_list()
    assert tags == [None, None]
