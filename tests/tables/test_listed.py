"""A table of addresses as a catalogue."""

from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.settings.tables import AnyTable, Selection, Splitting
from dafre_fast.tables import listed as module
from dafre_fast.tables.listed import KEY, Listed, read_listed, resolved

SHARES = Splitting()


@pytest.fixture
def read(tmp_path):
    def read(text: str, base: str | None = None, **settings: object) -> Listed:
        path = tmp_path / "table.csv"
        path.write_text(text)
        columns = {name: settings.pop(name) for name in [*settings] if name.endswith("columns")}
        columns |= {name: settings.pop(name) for name in [*settings] if name.endswith("column")}
        splitting = settings.pop("splitting", SHARES)
        chosen = {"min_images": 1, "max_bad_rows": 1.0} | settings
        rules = AnyTable(**columns), Selection(**chosen), splitting
        return read_listed(path, *rules, ["status", "width", "id"], base)

    return read


def kept(listed: Listed) -> pl.DataFrame:
    return listed.catalogue.kept


def bad(listed: Listed) -> dict[int, str]:
    return dict(listed.catalogue.bad_rows.select("line", "problem").iter_rows())


def test_a_row_has_all_that_the_dataset_needs(read) -> None:
    found = read(
        "url,key,class,split,left,top,right,bottom,md5\n"
        "https://h/a.PNG?x=1,7,cat,test,0.25,0.5,0.75,1," + "A" * 32 + "\n"
    )
    assert kept(found).rows(named=True) == [
        {
            "id": 7,
            "path": "0007/7.jpg",
            "tag_id": None,
            "class_id": 0,
            "class_name": "cat",
            "split": "test",
            "left": 0.25,
            "top": 0.5,
            "right": 0.75,
            "bottom": 1.0,
            "confidence": None,
            KEY: "7",
        }
    ]
    assert found.originals.rows() == [("7", "https://h/a.PNG?x=1", "png", "a" * 32)]
    assert (found.has_classes, found.has_boxes) == (True, True)


def test_without_classes_and_splits_all_rows_are_training_images_in_their_order(read) -> None:
    rows = kept(read("url,key\nhttp://h/2,2\nhttp://h/1,1\n"))
    assert rows["id"].to_list() == [2, 1]
    assert rows["split"].to_list() == ["train", "train"]
    assert rows["class_id"].to_list() == [None, None]


def test_without_keys_addresses_are_keys_and_their_secrets_are_not_shown(read) -> None:
    rows = kept(read("url\nhttp://user:word@h/1?token=abc\nhttp://user:word@h/1?token=abd\n"))
    assert rows["id"].n_unique() == 2
    assert rows[KEY].to_list() == ["http://h/1?token=***"] * 2


def test_columns_are_found_by_their_usual_names_in_any_case(read) -> None:
    rows = kept(read("URL,TEXT,Label\nhttp://h/1,a dog,dog\n"))
    assert rows.select("caption", "class_name").row(0) == ("a dog", "dog")


def test_columns_are_taken_by_name(read) -> None:
    found = read(
        "url,where,who,kind,part,l,t,r,b,sum,about\n"
        f"x,http://h/1,me,dog,val,0,0,1,1,{'0' * 32},text\n",
        url_column="where",
        key_column="who",
        class_column="kind",
        split_column="part",
        box_columns=("l", "t", "r", "b"),
        md5_column="sum",
        caption_column="about",
    )
    row = kept(found).row(0, named=True)
    assert [row[name] for name in (KEY, "class_name", "split", "right", "caption", "url")] == [
        *("me", "dog", "val", 1.0, "text", "x")
    ]
    assert found.originals.row(0)[1:] == ("http://h/1", "jpg", "0" * 32)


def test_further_columns_are_kept_as_numbers_or_text(read) -> None:
    rows = kept(read("url,n,f,zip,mixed\nhttp://h/1,1,0.5,007,1\nhttp://h/2,,2,008,x\n"))
    assert rows.select("n", "f", "zip", "mixed").rows() == [
        (1, 0.5, "007", "1"),
        (None, 2.0, "008", "x"),
    ]


def test_a_column_that_a_manifest_has_itself_is_renamed(read) -> None:
    rows = kept(read("url,STATUS,width,a_sha256\nhttp://h/1,200,5,x\n"))
    assert rows.columns[-3:] == ["table_STATUS", "table_width", "table_a_sha256"]


def test_classes_are_numbered_by_name_or_as_numbers(read) -> None:
    names = kept(read("url,class\nhttp://h/1,b\nhttp://h/2,a\n"))
    assert names.select("class_name", "class_id").rows() == [("a", 0), ("b", 1)]
    numbers = kept(read("url,class\nhttp://h/1,10\nhttp://h/2,9\n"))
    assert numbers["class_name"].to_list() == ["9", "10"]


def test_small_classes_are_left_out_on_demand(read) -> None:
    text = "url,class\nhttp://h/1,a\nhttp://h/2,b\nhttp://h/3,b\n"
    assert kept(read(text, min_images=2))["class_name"].to_list() == ["b", "b"]
    with pytest.raises(InputError, match="lower --min-images"):
        read(text, min_images=3)


def test_classes_without_splits_are_split_by_shares(read) -> None:
    rows = [f"http://h/{n},a" for n in range(20)]
    splits = kept(read("\n".join(["url,class", *rows])))["split"].value_counts()
    assert dict(splits.iter_rows()) == {"train": 14, "val": 1, "test": 5}


def test_a_split_may_be_drawn(read) -> None:
    rows = [f"http://h/{n}" for n in range(9)]
    drawn = Splitting(split_seed=1, val_images=2, test_images=3)
    splits = kept(read("\n".join(["link,x", *(f"{row},1" for row in rows)]), splitting=drawn))
    assert dict(splits["split"].value_counts().iter_rows()) == {"train": 4, "val": 2, "test": 3}


@pytest.mark.parametrize(
    ("word", "split"), [("Validation", "val"), ("dev", "val"), ("TRAIN", "train")]
)
def test_splits_have_other_names_elsewhere(read, word, split) -> None:
    assert kept(read(f"url,split\nhttp://h/1,{word}\n"))["split"].item() == split


HEADER = "url,key,class,split,left,top,right,bottom,md5\n"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",k,c,train,0,0,1,1,", "bad_address"),
        ("a/b.jpg,k,c,train,0,0,1,1,", "bad_address"),
        ("/etc/passwd,k,c,train,0,0,1,1,", "bad_address"),
        ("file:///etc/passwd,k,c,train,0,0,1,1,", "bad_address"),
        ("javascript:alert(1),k,c,train,0,0,1,1,", "bad_address"),
        ("http://,k,c,train,0,0,1,1,", "bad_address"),
        ("http:///x,k,c,train,0,0,1,1,", "bad_address"),
        ('"http://h/\n1",k,c,train,0,0,1,1,', "bad_address"),
        ("http://h/1,,c,train,0,0,1,1,", "bad_key"),
        ("http://h/1,a\0b,c,train,0,0,1,1,", "bad_key"),
        ('http://h/1,"a\nb",c,train,0,0,1,1,', "bad_key"),
        ("http://h/1,k,,train,0,0,1,1,", "no_class"),
        ('http://h/1,k,"a\nb",train,0,0,1,1,', "bad_name"),
        ("http://h/1,k,c,,0,0,1,1,", "bad_split"),
        ("http://h/1,k,c,some,0,0,1,1,", "bad_split"),
        ("http://h/1,k,c,train,0,0,1,,", "bad_box_columns"),
        ("http://h/1,k,c,train,0,0,1,x,", "bad_box_columns"),
        ("http://h/1,k,c,train,0,0,1,1,123", "bad_md5"),
        ("http://h/0,0,c,train,0,0,1,1,", "duplicate_row"),
        ("http://h/1,0,c,train,0,0,1,1,", "duplicate_key"),
    ],
)
def test_a_bad_row_is_counted_with_its_line_and_costs_no_other(read, row, problem) -> None:
    found = read(f"{HEADER}http://h/0,0,c,train,0,0,1,1,\n{row}\nhttp://h/9,9,c,train,0,0,1,1,\n")
    assert bad(found) == {3: problem}
    assert kept(found)["id"].to_list() == [0, 9]


def test_the_same_address_under_two_keys_is_two_images(read) -> None:
    assert kept(read("url,key\nhttp://h/1,a\nhttp://h/1,b\n")).height == 2


def test_keys_of_one_id_collide_and_the_first_counts(read, monkeypatch) -> None:
    monkeypatch.setattr(module, "ids_of", lambda keys: pl.Series("id", [5] * len(keys)))
    found = read("url,key\nhttp://h/1,a\nhttp://h/2,b\n")
    assert bad(found) == {3: "key_collision"}
    assert kept(found)[KEY].to_list() == ["a"]


def test_too_many_bad_rows_are_refused_with_the_worst(read) -> None:
    with pytest.raises(InputError, match=r"1 of 2 rows are malformed.*bad_address.*line 3"):
        read("url,key\nhttp://h/1,a\n,b\n", max_bad_rows=0.1)


def test_rows_that_are_repeated_do_not_stop_the_run(read):
    listed = read("url,key\nhttp://h/1,a\nhttp://h/1,a\n", max_bad_rows=0.1)
    assert listed.catalogue.kept.height == 1
    assert listed.catalogue.bad_rows["problem"].to_list() == ["duplicate_row"]


def test_a_table_without_addresses_names_its_columns(read) -> None:
    with pytest.raises(InputError, match=r"no column of addresses .* among a, b; name it with"):
        read("a,b\n1,2\n")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"url_column": "ulr"}, "--url-column ulr: .* no such column; did you mean url?"),
        ({"class_column": "zzz"}, "--class-column zzz: .* among url, key"),
        ({"box_columns": ("url",)}, "must be four columns"),
    ],
)
def test_a_column_that_is_not_there_is_a_wrong_use(read, columns, message) -> None:
    with pytest.raises(UsageError, match=message):
        read("url,key\nhttp://h/1,a\n", **columns)


@pytest.mark.parametrize(
    ("address", "base", "result"),
    [
        ("HTTPS://H/a b", None, "https://H/a b"),
        ("s3://bucket/x", None, "s3://bucket/x"),
        ("gs://bucket/x", "folder", "gs://bucket/x"),
        ("a/b.jpg", "https://h/x/", "https://h/x/a/b.jpg"),
        ("../b.jpg", "https://h/x/", None),
        ("/b.jpg", "https://h/x/", None),
        ("a/b.jpg", "folder", "folder/a/b.jpg"),
        ("a/../b.jpg", "folder", "folder/b.jpg"),
        ("../b.jpg", "folder", None),
        ("a/b.jpg", ".", "a/b.jpg"),
        ("../b.jpg", ".", None),
        ("b.jpg", "..", "../b.jpg"),
        ("../b.jpg", "..", None),
        ("/other/b.jpg", "/folder", None),
        ("/folder/b.jpg", "/folder", "/folder/b.jpg"),
        (".", "folder", None),
        ("ftp://h/x", "folder", None),
        ("", "folder", None),
    ],
)
def test_an_address_is_taken_as_it_is_or_below_the_base(address, base, result) -> None:
    assert resolved(address, base) == result


def test_the_first_rows_keep_the_classes_and_splits_of_all(read) -> None:
    text = "url,class\n" + "".join(f"http://h/{n},{'ab'[n % 2]}\n" for n in range(40))
    every = kept(read(text))
    some = kept(read(text, limit=7))
    assert some.height == 7
    assert some.equals(every.join(some.select("id"), on="id", how="semi", maintain_order="left"))


def test_a_left_out_file_name_is_no_address(read, tmp_path: Path) -> None:
    found = read("file_name\nx/1.jpg\n", base=str(tmp_path))
    assert found.originals["name"].item() == str(tmp_path / "x/1.jpg")
