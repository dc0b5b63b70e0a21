"""A dataset as a trainer takes it, without PyTorch."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.layout import FACES, FULL, MANIFEST
from dafre_fast.dataset.chosen import Lists
from dafre_fast.dataset.items import Items, Making, Square, Stream, read_tag_names
from dafre_fast.dataset.shards import Reader
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.datasets_drawn import IMAGES, NAMES, REFUSED, SPLITS, draw_dataset, path_of

TRAIN = {1000 + number for number in SPLITS["train"]}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """A dataset with packs of every kind of image, in shards of three."""
    ds = draw_dataset(tmp_path_factory.mktemp("drawn") / "ds")
    for images in ("full", "faces", "both"):
        pack(PackRun(output=ds, images=images, shard_size=3))
    return ds


@pytest.fixture
def ds(drawn, tmp_path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(drawn, tmp_path / "ds"))


def shards(ds: Path, images: str = "both") -> Path:
    return ds / f"packs/webdataset-{images}/train"


def pillow(ds: Path, tree: str, image: int) -> np.ndarray:
    with Image.open(ds / tree / path_of(image)) as file:
        return np.asarray(file.convert("RGB"))


def test_items_are_the_images_of_a_split_that_were_made(drawn) -> None:
    items = Items(drawn, "test", Making("full"))
    made = [1000 + number for number in SPLITS["test"] if number != REFUSED]
    assert [item["id"] for item in items] == made == items.ids.tolist()
    assert [item["class_id"] for item in items] == items.class_ids.tolist() == [1, 0]
    assert items.class_names == NAMES


def test_items_of_a_list_are_left_out(drawn, tmp_path) -> None:
    (tmp_path / "exclude.csv").write_text("id,why\n1000,duplicate\n1003,leaked\n")
    items = Items(drawn, "train", Making("full"), Lists(exclude=tmp_path / "exclude.csv"))
    assert {*items.ids.tolist()} == TRAIN - {1000, 1003}
    assert items.excluded == 2


def test_only_items_of_a_list_are_taken_and_a_split_without_any_is_refused(drawn, tmp_path) -> None:
    (tmp_path / "only.txt").write_text("1003\n1000\n")
    lists = Lists(only=tmp_path / "only.txt")
    items = Items(drawn, "train", Making("full"), lists)
    assert items.ids.tolist() == [1000, 1003]
    assert items.excluded == len(TRAIN) - 2
    with pytest.raises(UsageError, match=r"only .*only\.txt: no image of 'test' is left"):
        Items(drawn, "test", Making("full"), lists)


@pytest.mark.parametrize("seed", [None, 7])
def test_a_stream_has_the_samples_of_lists_alone_in_every_division(drawn, tmp_path, seed) -> None:
    (tmp_path / "exclude.csv").write_text("id\n1000\n1003\n")  # in shards of three
    lists = Lists(exclude=tmp_path / "exclude.csv")
    stream = Stream(shards(drawn), Making("full"), seed, lists=lists)
    assert (stream.division.samples, stream.excluded) == (len(TRAIN) - 2, 2)
    readers = [Reader(rank, 2, worker, 2) for rank in range(2) for worker in range(2)]
    found = [item["id"] for reader in readers for item in stream.items(0, reader)]
    assert sorted(found) == sorted(TRAIN - {1000, 1003})
    (tmp_path / "none.txt").write_text("5\n")
    with pytest.raises(UsageError, match=r"no sample of .*train is left"):
        Stream(shards(drawn), Making("full"), seed, lists=Lists(only=tmp_path / "none.txt"))


def test_without_a_split_items_are_all_that_were_made(drawn) -> None:
    assert len(Items(drawn, None, Making("full"))) == IMAGES - 1


@pytest.mark.parametrize(
    ("images", "trees"),
    [
        ("full", {"full": FULL}),
        ("faces", {"face": FACES}),
        ("both", {"full": FULL, "face": FACES}),
    ],
)
def test_an_item_has_the_pictures_that_are_asked_for_as_pixels(drawn, images, trees) -> None:
    item = Items(drawn, "train", Making(images))[2]
    assert item.keys() == {"id", "class_id", *trees}
    for name, tree in trees.items():
        expected = pillow(drawn, tree, item["id"])
        assert (item[name].dtype, item[name].shape) == (np.uint8, expected.shape)
        assert np.abs(item[name].astype(int) - expected).max() <= 4  # two builds of libjpeg


def test_items_are_counted_from_the_end_as_well_and_behind_the_last_there_is_none(drawn) -> None:
    items = Items(drawn, "train", Making("full", tag_names=read_tag_names(drawn)))
    assert items[-1]["id"] == items[6]["id"]
    assert (items[-1]["tags"] == items[6]["tags"]).all()
    with pytest.raises(IndexError):
        items[7]


def test_names_of_tags_are_those_of_all_splits_and_categories(drawn) -> None:
    names = read_tag_names(drawn)
    tags = {f"tag {1000 + number}" for number in range(IMAGES)}
    assert names == sorted({"tags_cat0", "tags_cat3", "tags_cat4", *tags})


def tags_of(item: dict, names: list[str]) -> set[str]:
    return {name for name, has in zip(names, item["tags"], strict=True) if has}


def test_tags_that_are_asked_for_are_a_bool_each(drawn) -> None:
    names = ["tag 1003", "no such tag", "tags_cat4", "tag 1001"]
    items = Items(drawn, "train", Making("full", tag_names=names))
    found = {item["id"]: tags_of(item, names) for item in items}
    expected = {key: {"tags_cat4"} for key in TRAIN}
    assert found == expected | {n: {"tags_cat4", f"tag {n}"} for n in (1001, 1003)}
    streamed = Stream(shards(drawn), Making("full", tag_names=names), seed=None).items(0, Reader())
    assert {item["id"]: tags_of(item, names) for item in streamed} == found


def test_an_image_of_which_no_tags_are_known_has_none_of_them(ds) -> None:
    for path in ds.glob("labels/*_tags.parquet"):
        pl.read_parquet(path).filter(pl.col("id") != 1000).write_parquet(path)
    items = Items(ds, "train", Making("full", tag_names=["tags_cat0"]))
    assert [bool(item["tags"][0]) for item in items] == [False, *[True] * 6]


def test_a_transform_is_given_pixels(drawn) -> None:
    item = Items(drawn, "train", Making("both", Square(16)))[0]
    assert item["full"].shape == item["face"].shape == (16, 16, 3)
    shape = Items(drawn, "train", Making("full", np.shape))[0]["full"]
    assert shape == (32, 40, 3)


def test_a_square_of_the_short_side_is_the_middle_untouched() -> None:
    pixels = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    assert (Square(4)(pixels) == pixels[:, 2:6]).all()
    assert (Square(4)(pixels.swapaxes(0, 1)) == pixels.swapaxes(0, 1)[2:6]).all()


@pytest.mark.parametrize("kind", ["items", "stream"])
def test_both_kinds_travel_to_workers(drawn, kind) -> None:
    made = Making("both", Square(8), read_tag_names(drawn))
    one = Items(drawn, "train", made) if kind == "items" else Stream(shards(drawn), made, 1)
    copy = pickle.loads(pickle.dumps(one))
    first = [item["id"] for item in (one if kind == "items" else one.items(3, Reader()))]
    assert [item["id"] for item in (copy if kind == "items" else copy.items(3, Reader()))] == first


@pytest.mark.parametrize("places", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("seed", [None, 5])
def test_readers_of_a_stream_take_every_sample_once(drawn, places, seed) -> None:
    stream = Stream(shards(drawn), Making("full"), seed)
    read = [
        item["id"] for place in range(places) for item in stream.items(4, Reader(place, places))
    ]
    assert len(read) == stream.division.samples == 7
    assert set(read) == TRAIN


@pytest.mark.parametrize("seed", [None, 5])
def test_a_stream_that_begins_later_gives_exactly_the_rest(drawn, seed) -> None:
    stream, reader = Stream(shards(drawn), Making("full"), seed), Reader(1, 2)
    whole = [item["id"] for item in stream.items(4, reader)]
    for begin in range(len(whole) + 1):
        assert [item["id"] for item in stream.items(4, reader, begin)] == whole[begin:]


def test_every_epoch_of_a_seed_has_its_own_order_and_always_the_same(drawn) -> None:
    stream = Stream(shards(drawn), Making("full"), seed=1)
    orders = [[item["id"] for item in stream.items(epoch, Reader())] for epoch in (0, 1, 2, 0)]
    assert orders[0] == orders[3]
    assert len({*map(tuple, orders)}) == 3


@pytest.mark.parametrize("packed", ["full", "faces", "both"])
@pytest.mark.parametrize("wanted", ["full", "faces", "both"])
def test_a_stream_has_the_pictures_that_were_packed_and_no_others(drawn, packed, wanted) -> None:
    if packed not in ("both", wanted):
        with pytest.raises(UsageError, match=r"00000\.tar: has no (face|full) images"):
            Stream(shards(drawn, packed), Making(wanted), None)
        return
    trees = {"full": FULL, "face": FACES}
    for item in Stream(shards(drawn, packed), Making(wanted), None).items(0, Reader()):
        for name in item.keys() & trees.keys():
            assert item[name].shape == pillow(drawn, trees[name], item["id"]).shape


def test_pixels_are_the_same_by_number_and_from_shards(drawn) -> None:
    items = {item["id"]: item for item in Items(drawn, "train", Making("both"))}
    for item in Stream(shards(drawn), Making("both"), None).items(0, Reader()):
        assert (item["full"] == items[item["id"]]["full"]).all()
        assert (item["face"] == items[item["id"]]["face"]).all()


def test_a_picture_that_is_gone_or_broken_is_named(ds) -> None:
    items = Items(ds, "train", Making("full"))
    path = ds / FULL / path_of(1000)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=path_of(1000)):
        items[0]
    path.unlink()
    with pytest.raises(InputError, match=f"{path_of(1000)}: No such file"):
        items[0]


def test_a_shard_that_is_not_that_of_its_index_is_named(ds) -> None:
    path = shards(ds) / "00001.tar"
    stream = Stream(path.parent, Making("full"), None)
    path.write_bytes(path.read_bytes() + bytes(512))
    with pytest.raises(InputError, match=r"00001\.tar: its index is that of an archive of another"):
        list(stream.items(0, Reader()))
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"00001\.json: No such file"):
        list(stream.items(0, Reader()))


def test_a_folder_that_is_no_dataset_is_named(tmp_path, ds) -> None:
    with pytest.raises(InputError, match="no shard is there"):
        Stream(tmp_path, Making("full"), None)
    with pytest.raises(InputError, match="no image of 'validation' was made"):
        Items(ds, "validation", Making("full"))
    with pytest.raises(UsageError, match="images 'face'"):
        Items(ds, "train", Making("face"))
    pl.read_parquet(ds / MANIFEST).clear().write_parquet(ds / MANIFEST)
    with pytest.raises(InputError, match="no image"):
        Items(ds, None, Making("full"))
