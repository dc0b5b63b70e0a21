import ast
import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.stats.tagged import Tagged, _parse_lists, read_tagged
from tests.tables.archives import tar

HEADER = "id,dir,class_id,tags_cat0,tags_cat3,tags_cat4"
LISTS = "\"['1 girl', 'solo']\",[],\"['miku']\""
ROW = f"5,0005/5.jpg,0,{LISTS}"
READ = {
    "id": 5,
    "file_ext": None,
    "image_width": None,
    "image_height": None,
    "class_id": 0,
    "tags_cat0": ["1 girl", "solo"],
    "tags_cat3": [],
    "tags_cat4": ["miku"],
}


def table(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("".join(f"{row}\n" for row in (header, *rows)))
    return path


def read(*paths: Path, at_most: float = 1.0) -> Tagged:
    return read_tagged(paths, at_most, paths[0].parent / "scratch")


def rows(*paths: Path) -> list[dict[str, object]]:
    return read(*paths).rows.sort("id").collect().to_dicts()


def parse(texts: list[str]) -> list[list[str] | None]:
    column = pl.Series("text", texts, pl.String).to_frame()
    return column.select(_parse_lists(pl.col("text"))).to_series().to_list()


def problems(*paths: Path) -> list[tuple[str, int, str]]:
    return read(*paths).bad_rows.rows()


def test_a_table_in_the_published_format_is_read(tmp_path) -> None:
    assert rows(table(tmp_path / "val_tags.csv", ROW)) == [READ]


def test_columns_are_found_by_name_and_may_be_missing(tmp_path) -> None:
    path = table(tmp_path / "a.csv", "[],JPG,5", header="tags_cat3,file_ext,id")
    unknown = dict.fromkeys(READ)
    assert rows(path) == [unknown | {"id": 5, "file_ext": "jpg", "tags_cat3": []}]


def test_numbers_may_be_floats_as_pandas_writes_a_column_with_holes(tmp_path) -> None:
    header = "id,image_width,image_height,class_id,tags_cat0"
    path = table(tmp_path / "a.csv", "5,800.0,600.0,,[]", header=header)
    (found,) = rows(path)
    assert (found["image_width"], found["image_height"], found["class_id"]) == (800, 600, None)


def test_parquet_has_lists_or_their_text(tmp_path) -> None:
    known = {name: value for name, value in READ.items() if value is not None}
    pl.DataFrame([known]).write_parquet(tmp_path / "lists.parquet")
    texts = {name: str(value) if "tags" in name else value for name, value in known.items()}
    pl.DataFrame([texts]).write_parquet(tmp_path / "texts")
    assert rows(tmp_path / "lists.parquet") == rows(tmp_path / "texts") == [READ]


def test_metadata_as_parquet_has_tags_separated_by_spaces(tmp_path) -> None:
    post = {
        "id": 5,
        "file_ext": "png",
        "image_width": 850,
        "image_height": 1200,
        "tag_string_general": "1girl solo",
        "tag_string_copyright": "",
        "tag_string_character": None,
    }
    schema = {"tag_string_character": pl.String}
    pl.DataFrame([post], schema_overrides=schema).write_parquet(tmp_path / "a.parquet")
    sizes = {"file_ext": "png", "image_width": 850, "image_height": 1200, "class_id": None}
    tags = {"tags_cat0": ["1girl", "solo"], "tags_cat3": [], "tags_cat4": []}
    assert rows(tmp_path / "a.parquet") == [{"id": 5, **sizes, **tags}]


def test_several_tables_are_read_as_one(tmp_path) -> None:
    one = table(tmp_path / "train_tags.csv", ROW)
    other = table(tmp_path / "val_tags.csv", f"6{ROW[1:]}")
    assert rows(one, other) == [READ, READ | {"id": 6}]


BAD = {
    "extra_columns": [f"{ROW},more", f"{ROW},,more,more"],
    "bad_id": [f"{number}{ROW[1:]}" for number in ("", "x", "-5", "5.5", "1" * 19)],
    "bad_tags": [
        f"5,,0,{text},[],[]" for text in ("", "solo", "\"['solo'\"", "[1]", "()", "['\\ud800']")
    ]
    + ["5", "5,,0,[],[]"],
    "bad_class_id": [f"5,,{number},{LISTS}" for number in ("x", "-1", "1.5")],
}


@pytest.mark.parametrize(
    ("problem", "row"), [(problem, row) for problem, rows in BAD.items() for row in rows]
)
def test_a_row_that_cannot_be_read_is_set_aside_with_file_row_and_problem(
    tmp_path, problem, row
) -> None:
    path = table(tmp_path / "a.csv", f"6{ROW[1:]}", row)
    assert problems(path) == [("a.csv", 2, problem)]
    assert rows(path) == [READ | {"id": 6}]


@pytest.mark.parametrize("size", ["0", "-1", "wide", "1.5"])
def test_a_size_that_is_not_a_positive_number_is_a_problem(tmp_path, size) -> None:
    path = table(
        tmp_path / "a.csv",
        f"5,{size},9,[]",
        f"6,9,{size},[]",
        "7,9,9,[]",
        header="id,image_width,image_height,tags_cat0",
    )
    assert problems(path) == [("a.csv", 1, "bad_size"), ("a.csv", 2, "bad_size")]


def test_a_malformed_extension_is_a_problem(tmp_path) -> None:
    path = table(
        tmp_path / "a.csv", "5,.jpg,[]", "6,JPG,[]", "7,,[]", header="id,file_ext,tags_cat0"
    )
    assert problems(path) == [("a.csv", 1, "bad_extension")]
    assert [row["file_ext"] for row in rows(path)] == ["jpg", None]


def test_bytes_that_are_not_utf_8_are_bad_tags(tmp_path) -> None:
    path = table(tmp_path / "a.csv", f"6{ROW[1:]}")
    with path.open("ab") as file:
        file.write(b"5,\xff,0,\"['\xff']\",[],[]\n7,\xff,0,[],[],[]\n")
    assert problems(path) == [("a.csv", 2, "bad_tags")]


def test_rows_are_numbered_even_if_earlier_ones_span_several_lines(tmp_path) -> None:
    path = table(tmp_path / "a.csv", ROW, '6,"a\nb",0,[],[],[]', "7,,0,\"['a\nb']\",[],[]", "x")
    assert problems(path) == [("a.csv", 3, "bad_tags"), ("a.csv", 4, "bad_id")]


def test_the_first_good_row_of_an_image_counts_across_tables(tmp_path) -> None:
    one = table(tmp_path / "one", "5,,0,broken,[],[]", ROW, "5,,1,[],[],[]")
    other = table(tmp_path / "other", ROW, f"6{ROW[1:]}")
    assert rows(one, other) == [READ, READ | {"id": 6}]
    assert problems(one, other) == [
        ("one", 1, "bad_tags"),
        ("one", 3, "duplicate_id"),
        ("other", 1, "duplicate_id"),
    ]


def test_a_list_with_a_null_is_a_bad_row_of_parquet(tmp_path) -> None:
    kind = pl.List(pl.String)
    tags = pl.Series([["a"], ["b", None], None], dtype=kind)
    pl.DataFrame({"id": [1, 2, 3], "tags_cat0": tags}).write_parquet(tmp_path / "a.parquet")
    expected = [("a.parquet", 2, "bad_tags"), ("a.parquet", 3, "bad_tags")]
    assert problems(tmp_path / "a.parquet") == expected
    assert [row["id"] for row in rows(tmp_path / "a.parquet")] == [1]


def test_more_bad_rows_than_allowed_are_an_error_that_names_the_worst(tmp_path) -> None:
    path = table(tmp_path / "a.csv", ROW, "6,,0,[,[],[]", "7,,0,],[],[]")
    assert read(path, at_most=2 / 3).rows.collect().height == 1
    with pytest.raises(InputError, match=r"a\.csv: 2 of 3 rows.*bad_tags, first in line 2"):
        read(path, at_most=0.6)


def write_parquet_of_numbers(path: Path) -> None:
    pl.DataFrame({"id": [5], "tags_cat0": [5]}).write_parquet(path)


def write_cut_parquet(path: Path) -> None:
    pl.DataFrame({"id": [5], "tags_cat0": [["a"]]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])


def write_parquet_with_damage(path: Path) -> None:
    """Write Parquet with damage in its first column of values, which is read last."""
    rows = pl.DataFrame({"file_ext": ["jpg", "png"] * 500, "id": range(1000)})
    rows.with_columns(tags_cat0=["a"]).write_parquet(path, compression="uncompressed")
    data = bytearray(path.read_bytes())
    data[4:40] = b"\xff" * 36
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (Path.touch, "is empty"),
        (lambda path: path.write_text("\n \n"), "is empty"),
        (Path.mkdir, "holds no files"),
        (table, "has no rows"),
        (lambda path: table(path, "", ""), "has no rows"),
        (lambda path: table(path, "5,,0,x,[],[]"), "none of its 1 rows is good"),
        (lambda path: table(path, "5", header="dir"), "has no column id"),
        (lambda path: table(path, "5,x", header="id,dir"), "none of the columns"),
        (lambda path: table(path, f'{ROW}\n6,"'), "a quoted field does not end"),
        (lambda path: path.write_text("<html>"), "is an HTML page"),
        (lambda path: path.write_bytes(b"\x1f\x8b0"), "cannot be read"),
        (write_parquet_of_numbers, "its column tags_cat0 holds neither"),
        (write_cut_parquet, "cannot be read"),
        (write_parquet_with_damage, "cannot be read"),
        (Path.exists, "No such file"),
    ],
)
def test_a_file_that_is_not_such_a_table_is_refused_by_name_in_one_line(
    tmp_path, write, named
) -> None:
    write(tmp_path / "table")
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / 'table'))}: .*{named}") as no:
        read(tmp_path / "table")
    assert "\n" not in str(no.value)


def test_many_rows_are_read_in_batches_with_the_same_result(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.stats.tagged._BATCH_ROWS", 3)
    path = table(tmp_path / "a.csv", *(f"{number}{ROW[1:]}" for number in range(20)), "x")
    assert rows(path) == [READ | {"id": number} for number in range(20)]
    assert problems(path) == [("a.csv", 21, "bad_id")]


NAMES = st.one_of(
    st.sampled_from(
        ["1 girl", "chevalier d'eon", '"nene"', "\\o/", "', '", "a\nb", "初音ミク", ""]
    ),
    st.text(
        st.characters(codec="utf-8", exclude_characters="\N{REPLACEMENT CHARACTER}"), max_size=5
    ),
)


@given(st.lists(st.lists(NAMES, max_size=5), min_size=1, max_size=8))
@example([["a'b", '"'], ["', '"], ['"', "'"], ["\\"], ["'\""]])
def test_lists_are_read_as_python_writes_them(lists) -> None:
    assert parse([str(names) for names in lists]) == lists


def as_json_means(names: list[str]) -> list[str] | None:
    """Return names with pairs of surrogates as one character, or None for an unpaired one."""
    joined = json.loads(json.dumps(names))
    return None if any("\ud800" <= letter <= "\udfff" for letter in "".join(joined)) else joined


@given(st.lists(st.text("a'\\\ud83d\ude00", max_size=4), max_size=4))
@example(["\ud800"])
@example(["\udcff", "solo"])
@example(["\ud83d", "\ude00"])
@example(["a \ud83d\ude00"])
def test_names_with_surrogates_are_read_as_json_reads_them(names) -> None:
    assert parse([str(names), json.dumps(names)]) == [as_json_means(names)] * 2


def test_an_unpaired_surrogate_spoils_only_its_own_row() -> None:
    assert parse(["['a\\n']", "['\\ud800']", "['b\\n']"]) == [["a\n"], None, ["b\n"]]


@given(st.lists(st.text("[]'\", \\ab\n1(){}", max_size=12), min_size=1, max_size=20))
@example(["['a' 'b']", "[ 'a' ]", "['a',]", "['a','b']", '["a"]', "['a'] ", "[['a']]", "[None]"])
@example(["['\\d']", "['a\\\nb']", "[b'a']", "[*'a']", "[" * 300, "['a', b]"])
@pytest.mark.filterwarnings("ignore")
def test_text_is_a_list_of_names_if_python_reads_it_as_one(texts) -> None:
    def model(text: str) -> list[str] | None:
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        names = isinstance(found, list) and all(isinstance(name, str) for name in found)
        return found if names else None

    assert parse(texts) == [model(text) for text in texts]


def test_lists_written_as_json_are_read_too() -> None:
    names = ["a", "初音", "it's", "\N{GRINNING FACE}"]
    assert parse([json.dumps(names)]) == [names]


def test_metadata_as_json_lines_of_both_shapes_is_read(tmp_path) -> None:
    old = {
        "id": "5",
        "file_ext": "PNG",
        "image_width": "850",
        "image_height": "1200",
        "tags": [{"name": "1girl", "category": "0"}, {"name": "cirno", "category": "4"}],
    }
    new = {"id": 6, "tag_string_general": "solo", "tag_string_character": ""}
    text = "".join(json.dumps(one) + "\n" for one in (old, {"id": 7}, new))
    (tmp_path / "plain").write_text(text)
    (tmp_path / "zipped").write_bytes(gzip.compress(text.encode()))
    for name in ("plain", "zipped"):
        table = read_tagged([tmp_path / name], 0.5, tmp_path / "scratch")
        assert table.rows.collect().rows() == [
            (5, "png", 850, 1200, None, ["1girl"], [], ["cirno"]),
            (6, None, None, None, None, ["solo"], [], []),
        ]
        assert table.bad_rows.rows() == [(name, 2, "no_tags")]


def test_metadata_in_its_other_forms_is_read_as_by_tags(tmp_path) -> None:
    posts = [{"id": number, "general": "long hair, smile", "tags": []} for number in range(3)]
    forms = {
        "array.json": json.dumps(posts, indent=2).encode(),
        "posts.tar": tar(*((f"{post['id']}.json", json.dumps(post).encode()) for post in posts)),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
    pl.DataFrame(posts).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "folder").mkdir()
    for post in posts:
        (tmp_path / f"folder/{post['id']}.png.json").write_text(json.dumps(post, indent=4))
    (tmp_path / "folder/3.png.json").write_text("{")
    for name in (*forms, "a.parquet", "folder"):
        table = read_tagged([tmp_path / name], 0.5, tmp_path / "scratch" / name)
        assert table.rows.select("id", "tags_cat0").collect().rows() == [
            (number, ["long_hair", "smile"]) for number in range(3)
        ]
    assert table.bad_rows.rows() == [("3.png.json", 1, "bad_json")]


def test_a_post_with_an_unknown_category_keeps_its_other_tags(tmp_path) -> None:
    tags = [{"name": "1girl", "category": "0"}, {"name": "x", "category": "9"}]
    (tmp_path / "table").write_text(json.dumps({"id": 5, "tags": tags}))
    table = read_tagged([tmp_path / "table"], 1.0, tmp_path / "scratch")
    assert table.rows.collect()["tags_cat0"].to_list() == [["1girl"]]
    assert table.bad_rows.rows() == [("table", 1, "unknown_category")]
