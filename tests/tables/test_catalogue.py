import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.core.settings.tables import Selection
from dafre_fast.tables.catalogue import Catalogue, read_catalogue, with_class_ids
from dafre_fast.tables.splits import by_shares
from tests.tables import models

NAMES = {5: "five", 9: "nine", 10: "ten"}


def head(image: int, tag: int = 5, confidence: str = "0.95") -> str:
    return f"{image % 1000:04d}\\{image}.jpg\t{tag}\t0.25, 0.5, 0.75, 1.0 {confidence}"


@pytest.fixture
def read(tmp_path):
    def read(lines: list[str], *, names: dict | None = NAMES, **selection: float) -> Catalogue:
        tags = None if names is None else [f"{name}\t{tag}" for tag, name in names.items()]
        return catalogue_of(tmp_path, lines, tags, **selection)

    return read


def catalogue_of(
    folder: Path, faces: list[str], tags: list[str] | None, **selection: float
) -> Catalogue:
    for name, lines in (("faces.tsv", faces), ("tagIds.tsv", tags or [])):
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    chosen = {"min_images": 1, "max_bad_rows": 1.0} | selection
    tag_ids = None if tags is None else folder / "tagIds.tsv"
    return read_catalogue(folder / "faces.tsv", tag_ids, Selection(**chosen))


def set_aside(catalogue: Catalogue, table: str = "faces.tsv") -> dict[int, str]:
    """Problems of a table's bad rows, by line."""
    rows = catalogue.bad_rows.filter(table=table).select("line", "problem")
    return dict(rows.iter_rows())


def test_a_kept_row_has_all_that_the_dataset_needs(read):
    assert read([head(332446, tag=9)]).kept.rows(named=True) == [
        {
            "id": 332446,
            "path": "0446/332446.jpg",
            "tag_id": 9,
            "class_id": 0,
            "class_name": "nine",
            "split": "test",
            "left": 0.25,
            "top": 0.5,
            "right": 0.75,
            "bottom": 1.0,
            "confidence": pytest.approx(0.95),
        }
    ]


@pytest.mark.parametrize(
    ("confidence", "kept"),
    [("0.900001", True), ("0.9", True), ("0.899999", False), ("9e-1", True)],
)
def test_a_head_is_kept_from_the_very_bar_on(read, confidence, kept):
    rows = read([head(1), head(2, confidence=confidence)], min_confidence=0.9).kept
    assert (2 in rows["id"]) is kept


@pytest.mark.parametrize("bar", [0, 1])
def test_the_bar_may_be_at_either_end(read, bar):
    rows = read([head(1, confidence="0"), head(2, confidence="1")], min_confidence=bar).kept
    assert rows["id"].to_list() == [1, 2][bar:]


@pytest.mark.parametrize(
    ("sure", "unsure", "kept"), [(3, 0, True), (4, 0, True), (2, 0, False), (2, 5, False)]
)
def test_a_class_is_kept_from_its_least_number_of_sure_heads_on(read, sure, unsure, kept):
    large = [head(image, tag=9) for image in range(100, 110)]
    heads = [head(image) for image in range(sure)]
    heads += [head(50 + image, confidence="0.2") for image in range(unsure)]
    assert (5 in read(large + heads, min_images=3).kept["tag_id"]) is kept


def test_classes_stand_in_ascending_tag_id_and_are_numbered_from_0(read):
    kept = read([head(1, tag=10), head(2, tag=5), head(3, tag=9), head(4, tag=10)]).kept
    assert kept["tag_id"].to_list() == [5, 9, 10, 10]
    assert kept["class_id"].to_list() == [0, 1, 2, 2]


def test_a_class_that_is_too_small_takes_no_class_id(read):
    heads = [head(image, tag=tag) for image, tag in enumerate([5, 5, 9, 10, 10])]
    kept = read(heads, min_images=2).kept
    assert kept["tag_id"].to_list() == [5, 5, 10, 10]
    assert kept["class_id"].to_list() == [0, 0, 1, 1]


def test_the_split_follows_the_order_of_the_file_within_a_class(read):
    images = [7, 3, 9, 1, 8, 2, 6, 4, 5, 0]
    lines = [line for image in images for line in (head(image), head(image + 100, tag=9))]
    kept = read(lines).kept.filter(tag_id=5)
    assert kept["id"].to_list() == images
    assert kept["split"].to_list() == ["train"] * 7 + ["val"] * 0 + ["test"] * 3


def sizes(rows: pl.DataFrame) -> tuple[int, ...]:
    return tuple(rows.filter(split=split).height for split in ("train", "val", "test"))


@pytest.mark.parametrize(
    ("images", "parts"),
    [(1, (0, 0, 1)), (2, (1, 0, 1)), (5, (3, 0, 2)), (20, (14, 1, 5)), (21, (14, 2, 5))],
)
def test_a_class_is_split_in_the_floating_point_of_the_published_one(read, images, parts):
    assert sizes(read([head(image) for image in range(images)]).kept) == parts


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=4))
def test_a_class_of_any_size_is_split_as_python_floats_have_it(classes):
    tags = [tag for tag, images in enumerate(classes) for _ in range(images)]
    rows = by_shares(
        with_class_ids(pl.LazyFrame({"id": range(len(tags)), "tag_id": tags}))
    ).collect()
    for tag, images in enumerate(classes):
        train, up_to_val = int(images * 0.7), int(images * (0.7 + 0.1))
        parts = (train, up_to_val - train, images - up_to_val)
        assert sizes(rows.filter(class_id=tag)) == parts


def test_the_first_row_of_an_image_counts_and_a_row_with_another_tag_or_box_is_set_aside(read):
    catalogue = read([head(1), head(2), head(1, tag=9), head(1, confidence="0.96"), head(3)])
    assert catalogue.kept.select("id", "tag_id").rows() == [(1, 5), (2, 5), (3, 5)]
    assert set_aside(catalogue) == {3: "duplicate_id", 4: "duplicate_id"}


def test_the_same_row_again_is_a_problem_of_its_own(read):
    again = head(1).replace("\\", "/").replace(", ", ",")  # the same to whoever reads it
    catalogue = read([head(1), head(1), again, head(1, tag=9), head(1, tag=9)])
    assert catalogue.kept["id"].to_list() == [1]
    row, image = "duplicate_row", "duplicate_id"
    assert set_aside(catalogue) == {2: row, 3: row, 4: image, 5: row}


def test_an_unsure_row_does_not_make_a_later_one_a_duplicate(read):
    catalogue = read([head(1, confidence="0.2"), head(1)])
    assert catalogue.kept["id"].to_list() == [1]
    assert set_aside(catalogue) == {}


def test_a_malformed_row_does_not_make_a_later_one_a_duplicate(read):
    catalogue = read([head(1, tag=77), head(1, confidence="x"), head(1)])
    assert catalogue.kept["id"].to_list() == [1]
    assert set_aside(catalogue) == {1: "unknown_tag_id", 2: "bad_box_text"}


def test_a_row_of_an_unknown_tag_is_set_aside_sure_or_not(read):
    rows = [head(1), head(2, tag=77), head(3), head(4, tag=78, confidence="0.2")]
    catalogue = read(rows)
    assert catalogue.kept["id"].to_list() == [1, 3]
    assert set_aside(catalogue) == {2: "unknown_tag_id", 4: "unknown_tag_id"}


def test_a_tag_whose_row_is_malformed_is_unknown(read):
    catalogue = read([head(1), head(2, tag=9)], names={5: "five", 9: ""})
    assert set_aside(catalogue) == {2: "unknown_tag_id"}
    assert set_aside(catalogue, "tagIds.tsv") == {2: "empty_name"}


def test_rows_set_aside_do_not_count_towards_the_size_of_a_class(read):
    large = [head(image, tag=9) for image in (10, 11)]
    assert read([*large, head(1), head(1)], min_images=2).kept["tag_id"].unique().to_list() == [9]


def test_without_names_every_tag_is_known_and_nameless(read):
    catalogue = read([head(1, tag=77)], names=None)
    assert catalogue.kept["class_name"].to_list() == [None]
    assert set_aside(catalogue) == {}


def test_rows_set_aside_stand_table_by_table_in_the_order_of_their_lines(tmp_path):
    bad = {2: head(-2), 4: head(1, tag=9), 5: head(6, tag=77), 7: head(4, confidence="x")}
    faces = [bad.get(line, head(line)) for line in range(1, 8)]
    faces[2] = head(1)
    catalogue = catalogue_of(tmp_path, faces, ["five\t5", "nameless", "nine\t9", "five\t5"])
    assert catalogue.bad_rows.rows() == [
        ("faces.tsv", 2, "bad_path"),
        ("faces.tsv", 3, "duplicate_row"),
        ("faces.tsv", 4, "duplicate_id"),
        ("faces.tsv", 5, "unknown_tag_id"),
        ("faces.tsv", 7, "bad_box_text"),
        ("tagIds.tsv", 2, "missing_columns"),
        ("tagIds.tsv", 4, "duplicate_row"),
    ]


_head = st.builds(
    head,
    st.integers(0, 3),
    st.sampled_from([5, 9, 77]),
    st.sampled_from(["0.95", "0.9", "0.2", "1.5", "x"]),
)


@given(
    st.lists(st.one_of(_head, st.sampled_from(["", "nonsense"])), max_size=12), st.integers(1, 3)
)
def test_every_row_is_kept_or_set_aside_or_unsure_or_in_a_small_class(lines, least):
    def model() -> tuple[list[int], dict[int, str]]:
        rows, first, bad = [], {}, {}
        for number, line in enumerate(lines, 1):
            row = models.face(line.encode())
            if row is None:
                bad |= {number: "any"} if line else {}
            elif row[1] == 77:
                bad[number] = "unknown_tag_id"
            elif row[2][4] > 0.85:
                earlier = first.setdefault(row[0], [])
                same = row in earlier
                if earlier:
                    bad[number] = "duplicate_row" if same else "duplicate_id"
                else:
                    rows.append(row)
                earlier.append(row)
        tags = Counter(row[1] for row in rows)
        return sorted(row[0] for row in rows if tags[row[1]] >= least), bad

    kept, bad = model()
    with TemporaryDirectory() as folder:
        try:
            found = catalogue_of(Path(folder), lines, ["five\t5", "nine\t9"], min_images=least)
        except InputError as error:
            assert kept == []
            assert re.search("is empty|has no rows|none is left", str(error))  # noqa: PT017
            return
    assert sorted(found.kept["id"]) == kept
    assert set_aside(found).keys() == bad.keys()
    for line, problem in set_aside(found).items():
        assert bad[line] in {"any", problem}


@pytest.mark.parametrize(
    ("share", "bad"),
    [(0, 0), (0.01, 1), (0.02, 2), (1, 99), (0.29, 29)],
)
def test_as_many_malformed_rows_as_allowed_pass(read, share, bad):
    lines = [head(image) for image in range(100 - bad)] + ["nonsense"] * bad
    assert read(lines, max_bad_rows=share).kept.height == 100 - bad


@pytest.mark.parametrize(("share", "bad"), [(0, 1), (0.01, 2), (0.02, 3), (0.29, 30)])
def test_more_malformed_rows_than_allowed_stop_the_run(read, share, bad):
    lines = [head(image) for image in range(100 - bad)] + ["nonsense"] * bad
    with pytest.raises(InputError) as raised:
        read(lines, max_bad_rows=share)
    message = str(raised.value)
    assert "faces.tsv" in message
    assert f" {bad} of 100 rows" in message
    assert f"missing_columns, first in line {100 - bad + 1}" in message


def test_rows_that_only_clash_with_others_count_as_malformed_too(read):
    lines = [head(image) for image in range(98)] + [head(0), head(99, tag=77)]
    assert read(lines, max_bad_rows=0.02).kept.height == 98
    with pytest.raises(InputError, match="2 of 100 rows"):
        read(lines, max_bad_rows=0.01)


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param({"min_confidence": 0.96}, id="no head sure enough"),
        pytest.param({"min_images": 3}, id="no class large enough"),
    ],
)
def test_a_selection_that_leaves_nothing_is_an_input_error(read, selection):
    with pytest.raises(InputError, match=r"faces\.tsv: of 2 rows none is left"):
        read([head(1), head(2)], **selection)


def test_the_funnel_tells_images_and_classes_after_every_step(read):
    large = [head(image) for image in range(20)]
    unsure = [head(100, tag=9, confidence="0.84"), head(101, confidence="0.2")]
    small = [head(200, tag=10), head(201, tag=10)]
    bad = ["nonsense", head(0), head(300, tag=77)]
    funnel = read(large + unsure + small + bad, min_images=3, min_confidence=0.85).funnel
    assert [(step.name, step.images, step.classes) for step in funnel] == [
        ("rows of faces.tsv", 27, 4),
        ("confidence >= 0.85", 22, 2),
        ("classes of >= 3 images", 20, 1),
        ("train", 14, 1),
        ("val", 1, 1),
        ("test", 5, 1),
    ]


def test_each_table_may_have_its_share_of_malformed_rows_and_no_more(tmp_path):
    faces = [head(image) for image in range(99)] + ["nonsense"]
    tags = [f"tag\t{tag}" for tag in range(99)]
    whole = catalogue_of(tmp_path, faces, [*tags, "nonsense"], max_bad_rows=0.01)
    assert whole.bad_rows["table"].to_list() == ["faces.tsv", "tagIds.tsv"]
    with pytest.raises(InputError, match=r"tagIds\.tsv: 2 of 100 rows .* in line 3") as raised:
        catalogue_of(tmp_path, faces, [tags[0], "", "x", "y", *tags[2:]], max_bad_rows=0.01)
    assert "\n" not in str(raised.value)


def test_a_missing_table_of_names_is_an_input_error_with_its_name(read, tmp_path):
    read([head(1)], names=None)  # leaves faces.tsv
    with pytest.raises(InputError, match=r"names\.tsv: No such file"):
        read_catalogue(tmp_path / "faces.tsv", tmp_path / "names.tsv", Selection())


def test_the_first_of_two_names_of_a_tag_counts(read):
    catalogue = read([head(1)], names={"5": "first", "05": "second"})
    assert catalogue.kept["class_name"].to_list() == ["first"]
    assert set_aside(catalogue, "tagIds.tsv") == {2: "duplicate_tag_id"}
