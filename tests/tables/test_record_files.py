import json
import os
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.tables.posts import tells_tags
from dafre_fast.tables.record_files import Table, tables_of
from tests.tables.archives import tar
from tests.tables.test_post_shape import NEW, read
from tests.tables.test_posts import problems, rows, write


def put(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def found(*paths: Path) -> list[str]:
    """Names of the files of all tables."""
    return [file.name for table in tables_of(paths) for file in table.files]


LINES = json.dumps(NEW) + "\n" + json.dumps(NEW | {"id": 7}) + "\n"


def test_of_a_data_set_of_the_hub_only_its_tables_are_metadata(tmp_path) -> None:
    others = {
        "README.md": "[![of](a)](dataset)\n```json\n{}\n```",
        ".gitattributes": "*.parquet filter=lfs",
        "LICENSE": "MIT",
        "dataset_infos.json": '{"default": {}}',
        "load.py": "import datasets",
        "preview.png": b"\x89PNG\r\n\x1a\n",
        "sums.sha256": "00 a",
        "_SUCCESS": "",
        ".cache/huggingface/state.json": "{}",
        "images.tar": tar(("1.jpg", b"\xff\xd8\xff"), ("2.png", b"\x89PNG")),
    }
    put(tmp_path, **others)
    (tmp_path / "data").mkdir()
    for number in range(2):
        pl.DataFrame([NEW]).write_parquet(tmp_path / f"data/train-0000{number}-of-00002.parquet")
    assert found(tmp_path) == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("2018000000000003", "damaged\n" + LINES),
        ("posts.jsonl", "damaged\n" + LINES),
        ("posts.parquet", "version https://git-lfs.github.com/spec/v1\n"),
        ("posts.JSON.gz", b"\x1f\x8b"),
        ("posts.json.tar.xz", b""),
        ("posts.txt", LINES),
        ("posts", f"[{LINES.strip()}]"),
        ("posts.tar", tar(("README", b"Posts"), ("posts", LINES.encode()))),
    ],
)
def test_a_file_of_a_folder_that_is_named_or_begins_like_metadata_is_some(
    tmp_path, name, content
) -> None:
    put(tmp_path, **{name: content, "README.md": "# Posts"})
    assert found(tmp_path) == [name]


def test_a_folder_without_metadata_is_refused_and_says_what_it_has(tmp_path) -> None:
    put(tmp_path, **{"README.md": "#", "a.png": "", "b.py": "", "c.md": ""})
    with pytest.raises(
        InputError, match=r"holds no metadata.*\(it has README.md, a.png, b.py, …\)"
    ):
        tables_of([tmp_path])


def test_links_of_a_folder_are_followed_but_not_in_circles(tmp_path) -> None:
    put(tmp_path / "elsewhere", **{"a.json": LINES})
    (tmp_path / "given").mkdir()
    (tmp_path / "given/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/round").symlink_to(tmp_path / "given")
    (tmp_path / "given/gone.json").symlink_to(tmp_path / "nowhere")
    assert found(tmp_path / "given") == ["a.json"]


def test_what_is_no_file_is_left_out_of_a_folder(tmp_path) -> None:
    put(tmp_path, **{"a.json": LINES})
    os.mkfifo(tmp_path / "b.json")
    assert found(tmp_path) == ["a.json"]


def sidecars(folder: Path, number: int, indent: int | None) -> None:
    """As gallery-dl writes: a picture, and its metadata beside it."""
    for one in range(number):
        text = json.dumps(NEW | {"id": one, "tags": ["a"]}, indent=indent, sort_keys=True)
        put(folder, **{f"{one}.jpg": b"\xff\xd8\xff", f"{one}.jpg.json": text})


@pytest.mark.parametrize("indent", [None, 4])
def test_a_folder_with_a_file_for_each_picture_is_one_table(tmp_path, indent) -> None:
    sidecars(tmp_path / "d", 9, indent)
    assert tables_of([tmp_path / "d"]) == [
        Table(tmp_path / "d", [tmp_path / f"d/{one}.jpg.json" for one in range(9)])
    ]
    assert [row["id"] for row in rows(read(tmp_path / "d"))] == [*range(9)]


def test_files_given_one_by_one_are_the_same_table(tmp_path) -> None:
    sidecars(tmp_path / "d", 3, 4)
    files = sorted((tmp_path / "d").glob("*.json"))
    assert tables_of(files) == tables_of([tmp_path / "d"])


def test_damaged_and_empty_files_of_many_are_bad_rows_of_their_folder(tmp_path) -> None:
    sidecars(tmp_path / "d", 9, 4)
    put(tmp_path / "d", **{"x.json": '{\n  "id": 1,\n  "x": [', "y.json": "", "z.json": " \n"})
    posts = read(tmp_path / "d")
    assert problems(posts) == [(f"{name}.json", 1, "bad_json") for name in "xyz"]
    assert len(rows(posts)) == 9


def test_files_of_several_records_are_tables_of_their_own(tmp_path) -> None:
    put(tmp_path, **{"a.json": LINES, "b.json": f"[{json.dumps(NEW)}]", "c.json": LINES})
    assert [len(table.files) for table in tables_of([tmp_path])] == [1, 1, 1]


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.json: No such file"):
        tables_of([tmp_path / "none.json"])


@pytest.mark.parametrize(
    ("post", "tells"),
    [
        (NEW, True),
        ({"id": 5, "tags": []}, True),
        ({"id": 5, "general": []}, True),
        ({"id": 5, "tags": [{"name": "a"}]}, True),
        ({"id": 5}, False),
        ({"id": 5, "tags": "a b"}, False),
        ({"id": 5, "tags": [5]}, False),
    ],
)
def test_a_table_tells_tags_if_any_post_has_some_in_categories(tmp_path, post, tells) -> None:
    path = write(tmp_path / "a", {"id": 6}, post)
    assert tells_tags(Table(path, [path])) is tells
