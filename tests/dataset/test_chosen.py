"""Lists of images to take and to leave out, in every form that they may have."""

import gzip

import polars as pl
import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Notice
from dafre_fast.dataset.chosen import ALL, Lists, read_chosen

MANIFEST = pl.LazyFrame(
    {"id": [5, 12, 13, 100_000_000_000_000_001], "key": ["5", "cat,1.jpg", "ü b", "a/b.png"]}
)
WITHOUT_KEYS = MANIFEST.drop("key")


def chosen(path, manifest=WITHOUT_KEYS, **lists) -> tuple[list[int], list[str]]:
    """Return the ids of a list of images to take, and what is told."""
    told = list[str]()

    def tell(event: object) -> None:
        assert isinstance(event, Notice)
        told.append(event.text.removeprefix(f"{path}: "))

    only = read_chosen(Lists(only=path, **lists), manifest, tell).only
    assert only is not None
    return only.to_list(), told


@pytest.mark.parametrize(
    "text",
    [
        "id\n12\n5\n",
        "\ufeffid,mark\r\n12,wrong head\r\n 5 ,not safe\r\n12,again\r\n",
        '"ID"\t"why"\n12\tx\n5\ty\n',
        "why,key,id\nx,ü b,12\ny,,5\n",
        "12\n\n5\n12",
        "key\n12\n5\n",
    ],
)
def test_a_list_is_a_table_with_ids_or_plain_lines(tmp_path, text) -> None:
    path = tmp_path / "list"
    path.write_text(text, newline="")
    assert chosen(path) == ([12, 5], [])
    path.write_bytes(gzip.compress(text.encode()))
    assert chosen(path) == ([12, 5], [])


def test_a_list_may_be_parquet(tmp_path) -> None:
    pl.DataFrame({"id": [12, 5, 12]}).write_parquet(tmp_path / "list")
    assert chosen(tmp_path / "list") == ([12, 5], [])


@pytest.mark.parametrize("text", ["key\na/b.png\nü b\n5\n", "a/b.png\nü b\n5\n"])
def test_keys_of_a_table_of_addresses_name_images_too(tmp_path, text) -> None:
    (tmp_path / "list").write_text(text)
    assert chosen(tmp_path / "list", MANIFEST) == ([100_000_000_000_000_001, 13, 5], [])


def test_images_that_the_dataset_does_not_have_are_counted_and_one_is_named(tmp_path) -> None:
    (tmp_path / "list").write_text("12\n77\nnobody\n77\n")
    assert chosen(tmp_path / "list") == (
        [12],
        ["2 of 3 images are not in the dataset, such as 77"],
    )


def test_a_list_of_a_part_of_a_dataset_may_name_others(tmp_path) -> None:
    (tmp_path / "list").write_text("77\n")
    found = read_chosen(Lists(exclude=tmp_path / "list"), MANIFEST, whole=False)
    assert found.exclude.to_list() == []


@pytest.mark.parametrize("text", ["", "id\n", "\n\n"])
def test_an_empty_list_is_said_to_be_so(tmp_path, text) -> None:
    (tmp_path / "list").write_text(text)
    assert chosen(tmp_path / "list") == ([], ["lists no image"])


def test_marks_choose_rows_of_the_lists_that_have_marks(tmp_path) -> None:
    (tmp_path / "marks").write_text("id,mark\n12,wrong head\n5,Not safe\n13,wrong head\n")
    (tmp_path / "plain").write_text("5\n13\n")
    assert chosen(tmp_path / "marks", mark=("wrong_head",))[0] == [12, 13]
    assert chosen(tmp_path / "marks", mark=("not safe", "wrong head"))[0] == [12, 5, 13]
    lists = Lists(tmp_path / "plain", tmp_path / "marks", ("wrong head",))
    found = MANIFEST.filter(read_chosen(lists, MANIFEST).stays)
    assert found.collect()["id"].to_list() == [5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,mark\n12,a\n5,b\n", "list: has no mark c, but a, b"),
        ("id\n12\n", "list: has no mark c, but none"),
    ],
)
def test_a_mark_that_no_row_has_is_refused_with_those_that_are_there(tmp_path, text, said) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(UsageError, match=said):
        chosen(tmp_path / "list", mark=("c",))


def test_a_mark_without_a_list_is_refused() -> None:
    with pytest.raises(UsageError, match="--mark: no list is given"):
        read_chosen(Lists(mark=("a",)), MANIFEST)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"id,why\n5,x\n,y\n", "line 3: None is no id"),
        (b"id\n5\n1.5\n", "line 3: '1.5' is no id"),
        (b"id\n5\n-3\n", "line 3: '-3' is no id"),
        (b"key,x\n,5\n", "line 2: None is no key"),
        (b"name,why\n5,x\n", "has no column id or key, but name, why"),
        (b'id,why\n5,"x\n', "is no CSV file"),
        (b"id,why\n5,x,y\n", "is no CSV file"),
        (b"PAR1 and no more", "is a damaged Parquet file"),
        (b"PK\3\4", "is a zip archive or a spreadsheet"),
        (b"\xff\xfe5\0", "is UTF-16 text"),
        (b"\x1f\x8bnothing", "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_is_named_with_the_line(tmp_path, data, said) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(InputError, match=said):
        chosen(tmp_path / "list")


def test_a_list_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="nowhere: No such file"):
        chosen(tmp_path / "nowhere")


def test_without_lists_all_images_stay() -> None:
    assert MANIFEST.filter(read_chosen(ALL, MANIFEST).stays).collect().height == 4
