"""Files of ids or a draw decide the split, in place of shares of each class."""

import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Notice
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.tables.catalogue import Catalogue, read_catalogue
from dafre_fast.tables.protocol import record_protocol
from dafre_fast.tables.splits import by_draw


def catalogue_of(
    folder: Path, images: dict[int, int], splitting: Splitting, **selection: float
) -> Catalogue:
    """Read a catalogue of images with their tags."""
    box = "0.1, 0.2, 0.3, 0.4 0.9"
    lines = (f"{image % 1000:04}\\{image}.jpg\t{tag}\t{box}\n" for image, tag in images.items())
    (folder / "faces.tsv").write_text("".join(lines))
    return read_catalogue(folder / "faces.tsv", None, Selection(**selection), splitting)


@pytest.fixture
def files(tmp_path):
    def write(train: str, val: str = "11\n", test: str = "12\n") -> Splitting:
        for split, text in (("train", train), ("val", val), ("test", test)):
            (tmp_path / f"{split}Split.tsv").write_text(text)
        return Splitting(splits=tmp_path)

    return write


def splits_of(catalogue: Catalogue) -> dict[int, str]:
    return dict(catalogue.kept.select("id", "split").iter_rows())


def bad_rows_of(catalogue: Catalogue) -> list[tuple]:
    return catalogue.bad_rows.rows()


def test_the_files_decide_the_split(tmp_path, files):
    catalogue = catalogue_of(tmp_path, {10: 5, 11: 5, 12: 7}, files("10\n"))
    assert splits_of(catalogue) == {10: "train", 11: "val", 12: "test"}


def test_the_size_of_a_class_does_not_matter_unless_it_is_asked_for(tmp_path, files):
    images = {10: 5, 11: 5, 12: 7}
    assert catalogue_of(tmp_path, images, files("10\n")).kept["class_id"].to_list() == [0, 0, 1]
    assert catalogue_of(tmp_path, images, files("10\n"), min_images=2).kept["tag_id"].to_list() == [
        5,
        5,
    ]


def test_an_id_without_a_kept_row_is_a_bad_row_of_its_file(tmp_path, files):
    catalogue = catalogue_of(tmp_path, {10: 5, 11: 5, 12: 7}, files("10\n99\n"))
    assert bad_rows_of(catalogue) == [("trainSplit.tsv", 2, "no_row")]


def test_a_row_in_no_file_is_left_out_and_counted(tmp_path, files):
    catalogue = catalogue_of(tmp_path, {10: 5, 13: 5, 11: 5, 12: 7}, files("10\n"))
    assert 13 not in splits_of(catalogue)
    assert bad_rows_of(catalogue) == [("faces.tsv", 2, "no_split")]


def test_an_id_in_two_files_stays_in_the_first(tmp_path, files):
    catalogue = catalogue_of(tmp_path, {10: 5, 11: 5, 12: 7}, files("10\n", test="10\n12\n"))
    assert splits_of(catalogue)[10] == "train"
    assert bad_rows_of(catalogue) == [("testSplit.tsv", 1, "other_split")]


def test_a_line_that_is_no_id_is_a_bad_row(tmp_path, files):
    splitting = files("10\nten\n\n 10\n")
    catalogue = catalogue_of(tmp_path, {10: 5, 11: 5, 12: 7}, splitting, max_bad_rows=1.0)
    assert bad_rows_of(catalogue) == [
        ("trainSplit.tsv", 2, "bad_id"),
        ("trainSplit.tsv", 4, "duplicate_row"),
    ]


def test_the_funnel_has_the_rows_that_are_listed(tmp_path, files):
    catalogue = catalogue_of(tmp_path, {10: 5, 13: 5, 11: 5, 12: 7}, files("10\n"), min_images=2)
    assert [(step.name, step.images, step.classes) for step in catalogue.funnel[1:4]] == [
        ("confidence >= 0.85", 4, 2),
        ("listed in --splits", 3, 2),
        ("classes of >= 2 images", 2, 1),
    ]
    assert catalogue_of(tmp_path, {10: 5}, Splitting(), min_images=1).funnel[2].classes == 1


@pytest.mark.parametrize(
    "data",
    [
        b"10\r\n12\r\n",
        b"\xef\xbb\xbf10\n12",
        b"0010\n000012\n",
        b" 10 \n\n12\t\n",
        gzip.compress(b"10\n12\n", mtime=0),
    ],
)
def test_ids_are_read_however_their_lines_are_written(tmp_path, files, data):
    splitting = files("", test="13\n")
    (tmp_path / "trainSplit.tsv").write_bytes(data)
    catalogue = catalogue_of(tmp_path, dict.fromkeys((10, 11, 12, 13), 5), splitting)
    assert splits_of(catalogue) == {10: "train", 11: "val", 12: "train", 13: "test"}
    assert not bad_rows_of(catalogue)


def test_a_file_may_have_the_name_of_a_compressed_one(tmp_path, files):
    splitting = files("10\n")
    (tmp_path / "trainSplit.tsv").unlink()
    (tmp_path / "trainSplit.tsv.gz").write_bytes(gzip.compress(b"10\n"))
    assert splits_of(catalogue_of(tmp_path, {10: 5, 11: 5, 12: 7}, splitting))[10] == "train"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"trainSplit\.tsv: is empty"),
        (b"\n \n", r"trainSplit\.tsv: has no rows"),
        (b"\xff\xd8\xff\xe0" * 99, r"trainSplit\.tsv: "),
        (bytes(range(256)) * 9, r"trainSplit\.tsv: "),
        (b"1" * 30 + b"\n", r"trainSplit\.tsv: 1 of 1 rows are malformed"),
    ],
)
def test_a_file_without_ids_is_one_line(tmp_path, files, data, message):
    splitting = files("")
    (tmp_path / "trainSplit.tsv").write_bytes(data)
    with pytest.raises(InputError, match=message):
        catalogue_of(tmp_path, {10: 5, 11: 5}, splitting)


def test_no_id_that_has_a_row_is_one_line(tmp_path, files):
    with pytest.raises(InputError, match="none is left"):
        catalogue_of(tmp_path, {20: 5}, files("10\n"))


def test_a_missing_file_is_named(tmp_path, files):
    splitting = files("10\n")
    (tmp_path / "valSplit.tsv").unlink()
    with pytest.raises(InputError, match=r"valSplit\.tsv"):
        catalogue_of(tmp_path, {10: 5}, splitting)


def test_a_file_of_nonsense_is_refused(tmp_path, files):
    with pytest.raises(InputError, match=r"trainSplit\.tsv: 2 of 2 rows are malformed"):
        catalogue_of(tmp_path, {11: 5}, files("a\nb\n"))


@given(st.sets(st.integers(0, 10**9), min_size=10, max_size=60), st.integers(0, 5), st.randoms())
def test_a_draw_depends_on_the_images_and_the_seed_alone(ids, seed, random):
    splitting = Splitting(split_seed=seed, val_images=3, test_images=4)
    in_order, mixed = sorted(ids), sorted(ids)
    random.shuffle(mixed)
    one, other = (by_draw(pl.DataFrame({"id": these}), splitting) for these in (in_order, mixed))
    assert one.sort("id").equals(other.sort("id"))
    assert Counter(one["split"]) == {"test": 4, "val": 3, "train": len(ids) - 7}


def test_another_seed_draws_others(tmp_path):
    images = dict.fromkeys(range(500), 5)
    draws = [
        splits_of(
            catalogue_of(
                tmp_path, images, Splitting(split_seed=seed, val_images=50, test_images=50)
            )
        )
        for seed in (0, 1)
    ]
    assert draws[0] != draws[1]


def test_too_few_images_for_a_draw_are_refused(tmp_path):
    with pytest.raises(InputError, match="lower --val-images and --test-images"):
        catalogue_of(tmp_path, {10: 5, 11: 5}, Splitting(split_seed=0))


BY_SHARES, BY_FILES, BY_DRAW = Splitting(), Splitting(splits=Path("s")), Splitting(split_seed=3)
BY_ANOTHER_DRAW = Splitting(split_seed=4)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (BY_SHARES, BY_FILES),
        (BY_FILES, BY_SHARES),
        (BY_FILES, BY_DRAW),
        (BY_DRAW, BY_ANOTHER_DRAW),
    ],
)
def test_labels_of_two_protocols_in_one_folder_are_told(tmp_path, first, then):
    told = []
    for splitting in (first, then):
        record_protocol(tmp_path, splitting, told.append)
        (tmp_path / "train.csv").touch()
    assert [type(event) for event in told] == [Notice]
    assert "knows test images of the other" in told[0].text


@pytest.mark.parametrize("splitting", [BY_SHARES, BY_FILES, BY_DRAW])
def test_labels_of_the_same_protocol_are_no_news(tmp_path, splitting):
    told = []
    for _ in range(2):
        record_protocol(tmp_path, splitting, told.append)
        (tmp_path / "train.csv").touch()
    assert not told


SHARED = Path(__file__).resolve().parents[2] / "../shared"


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "splits").is_dir(), reason="the published split (../shared/splits) is absent"
)
def test_the_published_split_is_applied_to_a_table_of_full_size(tmp_path):
    faces = tmp_path / "faces.tsv"
    subprocess.run([sys.executable, SHARED / "dafre/make_faces.py", faces], check=True)
    splitting = Splitting(splits=SHARED / "splits")
    catalogue = read_catalogue(faces, SHARED / "dafre/tagIds.tsv", Selection(), splitting)
    kept = Counter(catalogue.kept["split"])
    problems = catalogue.bad_rows.group_by("table", "problem").len()
    no_row = dict(problems.filter(problem="no_row").select("table", "len").iter_rows())
    for split, listed in (("train", 541_600), ("val", 10_000), ("test", 10_000)):
        assert kept[split] + no_row[f"{split}Split.tsv"] == listed
    no_split = problems.filter(problem="no_split")["len"].sum()
    assert kept.total() + no_split == 561_557
