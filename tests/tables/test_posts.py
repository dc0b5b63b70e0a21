import json
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.errors import InputError
from dafre_fast.tables.posts import Posts, read_posts

OLD = {
    "id": "00263167",
    "image_width": "850",
    "image_height": "1200",
    "file_ext": "PNG",
    "is_pending": False,
    "is_deleted": True,
    "rating": "s",
    "tags": [
        {"id": "1", "name": "1girl", "category": "0"},
        {"id": "2", "name": "someone", "category": "1"},
        {"id": "3", "name": "touhou", "category": "3"},
        {"id": "4", "name": "solo", "category": 0},
    ],
}
NEW = {
    "id": 5,
    "image_width": 850,
    "rating": "g",
    "tag_string_general": "1girl  solo",
    "tag_string_artist": "someone",
    "tag_string_character": "cirno",
}


def write(path: Path, *records: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def read(folder: Path, *paths: Path) -> Posts:
    (folder / "parts").mkdir(exist_ok=True)
    return read_posts(paths, folder / "parts", 1.0)


def rows(posts: Posts) -> list[dict[str, object]]:
    """Rows of the posts, with the names of tags in place of their numbers."""
    found = posts.rows.collect().to_dicts()
    for row in found:
        for category in CATEGORIES:
            row[column(category)] = [posts.names[category][n] for n in row[column(category)]]
    return found


def problems(posts: Posts) -> list[tuple[str, int, str]]:
    return posts.bad_rows.rows()


def test_old_and_new_metadata_lead_to_the_same_columns(tmp_path) -> None:
    assert rows(read(tmp_path, write(tmp_path / "a", OLD, NEW))) == [
        {
            "id": 263167,
            "image_width": 850,
            "image_height": 1200,
            "file_ext": "png",
            "is_pending": False,
            "is_flagged": None,
            "is_deleted": True,
            "is_banned": None,
            "rating": "s",
            "tags_cat0": ["1girl", "solo"],
            "tags_cat3": ["touhou"],
            "tags_cat4": [],
        },
        {
            "id": 5,
            "image_width": 850,
            "image_height": None,
            "file_ext": None,
            **dict.fromkeys(("is_pending", "is_flagged", "is_deleted", "is_banned")),
            "rating": "g",
            "tags_cat0": ["1girl", "solo"],
            "tags_cat3": [],
            "tags_cat4": ["cirno"],
        },
    ]


def test_parquet_of_either_shape_is_read_too(tmp_path) -> None:
    pl.DataFrame([OLD | {"tags": OLD["tags"][:3]}]).write_parquet(tmp_path / "old")
    pl.DataFrame([NEW]).write_parquet(tmp_path / "new")
    found = rows(read(tmp_path, tmp_path / "old", tmp_path / "new"))
    assert [row["tags_cat0"] for row in found] == [["1girl"], ["1girl", "solo"]]


def test_a_folder_stands_for_the_files_in_it_in_the_order_of_their_names(tmp_path) -> None:
    write(tmp_path / "all/b", NEW | {"id": 2})
    write(tmp_path / "all/a", NEW | {"id": 1})
    write(tmp_path / "all/.hidden", NEW | {"id": 3})
    assert [row["id"] for row in rows(read(tmp_path, tmp_path / "all"))] == [1, 2]


@pytest.mark.parametrize("number", [5, 1 << 26, 10**17])
def test_the_first_good_post_of_an_image_counts_across_files(tmp_path, number) -> None:
    bad = {"id": number}
    one = write(tmp_path / "one", bad, NEW | {"id": number}, NEW | {"id": f"0{number}"})
    other = write(tmp_path / "other", NEW | {"id": number, "rating": "q"}, NEW | {"id": 6})
    posts = read(tmp_path, one, other)
    assert [(row["id"], row["rating"]) for row in rows(posts)] == [(number, "g"), (6, "g")]
    assert problems(posts) == [
        ("one", 1, "no_tags"),
        ("one", 3, "duplicate_id"),
        ("other", 1, "duplicate_id"),
    ]


@pytest.mark.parametrize("number", [None, "", "x", -5, 5.5, True, 10**18])
def test_an_id_that_is_no_number_sets_the_post_aside(tmp_path, number) -> None:
    posts = read(tmp_path, write(tmp_path / "a", NEW | {"id": number}, NEW))
    assert problems(posts) == [("a", 1, "bad_id")]
    assert len(rows(posts)) == 1


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ({"name": "x", "category": "2"}, "unknown_category"),
        ({"name": "x", "category": "general"}, "unknown_category"),
        ({"name": "x"}, "unknown_category"),
        ({"name": "", "category": "0"}, "unnamed_tag"),
        ({"category": "0"}, "unnamed_tag"),
        (None, "unknown_category"),
    ],
)
def test_an_odd_tag_alone_is_set_aside_and_its_post_is_kept(tmp_path, tag, problem) -> None:
    posts = read(tmp_path, write(tmp_path / "a", OLD | {"tags": [tag, *OLD["tags"]]}))
    assert problems(posts) == [("a", 1, problem)]
    assert [row["tags_cat0"] for row in rows(posts)] == [["1girl", "solo"]]


def test_a_post_without_tags_is_bad_and_one_with_an_empty_list_is_not(tmp_path) -> None:
    empty = write(tmp_path / "a", {"id": 1, "tags": []}, {"id": 2, "tag_string_general": ""})
    assert [row["tags_cat0"] for row in rows(read(tmp_path, empty))] == [[], []]
    posts = read(tmp_path, write(tmp_path / "b", {"id": 1}, {"id": 2, "tags": None}, NEW))
    assert problems(posts) == [("b", 1, "no_tags"), ("b", 2, "no_tags")]


def test_many_posts_come_in_parts_and_lead_to_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.tables.posts._PART_ROWS", 3)
    monkeypatch.setattr("dafre_fast.tables.posts._BATCH_ROWS", 1)
    monkeypatch.setattr("dafre_fast.tables.blocks.BLOCK_BYTES", 100)
    given = [NEW | {"id": n, "tag_string_general": f"a{n} b{n % 3}"} for n in range(20)]
    posts = read(tmp_path, write(tmp_path / "a", *given))
    found = rows(posts)
    assert [row["id"] for row in found] == [*range(20)]
    assert [row["tags_cat0"] for row in found] == [[f"a{n}", f"b{n % 3}"] for n in range(20)]
    assert len([*(tmp_path / "parts").iterdir()]) > 3


@pytest.mark.parametrize("rows_of_a_part", [1, 2, 3])
def test_posts_may_fill_their_last_part(tmp_path, monkeypatch, rows_of_a_part) -> None:
    monkeypatch.setattr("dafre_fast.tables.posts._PART_ROWS", rows_of_a_part)
    monkeypatch.setattr("dafre_fast.tables.posts._BATCH_ROWS", 1)
    monkeypatch.setattr("dafre_fast.tables.blocks.BLOCK_BYTES", 10)
    posts = read(tmp_path, write(tmp_path / "a", NEW, NEW | {"id": 6}))
    assert [row["id"] for row in rows(posts)] == [5, 6]


def test_more_bad_records_than_allowed_end_it_with_the_worst(tmp_path) -> None:
    path = write(tmp_path / "a", NEW, {"id": 2}, {"id": 3})
    with pytest.raises(InputError, match=r"2 of 3 rows.*no_tags, first in line 2"):
        read_posts([path], tmp_path, 0.5)


def test_an_empty_folder_is_an_error_that_says_so(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: holds no files"):
        read(tmp_path, tmp_path / "empty")
