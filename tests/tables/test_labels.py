import filecmp
import subprocess
import sys
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.core.settings.tables import Selection
from dafre_fast.tables.catalogue import read_catalogue
from dafre_fast.tables.labels import read_splits, write_labels

SHARED = Path(__file__).resolve().parents[2] / "../shared/dafre"

ODD_NAMES = (
    '"nene"_neville_solstice',
    "fate/stay, night_(series)",
    "back\\slash",
    "it's",
    "saint_cécile",
    "涼宮ハルヒ",
    "#hash",
)


def run(*command: object) -> str:
    arguments = [sys.executable, *map(str, command)]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def labels(tmp_path) -> Path:
    """The label files of one class of 20 images per odd name, tag ids 10, 20, 30, …"""
    heads, tags = [], []
    for number, name in enumerate(ODD_NAMES):
        tags.append(f"{name}\t{10 * (number + 1)}\n")
        for image in range(20):
            key = 1000 * image + number
            box = "0.1, 0.2, 0.3, 0.4 0.9"
            heads.append(f"{number:04d}\\{key}.jpg\t{10 * (number + 1)}\t{box}\n")
    (tmp_path / "faces.tsv").write_text("".join(reversed(heads)))
    (tmp_path / "tagIds.tsv").write_text("".join(tags), encoding="utf-8")
    catalogue = read_catalogue(tmp_path / "faces.tsv", tmp_path / "tagIds.tsv", Selection())
    write_labels(catalogue.kept, tmp_path / "labels")
    return tmp_path / "labels"


def test_a_split_is_a_line_of_class_id_and_path_per_image_and_nothing_else(labels):
    assert (labels / "val.csv").read_bytes() == b"".join(
        f"{number},{number:04d}/{5000 + number}.jpg\n".encode() for number in range(len(ODD_NAMES))
    )


def test_the_splits_share_the_images_class_by_class_in_file_order(labels):
    train, test = (
        (labels / f"{split}.csv").read_text().splitlines() for split in ("train", "test")
    )
    assert train[:14] == [f"0,0000/{image * 1000}.jpg" for image in range(19, 5, -1)]
    assert test[:5] == [f"0,0000/{image * 1000}.jpg" for image in range(4, -1, -1)]
    assert len(train) == 14 * len(ODD_NAMES)
    assert len(test) == 5 * len(ODD_NAMES)


def test_a_class_name_stands_as_it_is_without_quoting(labels):
    assert (labels / "classid_classname.csv").read_bytes() == "".join(
        f"{number},{name}\n" for number, name in enumerate(ODD_NAMES)
    ).encode()


def test_only_the_four_files_are_left(labels):
    names = sorted(path.name for path in labels.iterdir())
    assert names == ["classid_classname.csv", "test.csv", "train.csv", "val.csv"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the published labels (../shared/dafre) are absent")
@pytest.mark.parametrize("seed", [1, 2018])
def test_the_published_labels_come_out_byte_for_byte(tmp_path, seed):
    faces, tag_ids = tmp_path / "faces.tsv", SHARED / "tagIds.tsv"
    run(SHARED / "make_faces.py", faces, "--seed", seed)
    inputs = ["--faces", faces, "--tag-ids", tag_ids]
    shown = run("-m", "dafre_fast.labels", *inputs, "--output", tmp_path / "labels")
    for name in ("val.csv", "test.csv", "classid_classname.csv"):
        assert filecmp.cmp(tmp_path / "labels" / name, SHARED / name, shallow=False), name
    assert (tmp_path / "labels/train.csv").read_bytes().count(b"\n") == 322_947
    for images in ("977,356", "561,557", "463,437", "322,947", "46,050", "94,440"):
        assert images in shown


def test_an_empty_file_of_a_split_is_an_empty_split_beside_others(tmp_path):
    (tmp_path / "train.csv").write_text("")
    (tmp_path / "test.csv").write_text("0,0001/1.jpg\n")
    train, test = read_splits([tmp_path], 0.0)
    assert (train.images.height, test.images.height) == (0, 1)


@pytest.mark.parametrize("given", ["", "train.csv"])
def test_labels_that_are_all_empty_or_were_asked_for_by_name_are_refused(tmp_path, given):
    (tmp_path / "train.csv").write_text("")
    with pytest.raises(InputError, match="empty"):
        read_splits([tmp_path / given], 0.0)
