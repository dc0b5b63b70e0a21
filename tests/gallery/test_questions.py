"""Queries of the index, compared with the same queries in plain Python."""

import os
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.gallery import matching, queries
from dafre_fast.gallery.index import Index, index_dataset, open_index
from dafre_fast.gallery.language import Term, named, read, write
from dafre_fast.gallery.view import Choice, Details, Place, View
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


@dataclass(frozen=True)
class Asked:
    """A question in plain Python."""

    split: str | None = None
    status: str | None = None
    klass: str | None = None
    general: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    original_min: int | None = None
    original_max: int | None = None
    head_min: int | None = None
    head_max: int | None = None
    width: int | None = None

    @property
    def view(self) -> View:
        one = [("split", self.split), ("status", self.status), ("class", self.klass)]
        several = [("general", tag) for tag in self.general] + [("series", t) for t in self.series]
        sizes = [("original", ">=", self.original_min), ("original", "<=", self.original_max)]
        sizes += [("head", ">=", self.head_min), ("head", "<=", self.head_max)]
        sizes += [("height", ">", self.width)]
        terms = [named(kind, name) for kind, name in [*one, *several] if name]
        terms += [named("", tag).opposite for tag in self.without]
        terms += [Term(field, str(size), sign) for field, sign, size in sizes if size]
        return View(q=write(terms), order="manifest")


def has(one: One, asked: Asked) -> bool:
    made = one.status == "success"
    original, head = min(one.original) if made else 0, min(one.face) if made else 0
    status = asked.status in {None, one.status, "refused" if not made else "success"}
    return (
        status
        and asked.split in {None, one.split}
        and asked.klass in {None, one.klass}
        and {*asked.general} <= {*one.general}
        and not {*asked.without} & {*one.general}
        and {*asked.series} <= {*tags_of(one)}
        and _between(original, asked.original_min, asked.original_max)
        and _between(head, asked.head_min, asked.head_max)
        and (asked.width is None or (made and one.height > asked.width))
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


askings = st.builds(
    Asked,
    split=st.none() | st.sampled_from(SPLITS),
    status=st.none() | st.sampled_from(["success", "refused", "truncated", "not_found"]),
    klass=st.none() | st.sampled_from([*CLASSES, "nobody"]),
    general=st.lists(st.sampled_from(GENERAL), max_size=3, unique=True).map(tuple),
    series=st.sampled_from([(), ("sample",), ("none",)]),
    original_min=st.none() | st.integers(500, 800),
    original_max=st.none() | st.integers(500, 800),
    head_min=st.none() | st.integers(50, 150),
    head_max=st.none() | st.integers(50, 150),
    without=st.lists(st.sampled_from(GENERAL), max_size=2, unique=True).map(tuple),
    width=st.none() | st.integers(200, 400),
)


@given(asked=askings)
def test_a_view_has_the_images_that_match_in_the_order_of_the_manifest(index, asked) -> None:
    assert ids(index, asked.view) == [one.id for one in ALL if has(one, asked)]


@given(asked=askings)
def test_images_can_be_ordered_by_id(index, asked) -> None:
    found = sorted(one.id for one in ALL if has(one, asked))
    assert ids(index, asked.view.but(order="id")) == found


@given(asked=askings, column=st.sampled_from(["id", "height", "status"]), down=st.booleans())
def test_images_can_be_ordered_by_any_column(index, dataset, asked, column, down) -> None:
    rows = pl.read_parquet(dataset / "manifest.parquet")
    rows = rows.filter(pl.col("id").is_in([one.id for one in ALL if has(one, asked)]))
    rows = rows.sort(column, descending=down, nulls_last=True, maintain_order=True)
    view = asked.view.but(order=f"-{column}" if down else column)
    assert ids(index, view) == rows["id"].to_list()


def test_an_order_by_no_column_names_the_nearest(index) -> None:
    with pytest.raises(UsageError, match=r"no column 'heigth'; near to it: .*height"):
        ids(index, View(order="heigth"))


def test_classes_are_mixed_unless_another_order_is_asked_for(index) -> None:
    page = queries.page(index, View())
    assert len({tile.klass for tile in page.tiles[:20]}) > 2
    assert sorted(ids(index, View())) == sorted(one.id for one in ALL)
    assert ids(index, View()) == ids(index, View())


@given(asked=askings, seed=st.integers(0, 2**32 - 1))
def test_a_random_order_has_the_same_images_and_depends_on_the_seed_only(
    index, asked, seed
) -> None:
    shuffled = asked.view.but(order="random", seed=seed)
    found = ids(index, shuffled)
    assert sorted(found) == sorted(one.id for one in ALL if has(one, asked))
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
    page = queries.page(index, View(q="status:refused"))
    assert {(tile.status, *tile.sizes.values()) for tile in page.tiles} == {
        ("truncated", (0, 0), (0, 0))
    }


def test_a_page_after_the_last_one_is_empty(index) -> None:
    page = queries.page(index, View(page=4))
    assert (page.tiles, page.images, page.pages) == ([], IMAGES, 3)


def test_pages_of_an_order_are_its_parts_whatever_the_blocks_that_are_looked_at(
    index, monkeypatch
) -> None:
    whole = ids(index, View(q="status:success"))
    for block in (1, 7, 59, 60, 61, 1000):
        monkeypatch.setattr(queries, "_BLOCK", block)
        pages = [queries.page(index, View(q="status:success", page=number)) for number in (1, 2, 3)]
        assert [tile.id for page in pages for tile in page.tiles] == whole
        assert {page.images for page in pages} == {len(whole)}


def test_a_view_without_images_has_one_empty_page(index) -> None:
    page = queries.page(index, Asked(klass="nobody").view)
    assert (page.tiles, page.images, page.pages) == ([], 0, 1)


@given(asked=askings, number=st.integers(0, IMAGES - 1))
def test_the_place_of_an_image_in_a_view_has_its_neighbours(index, asked, number) -> None:
    view = asked.view
    found = [one.id for one in ALL if has(one, asked)]
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
    assert shown_tags(found) == {
        "general": [*chosen.general],
        "series": [*chosen.series],
        "character": [],
    }


def shown_tags(details: Details) -> dict[str, list[str]]:
    return {kind: [one.name for one in several] for kind, several in details.tags.items()}


@pytest.mark.parametrize("image", [0, 4, 10**17])
def test_an_id_that_is_not_in_the_manifest_has_no_details(index, image) -> None:
    assert image not in {one.id for one in ALL}
    assert queries.details(index, image) is None
    assert not queries.exists(index, image)


def test_splits_come_as_train_val_test_with_their_images_in_the_view(index) -> None:
    view = Asked(klass=ODD, split="val").view
    counts = Counter(one.split for one in ALL if one.klass == ODD)
    expected = [Choice("split", split, counts[split], named("split", split)) for split in SPLITS]
    assert queries.choices(index, view, "split") == expected


def test_completion_ranks_names_by_start_then_start_of_a_word_then_the_rest(index) -> None:
    uses = Counter(tag for one in ALL for tag in one.general)
    by_use = sorted(["blue hair", "long hair"], key=lambda tag: (-uses[tag], tag))
    assert names(index, "HAIR") == ["hair ribbon", *by_use]
    assert names(index, "air") == sorted(
        ["blue hair", "hair ribbon", "long hair"], key=lambda tag: (-uses[tag], tag)
    )


def names(index: Index, text: str) -> list[str]:
    return [choice.name for choice, _ in queries.complete(index, View(), text)]


def test_completion_counts_the_images_that_would_be_left(index) -> None:
    ((choice, view),) = queries.complete(index, View(), "class:ao/midori -solo")
    expected = sum("solo" in one.general for one in ALL if one.klass == "ao/midori")
    assert choice == Choice("general", "solo", expected, named("", "solo"))
    assert view.q == "class:ao/midori -solo"


def test_completion_takes_as_many_words_as_belong_together(index) -> None:
    for line in ("solo long ha", "solo long_ha", "solo long  ha"):
        ((_, view),) = queries.complete(index, View(), line)
        assert view.q == "solo long_hair"
    assert queries.complete(index, View(), "class:long") == []


def asked_as(index: Index, line: str) -> str:
    return write(matching.resolve(index, read(line)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("AOI (sample)", "class:aoi_(sample)"),
        (" aoi_(SAMPLE) ", "class:aoi_(sample)"),
        ("1girl", "1_girl"),
        ("1 girl", "1_girl"),
        ("1_girl", "1_girl"),
        ("blue hair long_hair", "blue_hair long_hair"),
        ("-1 girl solo", "-1_girl solo"),
        ("solo -blue hair", "solo -blue_hair"),
        ("general:Solo", "solo"),
        ("class:ao/MIDORI", "class:ao/midori"),
        ("#4", "class:#4"),
        ("unknown words", "unknown words"),
        ("*_hair width:>5", "*_hair width:>5"),
    ],
)
def test_a_line_is_written_with_the_names_of_the_dataset(index, line, expected) -> None:
    assert asked_as(index, line) == expected
    assert asked_as(index, expected) == expected


def manifest_of(dataset: Path) -> pl.DataFrame:
    return pl.read_parquet(dataset / "manifest.parquet")


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("*_hair", lambda one: {"long hair", "blue hair"} & {*one.general}),
        ("-*hair*", lambda one: not {"long hair", "blue hair", "hair ribbon"} & {*one.general}),
        ("general:*o*", lambda one: any("o" in tag for tag in one.general)),
        ("*a*", lambda one: any("a" in tag for tag in (*tags_of(one), *one.general, one.klass))),
        ("status:refused", lambda one: one.status != "success"),
        ("-status:refused split:val", lambda one: one.status == "success" and one.split == "val"),
        ("id:<1000", lambda one: one.id < 1000),
        ("id:1000..2000", lambda one: 1000 <= one.id <= 2000),
        ("id:2000..", lambda one: one.id >= 2000),
        ("left:0.25", lambda one: one.box[0] == 0.25),
        ("right:<0.55", lambda one: one.box[2] < 0.55),
        ("height:none", lambda one: one.status != "success"),
        ("-height:none", lambda one: one.status == "success"),
        ("path:0005/*", lambda one: one.id % 1000 == 5),
        ("error_message:*breaks*", lambda one: one.status != "success"),
        ("notes:any", lambda one: one.status == "any"),
    ],
)
def test_any_column_can_be_asked_for(index, line, fits) -> None:
    view = View(q=asked_as(index, line), order="manifest")
    assert ids(index, view) == [one.id for one in ALL if fits(one)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("height:>wide", "'wide' is no number"),
        ("height:1..many", "'many' is no number"),
        ("height:*", "this column has no text"),
        ("notes:>5", "this column has no order"),
        ("answer:wrong", "no --model is given"),
    ],
)
def test_a_value_that_no_column_can_have_is_refused(index, line, reason) -> None:
    with pytest.raises(UsageError, match=reason):
        ids(index, View(q=line))


def test_dates_are_asked_for_by_year_month_and_day(dataset, tmp_path) -> None:
    days = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 31), date(2024, 2, 1), None]
    text = [day and f"{day:%a, %d %b %Y} 23:59:59 GMT" for day in days]
    rows = manifest_of(dataset).head(5)
    for column in (pl.Series("date", days), pl.Series("last_modified", text)):
        rows.with_columns(column).write_parquet(tmp_path / "manifest.parquet")
        index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
        index = open_index(tmp_path / "index")
        for line, places in {
            "date:2024": [1, 2, 3],
            "date:2024-01": [1, 2],
            "date:2024-01-31": [2],
            "date:>2024-01": [3],
            "date:>=2024-01": [1, 2, 3],
            "date:<2024": [0],
            "date:<=2024-01-01": [0, 1],
            "date:2023..2024-01": [0, 1, 2],
        }.items():
            found = ids(index, View(q=line, order="manifest"))
            assert found == rows["id"].gather(places).to_list(), line
        for order, places in ((column.name, [0, 1, 2, 3, 4]), (f"-{column.name}", [3, 2, 1, 0, 4])):
            assert ids(index, View(order=order)) == rows["id"].gather(places).to_list()
        none = f"{column.name}:none"
        assert ids(index, View(q=none)) == rows["id"].gather([4]).to_list()
    with pytest.raises(UsageError, match="is no date such as 2024"):
        ids(index, View(q="date:2024-13"))


def nearest(index: Index, line: str) -> list[list[str]]:
    terms = matching.resolve(index, read(line))
    return [[*map(str, one.nearest)] for one in matching.wrong(index, terms)]


def test_wrong_terms_get_the_nearest_ones(index) -> None:
    assert nearest(index, "sloo -hiar_ribbon solo") == [["solo"], ["-hair_ribbon"]]
    assert nearest(index, "heigth:>5")[0][0] == "height:>5"
    assert sorted(nearest(index, "hair")[0]) == ["blue_hair", "hair_ribbon", "long_hair"]
    assert nearest(index, "class:midori") == [["class:ao/midori"]]
    assert nearest(index, "solo split:nothing") == []


def test_classes_of_the_same_name_are_distinguished_by_number(dataset, tmp_path) -> None:
    manifest = pl.read_parquet(dataset / "manifest.parquet")
    manifest.with_columns(class_name=pl.lit("miku")).write_parquet(tmp_path / "manifest.parquet")
    index_dataset(tmp_path, tmp_path / "index", begin=lambda: None)
    names = {
        choice.name for choice, _ in queries.complete(open_index(tmp_path / "index"), View(), "m")
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
        assert [shown_tags(one)[kind] for one in found if one] == [["a"], ["z", "a", "m"], [], []]
    assert ids(index, View(q="a", order="manifest")) == [first, second]
    assert matching.wrong(index, read("b"))
    names = {(name, images) for name, images in index.terms.select("name", "images").rows()}
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
