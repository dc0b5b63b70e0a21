import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.tables.metadata import read_metadata
from dafre_fast.tables.posts import Posts, read_posts
from tests.tables.test_posts import problems, rows, write

POST = {"id": 5, "rating": "s"}
GENERAL = ("long_hair", "smile")
TAGS = {"general": [*GENERAL], "copyright": ["a_series"], "character": ["kaede,_the_fox"]}
FLAT = [name for names in TAGS.values() for name in names]


def texts(prefix: str, separator: str) -> dict[str, object]:
    return {f"{prefix}{name}": separator.join(names) for name, names in TAGS.items()}


def lists(prefix: str) -> dict[str, object]:
    return {f"{prefix}{name}": names for name, names in TAGS.items()}


OBJECTS = [
    {"name": name, "category": str(number)}
    for number, category in CATEGORIES.items()
    for name in TAGS[category]
]
FORMS = {
    "Danbooru2018": {"tags": OBJECTS},
    "Danbooru today": texts("tag_string_", " "),
    "lists": lists("tag_string_"),
    "gallery-dl": texts("tag_string_", " ") | lists("tags_") | {"tags": FLAT, "tag_string": "x"},
    "gallery-dl, tags in a text": texts("tag_string_", " ") | {"tags": " ".join(FLAT)},
    "lists alone": lists("tags_"),
    "texts alone": texts("tags_", " "),
    "columns named by category": lists(""),
    "with commas": texts("", ", "),
    "with commas and no blanks": texts("", ","),
    "names with blanks": texts("", ", ") | {"general": "long hair, smile"},
    "within tags": {"tags": TAGS},
    "an empty list beside texts": texts("tag_string_", " ") | {"tags": []},
    "null beside texts": texts("tag_string_", " ") | {"tags": None, "general": None},
}


def read(*paths: Path) -> Posts:
    folder = paths[0].with_name(f"parts of {paths[0].name}")
    folder.mkdir(parents=True)
    return read_posts(paths, folder, 1.0)


def tags_of(row: dict[str, object]) -> dict[str, object]:
    return {name: row[column(number)] for number, name in CATEGORIES.items()}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_tags_are_found_in_every_form_of_json_and_parquet(tmp_path, form) -> None:
    written = write(tmp_path / "a.json", POST | form)
    pl.DataFrame([POST | form], strict=False).write_parquet(tmp_path / "a.parquet")
    for path in (written, tmp_path / "a.parquet"):
        (row,) = rows(read(path))
        assert tags_of(row) == TAGS


@pytest.mark.parametrize("field", ["tags", "tag_string"])
@pytest.mark.parametrize("value", [FLAT, " ".join(FLAT), ", ".join(FLAT)])
def test_tags_without_categories_are_general_ones_and_remarked(tmp_path, field, value) -> None:
    posts = read(write(tmp_path / "a", POST | {field: value}))
    assert tags_of(*rows(posts)) == {"general": FLAT, "copyright": [], "character": []}
    assert problems(posts) == [("a", 1, "no_categories")]


@pytest.mark.parametrize(
    "form",
    [
        {"tags": [["a"]]},
        {"tags": [{"name": [], "category": "0"}]},
        {"tags": ["a", {"name": "b", "category": "0"}]},
        {"tag_string_general": {}},
        {"tag_string_general": [5]},
        {"general": [None]},
    ],
)
def test_tags_of_another_type_set_the_post_aside(tmp_path, form) -> None:
    posts = read(write(tmp_path / "a", POST | form, NEW))
    assert problems(posts) == [("a", 1, "bad_tags")]
    assert [row["id"] for row in rows(posts)] == [6]


NEW = {"id": 6, "tag_string_general": "a"}
FLAGS = {
    True: [True, 1, 1.0, "1", "true", "True", "t"],
    False: [False, 0, 0.0, "0", "false", "f"],
    None: [None, "", float("nan")],
}


@pytest.mark.parametrize(
    ("flag", "written"), [(flag, one) for flag, several in FLAGS.items() for one in several]
)
def test_flags_are_read_as_databases_write_them(tmp_path, flag, written) -> None:
    post = NEW | {"is_banned": written}
    path = write(tmp_path / "a.json", post)
    pl.DataFrame([post]).write_parquet(tmp_path / "a.parquet")
    for one in (path, tmp_path / "a.parquet"):
        (row,) = rows(read(one))
        assert row["is_banned"] is flag


@pytest.mark.parametrize("field", ["is_pending", "is_flagged", "is_deleted", "is_banned"])
@pytest.mark.parametrize("value", [2, "maybe", [], -1])
def test_a_flag_that_is_none_is_named(tmp_path, field, value) -> None:
    posts = read(write(tmp_path / "a", NEW | {field: value}))
    assert problems(posts) == [("a", 1, "bad_flag")]


@pytest.mark.parametrize(
    ("field", "problem"),
    {
        "id": "bad_id",
        "file_ext": "bad_extension",
        "image_width": "bad_size",
        "rating": "bad_rating",
    }.items(),
)
def test_a_field_that_is_a_list_is_named_by_its_problem(tmp_path, field, problem) -> None:
    posts = read(write(tmp_path / "a", NEW | {field: [5]}))
    assert problems(posts) == [("a", 1, problem)]


def test_numbers_may_be_floats_as_pandas_writes_columns_with_holes(tmp_path) -> None:
    post = NEW | {"id": 6.0, "image_width": 850.0, "image_height": float("nan")}
    (row,) = rows(read(write(tmp_path / "a", post)))
    assert (row["id"], row["image_width"], row["image_height"]) == (6, 850, None)


@pytest.mark.parametrize("own", [{}, {"file_ext": None, "image_width": None}])
def test_what_a_post_lacks_is_looked_for_in_its_media_asset(tmp_path, own) -> None:
    asset = {"file_ext": "png", "image_width": 850, "image_height": 1200}
    path = write(tmp_path / "a", NEW | {"media_asset": asset} | own)
    (row,) = rows(read(path))
    assert asset.items() <= row.items()


def test_columns_of_parquet_may_be_null_throughout(tmp_path) -> None:
    empty = ("is_banned", "tags", "general", "media_asset", "tag_string_character", "rating")
    post = NEW | {"tag_string_copyright": "b"} | dict.fromkeys(empty)
    pl.DataFrame([post]).write_parquet(tmp_path / "a")
    (row,) = rows(read(tmp_path / "a"))
    assert tags_of(row) == {"general": ["a"], "copyright": ["b"], "character": []}
    assert row["is_banned"] is None


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Binary, pl.Enum(["a"])])
def test_texts_of_parquet_may_be_of_any_type_of_text(tmp_path, kind) -> None:
    table = pl.DataFrame([NEW]).cast({"tag_string_general": kind})
    table.write_parquet(tmp_path / "a")
    (row,) = rows(read(tmp_path / "a"))
    assert row["tags_cat0"] == ["a"]


# Whatever the values, no row is lost

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats()
    | st.sampled_from(["", "a b", "5", "g", "1"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "category", "general", "file_ext"]), inner)
    ),
    max_leaves=5,
)
FIELDS = [
    "tags",
    "tag_string",
    "media_asset",
    "rating",
    "image_width",
    "is_banned",
    "file_ext",
    "md5",
]
TAG_FIELDS = [f"{prefix}{name}" for prefix in ("tag_string_", "tags_", "") for name in TAGS]
POSTS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(0, 30)}, optional=dict.fromkeys([*FIELDS, *TAG_FIELDS], VALUES)
    ),
    min_size=1,
    max_size=8,
)
REMARKS = {"no_categories", "unknown_category", "unnamed_tag"}


@settings(max_examples=25)
@given(POSTS, st.booleans())
def test_rows_in_are_posts_out_and_counted_bad_rows(tmp_path_factory, posts, array) -> None:
    folder = tmp_path_factory.mktemp("posts")
    path = folder / "a.json"
    path.write_text(json.dumps(posts) if array else "\n".join(map(json.dumps, posts)))
    found = read(path)
    bad = [problem for _, _, problem in problems(found) if problem not in REMARKS]
    assert len(rows(found)) + len(bad) == len(posts)
    keys = pl.Series(["5", "6"])
    known = read_metadata([path], keys, 1.0)
    of_files = known.known.collect().height + known.bad_rows.height
    unwanted = sum(post["id"] not in {5, 6} for post in posts)
    assert of_files <= len(posts) <= of_files + unwanted


def test_posts_of_many_texts_that_share_a_line_number_are_compared_by_their_ids(tmp_path) -> None:
    for number in range(9):
        write(tmp_path / "d" / f"{number}.json", NEW | {"id": number // 2})
    found = read(tmp_path / "d")
    assert [row["id"] for row in rows(found)] == [0, 1, 2, 3, 4]
    assert problems(found) == [(f"{number}.json", 1, "duplicate_id") for number in (1, 3, 5, 7)]


def test_a_path_may_be_anything(tmp_path) -> None:
    output = tmp_path / "a[1],{b}*"
    output.mkdir()
    assert rows(read(write(output / "x,y.json", NEW)))[0]["id"] == 6
