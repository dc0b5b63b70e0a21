"""Queries of the index, compared with the same queries in plain Python."""

import os
import random
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError, OutputError
from dafre_fast.gallery import queries
from dafre_fast.gallery.index import Index, index_dataset, open_index
from dafre_fast.gallery.view import Choice, Place, View
from tests.gallery.small_dataset import GENERAL, IMAGES, ODD, SPLITS, One, images

ALL = images()
CLASSES = sorted({one.klass for one in ALL})


def never() -> None:
    raise AssertionError("the index was built again")


@pytest.fixture(scope="session")
def index(dataset, tmp_path_factory) -> Index:
    folder = tmp_path_factory.mktemp("index")
    index_dataset(dataset, folder, begin=lambda: None)
    return open_index(folder)


def tags_of(one: One) -> tuple[str, ...]:
    """Return the series of an image. One without general tags is not in the table of tags."""
    return one.series if one.general else ()


def has(one: One, view: View) -> bool:
    made = one.status == "success"
    original, head = min(one.original) if made else 0, min(one.face) if made else 0
    status = view.status in {None, one.status, "refused" if not made else "success"}
    return (
        status
        and view.split in {None, one.split}
        and view.klass in {None, one.klass}
        and {*view.general} <= {*one.general}
        and {*view.series} <= {*tags_of(one)}
        and _between(original, view.original_min, view.original_max)
        and _between(head, view.head_min, view.head_max)
    )


def _between(side: int, least: int | None, most: int | None) -> bool:
    if least is None and most is None:
        return True
    return side > 0 and (least or 1) <= side <= (most or side)


def ids(index: Index, view: View) -> list[int]:
    """Return the ids on all pages of a view, in order."""
    pages = queries.page(index, view).pages
    shown = [queries.page(index, view.but(page=number + 1)) for number in range(pages)]
    return [tile.id for page in shown for tile in page.tiles]


views = st.builds(
    View,
    split=st.none() | st.sampled_from(SPLITS),
    status=st.none() | st.sampled_from(["success", "refused", "truncated", "not_found"]),
    klass=st.none() | st.sampled_from([*CLASSES, "nobody"]),
    general=st.lists(st.sampled_from(GENERAL), max_size=3, unique=True).map(tuple),
    series=st.sampled_from([(), ("sample",), ("none",)]),
    original_min=st.none() | st.integers(500, 800),
    original_max=st.none() | st.integers(500, 800),
    head_min=st.none() | st.integers(50, 150),
    head_max=st.none() | st.integers(50, 150),
)


@given(view=views)
def test_a_view_has_the_images_that_match_in_the_order_of_the_manifest(index, view) -> None:
    assert ids(index, view) == [one.id for one in ALL if has(one, view)]


@given(view=views)
def test_images_can_be_ordered_by_id(index, view) -> None:
    assert ids(index, view.but(order="id")) == sorted(one.id for one in ALL if has(one, view))


@given(view=views, seed=st.integers(0, 2**32 - 1))
def test_a_random_order_has_the_same_images_and_depends_on_the_seed_only(index, view, seed) -> None:
    shuffled = view.but(order="random", seed=seed)
    found = ids(index, shuffled)
    assert sorted(found) == sorted(one.id for one in ALL if has(one, view))
    assert ids(index, shuffled) == found


def test_another_seed_gives_another_order(index) -> None:
    first, second = (ids(index, View(order="random", seed=seed)) for seed in (1, 2))
    assert first != second


def test_a_tile_has_the_values_of_the_manifest(index) -> None:
    chosen = random.Random(0).choice([one for one in ALL if one.status == "success"])
    (tile,) = (tile for tile in _tiles(index) if tile.id == chosen.id)
    assert (tile.klass, tile.split, tile.status) == (chosen.klass, chosen.split, "success")
    assert tile.sizes == {"full": (chosen.width, chosen.height), "face": chosen.face}


def _tiles(index: Index) -> list:
    pages = [queries.page(index, View(page=number)) for number in (1, 2, 3)]
    return [tile for page in pages for tile in page.tiles]


def test_a_refused_image_has_no_sizes(index) -> None:
    page = queries.page(index, View(status="refused"))
    assert {(tile.status, *tile.sizes.values()) for tile in page.tiles} == {
        ("truncated", (0, 0), (0, 0))
    }


def test_a_page_after_the_last_one_is_empty(index) -> None:
    page = queries.page(index, View(page=4))
    assert (page.tiles, page.images, page.pages) == ([], IMAGES, 3)


def test_a_view_without_images_has_one_empty_page(index) -> None:
    page = queries.page(index, View(klass="nobody"))
    assert (page.tiles, page.images, page.pages) == ([], 0, 1)


@given(view=views, number=st.integers(0, IMAGES - 1))
def test_the_place_of_an_image_in_a_view_has_its_neighbours(index, view, number) -> None:
    found = [one.id for one in ALL if has(one, view)]
    image = ALL[number].id
    if image not in found:
        assert queries.place(index, view, image) == Place(images=len(found))
        return
    at = found.index(image)
    before, after = (found[at - 1] if at else None), (found[at + 1 : at + 2] or [None])[0]
    expected = Place(len(found), at, at // queries.PAGE + 1, before, after)
    assert queries.place(index, view, image) == expected


def test_details_are_the_row_of_the_manifest_and_the_tags(index, dataset) -> None:
    chosen = ALL[51]
    found = queries.details(index, chosen.id)
    assert found is not None
    manifest = pl.read_parquet(dataset / "manifest.parquet")
    assert found.row == manifest.filter(id=chosen.id).row(0, named=True)
    assert found.tags == {
        "general": [*chosen.general],
        "series": [*chosen.series],
        "character": [],
    }


@pytest.mark.parametrize("image", [0, 4, 10**17])
def test_an_id_that_is_not_in_the_manifest_has_no_details(index, image) -> None:
    assert image not in {one.id for one in ALL}
    assert queries.details(index, image) is None
    assert not queries.exists(index, image)


def test_splits_come_as_train_val_test_with_their_images_in_the_view(index) -> None:
    view = View(klass=ODD, split="val")
    counts = Counter(one.split for one in ALL if one.klass == ODD)
    expected = [Choice("split", split, counts[split]) for split in SPLITS]
    assert queries.choices(index, view, "split") == expected


def test_completion_ranks_names_by_start_then_start_of_a_word_then_the_rest(index) -> None:
    uses = Counter(tag for one in ALL for tag in one.general)
    by_use = sorted(["blue hair", "long hair"], key=lambda tag: (-uses[tag], tag))
    assert names(index, "HAIR") == ["hair ribbon", *by_use]
    assert names(index, "air") == sorted(
        ["blue hair", "hair ribbon", "long hair"], key=lambda tag: (-uses[tag], tag)
    )


def names(index: Index, text: str) -> list[str]:
    return [choice.name for choice in queries.complete(index, View(), text)]


def test_completion_counts_the_images_that_would_be_left(index) -> None:
    (choice,) = queries.complete(index, View(klass="ao/midori"), "solo")
    expected = sum("solo" in one.general for one in ALL if one.klass == "ao/midori")
    assert choice == Choice("general", "solo", expected)


@pytest.mark.parametrize("text", ["AOI (sample)", "aoi_(sample)", " aoi  (SAMPLE) "])
def test_a_search_ignores_spaces_underscores_and_case(index, text) -> None:
    assert queries.exact_matches(index, text) == [("class", "aoi_(sample)")]


def test_a_class_without_a_name_is_found_by_its_number(index) -> None:
    assert queries.exact_matches(index, "#4") == [("class", "#4")]


def test_classes_of_the_same_name_are_distinguished_by_number(dataset, tmp_path) -> None:
    manifest = pl.read_parquet(dataset / "manifest.parquet")
    manifest.with_columns(class_name=pl.lit("miku")).write_parquet(tmp_path / "manifest.parquet")
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
    names = {
        choice.name for choice in queries.complete(open_index(tmp_path / "index"), View(), "m")
    }
    assert names == {f"miku #{number}" for number in range(5)}


def copied(dataset: Path, folder: Path) -> Path:
    data = (dataset / "manifest.parquet").read_bytes()
    (folder / "manifest.parquet").write_bytes(data)
    return folder / "manifest.parquet"


def test_an_index_is_built_once(dataset, tmp_path) -> None:
    copied(dataset, tmp_path)
    begun = []
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: begun.append(1))
    index_dataset(tmp_path, tmp_path / "index", begin=never)
    assert begun == [1]


def test_a_changed_dataset_is_indexed_again(dataset, tmp_path) -> None:
    manifest = copied(dataset, tmp_path)
    begun = []
    for change in (
        lambda: None,
        lambda: os.utime(manifest, ns=(0, 0)),
        lambda: pl.read_parquet(manifest).head(7).write_parquet(manifest),
        (tmp_path / "index/grid.npy").unlink,
    ):
        change()
        index_dataset(tmp_path, tmp_path / "index", begin=lambda: begun.append(1))
    assert begun == [1, 1, 1, 1]
    assert queries.page(open_index(tmp_path / "index"), View()).images == 7


def test_details_from_an_index_that_was_rebuilt_are_refused(dataset, tmp_path) -> None:
    manifest = copied(dataset, tmp_path)
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
    old = open_index(tmp_path / "index")
    pl.read_parquet(manifest).head(7).reverse().write_parquet(manifest)
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
    for one in (ALL[0], ALL[100]):
        with pytest.raises(InputError, match="indexed again: restart"):
            queries.details(old, one.id)


def tag_table(folder: Path, split: str, rows: dict[int, list[str] | None]) -> None:
    (folder / "labels").mkdir(exist_ok=True)
    lists = {f"tags_cat{category}": [*rows.values()] for category in (0, 3, 4)}
    schema = {"id": pl.Int64} | dict.fromkeys(lists, pl.List(pl.String))
    table = pl.DataFrame({"id": [*rows]} | lists, schema=schema)
    table.write_parquet(folder / f"labels/{split}_tags.parquet")


def test_tags_keep_their_order_and_the_first_list_of_an_image_counts(dataset, tmp_path) -> None:
    copied(dataset, tmp_path)
    first, second, third, fourth = (one.id for one in ALL[:4])
    tag_table(tmp_path, "train", {second: ["z", "a", "z", "m"], first: ["a"], 1: ["nobody's"]})
    tag_table(tmp_path, "val", {first: ["b"], third: [], fourth: None})
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
    index = open_index(tmp_path / "index")
    found = [queries.details(index, image) for image in (first, second, third, fourth)]
    for kind in ("general", "series", "character"):
        assert [one.tags[kind] for one in found if one] == [["a"], ["z", "a", "m"], [], []]
    assert ids(index, View(general=("a",))) == [first, second]
    assert ids(index, View(general=("b",))) == []
    names = {(choice.name, choice.images) for choice in queries.complete(index, View(), "")}
    assert names >= {("a", 2), ("z", 1), ("m", 1)}
    assert not {"b", "nobody's"} & {name for name, _ in names}


def test_a_dataset_without_tags_or_images_has_an_index(dataset, tmp_path) -> None:
    manifest = copied(dataset, tmp_path)
    pl.read_parquet(manifest).clear().write_parquet(manifest)
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
    index = open_index(tmp_path / "index")
    assert queries.page(index, View(order="random", seed=1)).images == 0
    assert queries.complete(index, View(), "a") == []


def test_a_manifest_without_boxes_is_refused_by_name(dataset, tmp_path) -> None:
    manifest = copied(dataset, tmp_path)
    pl.read_parquet(manifest).drop("left", "width").write_parquet(manifest)
    with pytest.raises(InputError, match=f"^{manifest}: has no column left, width$"):
        index_dataset(tmp_path, tmp_path / "index", begin=never)


def test_a_folder_that_cannot_be_written_is_an_output_error(dataset, tmp_path) -> None:
    (tmp_path / "index").write_text("no folder")
    with pytest.raises(OutputError, match="index: "):
        index_dataset(dataset, tmp_path / "index", begin=never)
