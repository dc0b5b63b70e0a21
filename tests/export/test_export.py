"""Exports as their tools read them, those that are installed; else as their pages describe them."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Notice
from dafre_fast.core.layout import FACES, FULL, MANIFEST, STATE
from dafre_fast.dataset.locks import alone
from dafre_fast.export.formats.choose import FORMATS
from dafre_fast.export.formats.imagefolder import folders_of
from dafre_fast.export.run import Exported, export
from dafre_fast.export.settings import ExportRun
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.commands import dafre, tree
from tests.datasets_drawn import IMAGES, NAMES, REFUSED, SPLITS, draw_dataset, path_of

MADE = [1000 + number for number in range(IMAGES) if number != REFUSED]
BOX = (0.25, 0.1, 0.25, 0.375)
"""Left, top, width and height of every head, as shares of pictures of 40 by 32 pixels."""


@pytest.fixture
def ds(tmp_path) -> Path:
    return draw_dataset(tmp_path / "ds")


def exported(ds: Path, format: str, tell=lambda _: None, **settings: Any) -> Exported:
    return export(ExportRun(output=ds, format=format, **settings), tell)


def edit_manifest(path: Path, **columns: pl.Expr) -> None:
    pl.read_parquet(path).with_columns(**columns).write_parquet(path)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def is_test(image: int) -> bool:
    return image - 1000 in SPLITS["test"]


@pytest.mark.parametrize("format", FORMATS)
def test_every_row_is_exported_or_counted_and_its_bytes_are_those_of_the_dataset(
    ds, format
) -> None:
    found = exported(ds, format)
    assert (found.images, found.exported, found.refused) == (IMAGES, IMAGES - 1, {"not_found": 1})
    assert (found.splits, found.boxes) == ({"train": 7, "val": 2, "test": 2}, IMAGES - 1)
    pictures = {path.name: path for path in Path(found.folder).rglob("*.jpg")}
    assert {*pictures} == {f"{image}.jpg" for image in MADE}
    for image in MADE:
        path = ds / FULL / path_of(image)
        assert pictures[path.name].read_bytes() == path.read_bytes()
        assert not pictures[path.name].samefile(path)


@pytest.mark.parametrize("format", FORMATS)
def test_equal_datasets_give_equal_exports(ds, tmp_path, format) -> None:
    one, other = (tmp_path / name / "export" for name in ("one", "other"))
    exported(ds, format, into=one)
    exported(Path(shutil.copytree(ds, tmp_path / "copy/ds")), format, into=other, files="link")
    assert tree(one) == tree(other)


def test_coco_has_boxes_in_pixels_of_the_exported_image(ds) -> None:
    folder = Path(exported(ds, "coco").folder)
    found = read(folder, "annotations/instances_test.json")
    assert [one["id"] for one in found["images"]] == [*filter(is_test, MADE)]
    assert found["categories"][1]["id"] == 2
    assert [one["name"] for one in found["categories"]] == NAMES
    one, box = found["images"][0], found["annotations"][0]
    assert (one["width"], one["height"], box["image_id"]) == (40, 32, one["id"])
    assert box["bbox"] == pytest.approx([10, 3.2, 10, 12])
    assert (box["area"], box["category_id"], box["iscrowd"]) == (120, one["id"] % 2 + 1, 0)
    assert one["tags"]["general"] == ["tags_cat0", f"tag {one['id']}"]
    assert (folder / "test" / one["file_name"]).is_file()


def test_pycocotools_reads_coco(ds) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    folder = Path(exported(ds, "coco").folder)
    for split, numbers in SPLITS.items():
        found = coco.COCO(str(folder / f"annotations/instances_{split}.json"))
        ids = [1000 + number for number in numbers if number != REFUSED]
        assert sorted(found.getImgIds()) == ids
        assert sorted(found.getImgIds(catIds=[2])) == [image for image in ids if image % 2]
        boxes = found.loadAnns(found.getAnnIds())
        judge = cocoeval.COCOeval(found, found.loadRes([one | {"score": 1.0} for one in boxes]))
        judge.params.iouType = "bbox"
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
        assert judge.stats[0] == pytest.approx(1.0)  # the boxes agree with themselves


def test_yolo_has_the_middle_and_the_size_of_boxes_as_shares(ds) -> None:
    edit_manifest(ds / MANIFEST, left=pl.when(id=1002).then(None).otherwise("left"))
    folder = Path(exported(ds, "yolo").folder)
    for image in MADE:
        split = next(name for name, numbers in SPLITS.items() if image - 1000 in numbers)
        picture = folder / f"images/{split}/{path_of(image)}"
        # The rule by which Ultralytics finds labels (data/utils.py, img2label_paths).
        label = str(picture).replace("/images/", "/labels/").removesuffix(".jpg") + ".txt"
        expected = "" if image == 1002 else f"{image % 2} 0.375000 0.287500 0.250000 0.375000\n"
        assert Path(label).read_text() == expected
    assert (folder / "data.yaml").read_text().splitlines()[1:] == [
        "train: images/train",
        "val: images/val",
        "test: images/test",
        "names:",
        r'  0: "\"quoted\",_they_say"',
        r'  1: "caf\u00e9/m\u00fcller"',
    ]
    table = pl.read_parquet(folder / "images.parquet")
    assert table.filter(id=1003)["tags_cat0"].to_list() == [["tags_cat0", "tag 1003"]]
    assert all((folder / file).is_file() for file in table["file"])


def test_the_description_of_yolo_is_yaml(ds) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = yaml.safe_load((Path(exported(ds, "yolo").folder) / "data.yaml").read_text())
    assert found["names"] == dict(enumerate(NAMES))


def test_yolo_without_val_names_another_split_for_it(ds) -> None:
    folder = Path(exported(ds, "yolo", split=("test",)).folder)
    lines = (folder / "data.yaml").read_text().splitlines()
    assert lines[1:4] == ["train: images/test", "val: images/test", "test: images/test"]


def test_an_image_folder_has_a_folder_per_class_in_each_split(ds) -> None:
    folder = Path(exported(ds, "imagefolder", images="faces").folder)
    with (folder / "classes.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["class_name"] for row in rows] == NAMES
    for image in filter(is_test, MADE):
        own = folder / "test" / rows[image % 2]["folder"] / f"{image}.jpg"
        assert own.read_bytes() == (ds / FACES / path_of(image)).read_bytes()
    splits = [path for path in folder.iterdir() if path.is_dir()]
    assert {path.name for path in splits} == {*SPLITS}
    assert all(
        {one.name for one in path.iterdir()} == {row["folder"] for row in rows} for path in splits
    )
    assert pl.read_parquet(folder / "images.parquet")["left"].null_count() == len(MADE)


def test_datasets_reads_an_image_folder(ds, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    folder = exported(ds, "imagefolder").folder
    found = datasets.load_dataset("imagefolder", data_dir=folder, cache_dir=str(tmp_path / "hf"))
    assert {split: len(rows) for split, rows in found.items()} == {
        "train": 7,
        "validation": 2,
        "test": 2,
    }
    names = found["test"].features["label"].names
    assert sorted(names) == sorted(folders_of(NAMES))
    labels = [names[row["label"]] for row in found["test"]]
    assert sorted(labels) == sorted(folders_of(NAMES))


def test_every_class_has_a_folder_of_its_own_whatever_its_name() -> None:
    long, other = "長" * 100, "長" * 99 + "い"
    names = ["a/b", "a%2Fb", "A", "a", "..", ".", "", "-rf", "x\n", "con.", long, other, "café"]
    folders = folders_of(names)
    assert len({one.lower() for one in folders}) == len(names)
    for folder in folders:
        assert "/" not in folder
        assert folder.strip(". \n") == folder
        assert 0 < len(folder.encode()) <= 220
    assert folders[-1] == "café"


def test_fiftyone_has_its_own_form(ds) -> None:
    folder = Path(exported(ds, "fiftyone").folder)
    samples = read(folder, "samples.json")["samples"]
    assert [one["image_id"] for one in samples] == MADE
    for one in samples:
        image = one["image_id"]
        assert (folder / one["filepath"]).is_file()
        assert one["tags"] == [next(s for s, all in SPLITS.items() if image - 1000 in all)]
        assert one["label"]["label"] == NAMES[image % 2]
        (box,) = one["head"]["detections"]
        assert box["bounding_box"] == pytest.approx(BOX)
        assert one["character"] == ["tags_cat4", f"tag {image}"]
        oids = [one["_id"], one["label"]["_id"], box["_id"]]
        assert len({oid["$oid"] for oid in oids}) == 3
        assert all(len(oid["$oid"]) == 24 for oid in oids)
    fields = {field["name"]: field for field in read(folder, "metadata.json")["sample_fields"]}
    assert {*samples[0]} - {"_id"} <= {*fields}
    assert fields["head"]["fields"][0]["embedded_doc_type"] == "fiftyone.core.labels.Detection"


def test_fiftyone_reads_it(ds) -> None:
    """Needs FiftyOne, and a MongoDB that it can start."""
    fiftyone = pytest.importorskip("fiftyone", reason="FiftyOne is not installed")
    kind = fiftyone.types.FiftyOneDataset
    found = fiftyone.Dataset.from_dir(
        dataset_dir=exported(ds, "fiftyone").folder, dataset_type=kind
    )
    assert sorted(found.values("image_id")) == MADE
    assert found.count_sample_tags() == {"train": 7, "val": 2, "test": 2}
    assert {*found.distinct("label.label")} == {*NAMES}
    assert found.bounds("head.detections.bounding_box") == (0.1, 0.375)


def test_lists_and_splits_choose_images_and_the_others_of_these_splits_are_counted(
    ds, tmp_path
) -> None:
    (tmp_path / "marks.csv").write_text(
        "id,mark\n1000,wrong head\n1001,not safe\n1009,wrong head\n"
    )
    lists = {"exclude": tmp_path / "marks.csv", "mark": ("wrong head",)}
    found = exported(ds, "coco", split=("train", "val"), **lists)
    assert (found.images, found.exported, found.excluded) == (9, 8, 1)
    found = exported(ds, "coco", only=tmp_path / "marks.csv")
    assert (found.images, found.exported, found.excluded) == (IMAGES, 3, IMAGES - 3)


def test_lists_that_leave_nothing_are_refused_and_an_earlier_export_stays(ds, tmp_path) -> None:
    before = tree(Path(exported(ds, "coco").folder))
    (tmp_path / "one.txt").write_text(f"{1000 + REFUSED}\n")
    with pytest.raises(UsageError, match=r"only .*one\.txt: no image that was made is left"):
        exported(ds, "coco", only=tmp_path / "one.txt")
    with pytest.raises(UsageError, match=r"no image of .* is left"):
        exported(ds, "coco", only=tmp_path / "one.txt", split=("train",))
    assert tree(ds / "exports/coco-full") == before


def test_damaged_images_are_left_out_listed_and_counted(ds) -> None:
    (ds / FULL / path_of(1003)).write_bytes(b"damaged")
    (ds / FULL / path_of(1004)).unlink()
    found = exported(ds, "coco", files="link")
    assert (found.exported, found.damaged) == (IMAGES - 3, {"wrong_size": 1, "missing": 1})
    damaged = pl.read_csv(Path(found.folder) / "damaged.csv")
    assert damaged["id"].to_list() == [1003, 1004]
    shutil.rmtree(ds / FULL)
    with pytest.raises(InputError, match="all images are damaged, such as fullMin256/0000/1000"):
        exported(ds, "coco")


def test_hard_links_take_no_room_and_where_there_can_be_none_images_are_copied(
    ds, monkeypatch
) -> None:
    found = exported(ds, "yolo", files="link")
    own = Path(found.folder) / f"images/train/{path_of(1000)}"
    assert found.linked == IMAGES - 1
    assert own.samefile(ds / FULL / path_of(1000))
    notices = []

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    found = exported(ds, "yolo", notices.append, files="link")
    assert found.linked == 0
    assert own.read_bytes() == (ds / FULL / path_of(1000)).read_bytes()
    assert sum("no hard link" in one.text for one in notices if isinstance(one, Notice)) == 1


def test_an_export_takes_the_place_of_an_earlier_one_and_of_nothing_else(ds, tmp_path) -> None:
    into = tmp_path / "into"
    exported(ds, "yolo", into=into)
    exported(ds, "coco", into=into, split=("val",))
    assert {path.name for path in into.iterdir()} == {"annotations", "val", "export.json"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="mine: is no earlier export"):
        exported(ds, "coco", into=tmp_path / "mine")
    with pytest.raises(UsageError, match="is the dataset itself"):
        exported(ds, "coco", into=ds)
    assert {path.name for path in tmp_path.iterdir()} == {"ds", "into", "mine"}


def test_a_full_disk_leaves_the_earlier_export(ds, small_disk) -> None:
    into = small_disk.folder / "into"
    exported(ds, "coco", into=into, split=("val",))
    before = tree(into)
    with pytest.raises(OutputError, match="No space left"):
        exported(ds, "coco", into=into)
    assert tree(into) == before
    assert [path.name for path in small_disk.folder.iterdir()] == ["into"]


def test_a_folder_at_work_is_left_to_its_export(ds, tmp_path) -> None:
    with (
        alone(tmp_path / ".into.part" / STATE),
        pytest.raises(UsageError, match="a run is at work"),
    ):
        exported(ds, "coco", into=tmp_path / "into")


@pytest.mark.parametrize(
    ("format", "images", "said"),
    [
        ("coco", "faces", "--format coco: holds boxes, and face images have none"),
        ("yolo", "faces", "--format yolo: holds boxes, and face images have none"),
        ("fiftyone", "both", "an export holds one kind of image: full or faces"),
        ("fiftyone", "small", "images 'small': full, faces, both are known"),
    ],
)
def test_images_that_do_not_fit_a_format_are_refused(ds, format, images, said) -> None:
    with pytest.raises(UsageError, match=said):
        exported(ds, format, images=images)
    assert not (ds / "exports").exists()


def test_boxes_that_are_none_are_left_out_and_those_that_stick_out_are_cut(ds) -> None:
    edges = {1000: 1.5, 1001: 0.25, 1002: float("nan"), 1003: 0.1}
    edit_manifest(ds / MANIFEST, right=pl.col("id").replace_strict(edges, default=0.5))
    found = exported(ds, "coco", split=("train",))
    boxes = read(Path(found.folder), "annotations/instances_train.json")["annotations"]
    assert [one["id"] for one in boxes] == [1, 2, 3, 4]
    assert [one["image_id"] for one in boxes] == [1000, 1004, 1005, 1006]
    assert boxes[0]["bbox"] == pytest.approx([10, 3.2, 30, 12])
    assert found.boxes == 4


def test_the_command_says_what_became_of_all_rows(ds) -> None:
    done = dafre("export", "--format", "coco", "--output", ds, "--json", cwd=ds)
    assert json.loads(done.stdout)["exported"] == IMAGES - 1
    done = dafre("export", "--format", "coco", "--output", ds, "--only", "x.csv", cwd=ds)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dafre-fast export: x.csv: No such file or directory\n"
    with Image.open(ds / "exports/coco-full/val/0007/1007.jpg") as picture:
        assert picture.size == (40, 32)


def test_a_dataset_without_classes_is_exported_but_not_by_class(ds) -> None:
    table = pl.read_parquet(ds / MANIFEST)
    none = [pl.lit(None, table.schema[name]).alias(name) for name in ("class_id", "class_name")]
    table.with_columns(none).write_parquet(ds / MANIFEST)
    with pytest.raises(UsageError, match="is a folder per class, and this dataset has no classes"):
        exported(ds, "imagefolder")
    found = read(Path(exported(ds, "coco").folder), "annotations/instances_val.json")
    assert [one["name"] for one in found["categories"]] == ["head"]
    assert {one["category_id"] for one in found["annotations"]} == {1}
    labels = Path(exported(ds, "yolo").folder) / f"labels/train/{path_of(1001)}"
    assert labels.with_suffix(".txt").read_text().startswith("0 ")
    sample = read(Path(exported(ds, "fiftyone").folder), "samples.json")["samples"][0]
    assert "label" not in sample
    assert sample["head"]["detections"][0]["label"] == "head"


def test_a_dataset_that_lies_in_shards_is_exported_by_copies(ds) -> None:
    before = tree(Path(exported(ds, "yolo").folder))
    pack(PackRun(output=ds, shard_size=3))
    for name in (FULL, FACES):
        shutil.rmtree(ds / name)
    found = exported(ds, "yolo", files="link")
    assert (found.exported, found.linked) == (IMAGES - 1, 0)
    assert tree(Path(found.folder)) == before
