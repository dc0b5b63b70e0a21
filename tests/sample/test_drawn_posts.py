import gzip
import lzma
from collections import Counter
from pathlib import Path

import msgspec
import polars as pl
import pytest

from dafre_fast.sample import posts
from dafre_fast.sample.posts import Shape, write_posts
from dafre_fast.sample.vocabulary import vocabulary
from tests.sample.shapes import STRINGS, tags

RECORDS = 400


def written(path: Path, records: int = RECORDS, **settings) -> list[dict]:
    write_posts(path, records, **settings)
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> list[dict]:
    return written(tmp_path_factory.mktemp("old") / "posts.jsonl")


@pytest.fixture(scope="module")
def new(tmp_path_factory) -> list[dict]:
    return written(tmp_path_factory.mktemp("new") / "posts.jsonl", shape=Shape.NEW)


def test_the_old_shape_has_numbers_as_strings_and_tags_as_objects(old) -> None:
    for post in old:
        numbers = (post[name] for name in ("id", "image_width", "image_height", "file_size"))
        assert all(isinstance(number, str) and number.isdecimal() for number in numbers)
        assert all(isinstance(post[f"is_{flag}"], bool) for flag in ("pending", "deleted"))
        assert post["rating"] in {"s", "q", "e"}
        for tag in post["tags"]:
            assert [*tag] == ["id", "name", "category"]
            assert tag["category"] in {"0", "1", "3", "4", "5"}
            assert tag["id"].isdecimal()


def test_the_new_shape_has_numbers_and_a_string_of_names_per_category(new) -> None:
    for post in new:
        assert isinstance(post["id"], int)
        assert isinstance(post["image_width"], int)
        names = [name for category in STRINGS for name in tags(post, category)]
        assert sorted(names) == sorted(post["tag_string"].split())
        assert post["tag_count"] == len(names)
    assert {post["rating"] for post in new} == {*"gsqe"}


def test_both_shapes_tell_of_the_same_posts(old, new) -> None:
    for one, other in zip(old, new, strict=True):
        assert (one["id"], one["md5"]) == (str(other["id"]), other["md5"])
        assert one["rating"] == other["rating"].replace("g", "s")
        for category in STRINGS:
            assert tags(one, category) == tags(other, category)


def test_a_post_has_about_30_tags_and_none_twice(old) -> None:
    for post in old:
        names = [tag["name"] for tag in post["tags"]]
        assert len(names) == len({*names})
    assert 25 < sum(len(post["tags"]) for post in old) / RECORDS < 35


def test_a_few_tags_are_everywhere_and_most_of_them_hardly_anywhere(old) -> None:
    uses = Counter(tag["name"] for post in old for tag in post["tags"])
    assert uses["1girl"] > RECORDS / 3
    assert sum(count == 1 for count in uses.values()) > len(uses) / 3


def test_the_series_of_every_character_is_among_its_tags(old) -> None:
    words = vocabulary()
    names = words.tags["name"]
    series = {
        names[place]: names[int(own)] for place, own in enumerate(words.series_of) if own >= 0
    }
    for post in old:
        names_of_post = {tag["name"] for tag in post["tags"]}
        assert {series[name] for name in names_of_post & series.keys()} <= names_of_post
    assert series["chevalier_d'eon_(fate/grand_order)"] == "fate/grand_order"


def test_a_tag_has_one_name_and_one_id() -> None:
    words = vocabulary().tags
    assert words["name"].is_unique().all()
    assert words["id"].is_unique().all()
    assert words["name"].is_sorted()


def test_no_name_holds_what_stands_between_names() -> None:
    assert not vocabulary().tags["name"].str.contains(r"[\s,]").any()


@pytest.mark.parametrize("name", ["1girl", ":d", ";)", "6+girls", '"momo"_hoshino', "日本語"])
def test_names_look_like_real_ones(name) -> None:
    assert name in vocabulary().tags["name"]


def test_some_posts_are_not_to_be_kept(tmp_path) -> None:
    many = written(tmp_path / "posts.jsonl", 3000)
    for flag in ("pending", "flagged", "deleted", "banned"):
        assert 0 < sum(post[f"is_{flag}"] for post in many) < 300
    assert 0 < sum(post["rating"] != "s" for post in many) < 500


def test_the_seed_decides_every_byte(tmp_path) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(3)]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        write_posts(path, RECORDS, seed=seed)
    same, again, other = (path.read_bytes() for path in paths)
    assert same == again
    assert same != other


@pytest.mark.parametrize("shape", Shape)
def test_the_name_tells_how_a_file_is_compressed(shape, tmp_path) -> None:
    for suffix in ("", ".gz", ".xz", ".zst"):
        write_posts(tmp_path / f"posts.jsonl{suffix}", RECORDS, shape=shape)
    plain = (tmp_path / "posts.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "posts.jsonl.gz").read_bytes()) == plain
    assert lzma.decompress((tmp_path / "posts.jsonl.xz").read_bytes()) == plain
    lines = pl.scan_lines(tmp_path / "posts.jsonl.zst", name="line").collect()["line"]
    assert [*lines] == plain.decode().splitlines()
    assert {path.suffix for path in tmp_path.iterdir()} == {".jsonl", ".gz", ".xz", ".zst"}


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_batches_follow_each_other(suffix, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(posts, "_BATCH", 7)
    path = tmp_path / f"posts.jsonl{suffix}"
    write_posts(path, 25)
    ids = pl.scan_ndjson(path).select(pl.col("id").cast(pl.Int64)).collect()["id"]
    assert len(ids) == 25
    assert ids.is_unique().all()
    assert ids.is_sorted()


def test_given_ids_are_among_them(tmp_path) -> None:
    given = [5_000_123, 7, 263167]
    ids = [int(post["id"]) for post in written(tmp_path / "posts.jsonl", 50, ids=given)]
    assert {*given} < {*ids}
    assert ids == sorted({*ids})
    assert len(ids) == 50


def test_there_are_no_more_ids_than_posts(tmp_path) -> None:
    with pytest.raises(ValueError, match="3 ids do not fit in 2 posts"):
        write_posts(tmp_path / "posts.jsonl", 2, ids=[1, 2, 3])
    assert not [*tmp_path.iterdir()]
