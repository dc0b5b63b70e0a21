"""The whole way from metadata to tables of tags, compared with a plain model."""

import ast
import csv
import json
import lzma
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dafre_fast.core.errors import InputError
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.tags.run import tags
from dafre_fast.tags.settings import TagsRun
from tests.commands import here
from tests.tables.archives import tar
from tests.tag_model import Preparation

OLD = {
    "id": "263167",
    "image_width": "850",
    "image_height": "1200",
    "file_ext": "png",
    "is_pending": False,
    "is_flagged": False,
    "is_deleted": False,
    "is_banned": False,
    "rating": "s",
    "tags": [
        {"id": "1", "name": "1girl", "category": "0"},
        {"id": "2", "name": "long_hair", "category": "0"},
        {"id": "3", "name": "someone", "category": "1"},
        {"id": "4", "name": "fate/grand_order", "category": "3"},
        {"id": "5", "name": "chevalier_d'eon_(fate/grand_order)", "category": "4"},
    ],
}
NEW = {
    "id": 332446,
    "image_width": 850,
    "image_height": 1200,
    "file_ext": "jpg",
    "rating": "g",
    "tag_string_general": "1girl long_hair",
    "tag_string_artist": "someone",
    "tag_string_copyright": "fate/grand_order",
    "tag_string_character": "chevalier_d'eon_(fate/grand_order)",
    "tag_string_meta": "",
}
LABELS = "7,0167/263167.jpg\n8,0446/332446.jpg\n9,0005/5.jpg\n"


def write(path: Path, *records: object) -> Path:
    texts = (one if isinstance(one, str) else json.dumps(one) for one in records)
    path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path / "posts.json", OLD, NEW)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/val.csv").write_text(LABELS)
    return tmp_path


def rows_of(path: Path) -> list[dict[str, object]]:
    """Return the rows of a CSV, with lists read as Python."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    return [
        {key: ast.literal_eval(text) if key != "dir" else text for key, text in row.items()}
        for row in rows
    ]


def test_both_shapes_of_metadata_give_a_table_in_the_published_format(folder) -> None:
    done = here(
        "tags", "--metadata", "posts.json", "--labels", "labels", "--output", "out", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    character = '"[""chevalier d\'eon (fate grand order)""]"'
    lists = f"\"['1 girl', 'long hair']\",['fate grand order'],{character}\n"
    assert (folder / "out/val_tags.csv").read_text() == (
        "id,dir,class_id,tags_cat0,tags_cat3,tags_cat4\n"
        f"263167,0167/263167.jpg,7,{lists}332446,0446/332446.jpg,8,{lists}"
    )
    assert "3 images = 2 tagged + 1 untagged" in done.stdout


def test_metadata_is_read_as_it_is_handed_out(folder) -> None:
    (folder / "given").mkdir()
    text = (folder / "posts.json").read_bytes().splitlines()
    archive = lzma.compress(tar(("metadata/2018", text[0]), ("metadata/2019", text[1])))
    (folder / "given/metadata,of 2018.json.tar.xz").write_bytes(archive)
    (folder / "given/README.md").write_text("# Posts")
    (folder / "posts.json").write_text(json.dumps([OLD, NEW], indent=1))
    for metadata in ("given", "given/metadata,of 2018.json.tar.xz", "posts.json"):
        done = here("tags", "--metadata", metadata, "--output", "out", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert pl.read_parquet(folder / "out/tags.parquet")["id"].to_list() == [263167, 332446]


def test_the_error_for_too_many_bad_records_names_file_line_field_and_what_is_wanted(
    folder,
) -> None:
    write(folder / "posts.json", OLD, NEW | {"is_banned": "maybe"})
    done = here("tags", "--metadata", "posts.json", "--output", "out", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "dafre-fast tags: posts.json: 1 of 2 rows are malformed (at most 1.00% may be); most often"
        " bad_flag, first in line 2: A flag such as is_deleted is not true, false, 1, 0, t, f or"
        " null."
    )


def test_ratings_may_be_words(folder) -> None:
    write(folder / "posts.json", OLD | {"rating": "explicit"}, NEW | {"rating": "general"})
    run = TagsRun(metadata=(folder / "posts.json",), output=folder)
    assert tags(run, TagSteps()).images == 1


def test_parquet_has_the_same_rows_with_lists(folder) -> None:
    tags(
        TagsRun(metadata=(folder / "posts.json",), labels=(folder / "labels",), output=folder),
        TagSteps(),
    )
    table = pl.read_parquet(folder / "val_tags.parquet")
    assert table.schema == {
        "id": pl.Int64,
        "dir": pl.String,
        "class_id": pl.Int64,
        **dict.fromkeys(("tags_cat0", "tags_cat3", "tags_cat4"), pl.List(pl.String)),
    }
    assert table.to_dicts() == rows_of(folder / "val_tags.csv")


def test_an_image_of_the_labels_without_tags_is_listed_with_the_reason(folder) -> None:
    write(folder / "posts.json", OLD | {"is_banned": True}, NEW | {"rating": "q"})
    write(folder / "more.json", NEW | {"id": 1}, NEW | {"id": 2})
    run = TagsRun(
        metadata=(folder / "posts.json", folder / "more.json"),
        labels=(folder / "labels",),
        output=folder / "out",
    )
    summary = tags(run, TagSteps())
    assert (folder / "out/untagged.csv").read_text() == (
        "split,class_id,dir,reason\n"
        "val,7,0167/263167.jpg,flagged\n"
        "val,8,0446/332446.jpg,rating\n"
        "val,9,0005/5.jpg,not_in_metadata\n"
    )
    assert (summary.images, summary.tagged, sum(summary.untagged.values())) == (3, 0, 3)


def test_without_labels_there_is_one_table_of_all_posts(folder) -> None:
    summary = tags(TagsRun(metadata=(folder / "posts.json",), output=folder / "out"), TagSteps())
    found = rows_of(folder / "out/tags.csv")
    assert [(row["id"], row["dir"]) for row in found] == [
        (263167, "0167/263167.jpg"),
        (332446, "0446/332446.jpg"),
    ]
    assert (summary.images, summary.tagged) == (2, 2)


def test_the_vocabulary_maps_words_to_numbers_and_back_most_used_first(folder) -> None:
    more = [NEW | {"id": number, "tag_string_general": "solo smile"} for number in (1, 2)]
    write(folder / "posts.json", *more, NEW | {"tag_string_general": "solo long_hair"})
    tags(TagsRun(metadata=(folder / "posts.json",), output=folder), TagSteps(min_uses=1))
    vocabulary = json.loads((folder / "vocab.json").read_text())
    words = ["[PAD]", "[UNUSED]", "[CLS]", "[SEP]", "[UNK]", "solo", "smile", "long hair"]
    assert vocabulary["index_to_word"] == words
    assert vocabulary["word_to_index"] == {word: index for index, word in enumerate(words)}


def test_existing_and_opened_images_are_those_of_the_manifest(folder) -> None:
    write(folder / "posts.json", *(NEW | {"id": number} for number in (1, 2, 3, 4)))
    manifest = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "status": ["success", "truncated", "not_found"],
            "original_bytes": [5, 5, None],
        }
    )
    manifest.write_parquet(folder / "manifest.parquet")
    run = TagsRun(
        metadata=(folder / "posts.json",), output=folder, manifest=folder / "manifest.parquet"
    )
    for asked, ids in (
        (replace(run, filter_exist=True), [1, 2]),
        (replace(run, filter_opened=True), [1]),
    ):
        tags(asked, TagSteps())
        assert pl.read_parquet(folder / "tags.parquet")["id"].to_list() == ids


@pytest.mark.parametrize(
    "flags",
    [
        ("--filter-exist", "--manifest"),
        ("--labels-first", "--labels"),
        ("--return-less-than", "--remove-short", "--no-remove-short"),
    ],
)
def test_steps_that_lack_an_input_are_refused_by_name(folder, flags) -> None:
    asked, needed, *more = flags
    done = here("tags", "--metadata", "posts.json", asked, *more, cwd=folder)
    assert done.returncode == 2
    assert asked in done.stderr
    assert needed in done.stderr


def test_a_users_word_list_may_have_blank_lines(folder) -> None:
    (folder / "words.txt").write_text("\n long \n\n")
    tags(
        TagsRun(metadata=(folder / "posts.json",), output=folder),
        TagSteps(profanities=folder / "words.txt"),
    )
    assert pl.read_parquet(folder / "tags.parquet")["tags_cat0"].to_list() == [["1 girl"]] * 2


def test_the_error_that_no_post_is_left_lists_the_steps(folder) -> None:
    with pytest.raises(InputError, match=r"nothing is left.*records \(2\).*rated e \(0\)"):
        tags(TagsRun(metadata=(folder / "posts.json",), output=folder), TagSteps(ratings=("e",)))
    assert sorted(path.name for path in folder.iterdir()) == ["labels", "posts.json"]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_metadata_without_records_ends_in_one_line_and_status_2(folder, content) -> None:
    (folder / "posts.json").write_text(content)
    done = here("tags", "--metadata", "posts.json", "--output", "out", cwd=folder)
    assert done.returncode == 2
    assert done.stderr == "dafre-fast tags: posts.json: holds no records\n"


def test_bad_records_are_counted_and_listed_and_fatal_above_the_bound(folder) -> None:
    write(folder / "posts.json", OLD, "{", NEW, NEW, {"id": 4}, {"id": "x", "tags": []})
    flags = ("--metadata", "posts.json", "--output", "out")
    done = here("tags", *flags, cwd=folder)
    assert done.returncode == 2
    assert "posts.json: 4 of 6 rows are malformed (at most 1.00% may be)" in done.stderr
    done = here("tags", *flags, "--max-bad-records", "0.7", cwd=folder)
    assert done.returncode == 0
    assert "posts.json: 1 row set aside: duplicate_id (line 4)" in done.stdout
    assert (folder / "out/bad_records.csv").read_text() == (
        "table,line,problem\nposts.json,2,bad_json\nposts.json,4,duplicate_id\n"
        "posts.json,5,no_tags\nposts.json,6,bad_id\n"
    )


# Danbooru's tags have no spaces, but commas, quotes, backslashes and letters of all scripts.
ODD = ["1girl", "2boys", "6+girls", "6+others", "1other", ":d", ";d", "...", "a,b", "d'eon", '"n"']
MORE = ['it\'s_"x"', "x\\y", "aa", "abc", "so_so", "初音ミク", "é-é", "long_hair", "unlabeled"]
NAMES = st.one_of(
    st.sampled_from([*ODD, *MORE]),
    st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=6),
)
TAGS = st.fixed_dictionaries(
    {
        "name": st.one_of(NAMES, st.just("")),
        "category": st.sampled_from(["0", "0", "0", "1", "3", "4", "5", "2", "x"]),
    }
)
TEXT = st.one_of(st.none(), st.lists(NAMES, max_size=4).map(" ".join))
COMMON = {
    "rating": st.sampled_from(["s", "g", "q", "e", None, 5]),
    "is_deleted": st.booleans(),
    "is_banned": st.one_of(st.none(), st.booleans()),
    "favs": st.just(["1"]),
}
IDS = st.one_of(st.integers(-1, 12), st.sampled_from(["5", "007", "x", None, 1.5, 10**17, 2**26]))
RECORDS = st.one_of(
    st.fixed_dictionaries(
        {"id": IDS, "tags": st.lists(TAGS, max_size=6)}, optional={**COMMON, "file_ext": TEXT}
    ),
    st.fixed_dictionaries(
        {"id": IDS},
        optional={
            **COMMON,
            "tag_string_general": TEXT,
            "tag_string_copyright": TEXT,
            "tag_string_character": TEXT,
        },
    ),
    st.sampled_from(["{", "{} {}", '{"id": 5, "tags": [}', "null", "5"]),
)
STEPS = st.builds(
    TagSteps,
    filter_flags=st.booleans(),
    filter_rating=st.booleans(),
    ratings=st.sampled_from([("s", "g"), ("q",)]),
    filter_empty=st.booleans(),
    labels_first=st.booleans(),
    remove_symbols=st.booleans(),
    remove_short=st.just(value=True),
    min_length=st.integers(1, 4),
    return_less_than=st.booleans(),
    remove_rare=st.booleans(),
    min_uses=st.integers(1, 3),
    remove_profanities=st.booleans(),
    fill_empty=st.booleans(),
    max_bad_records=st.just(1.0),
)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.lists(RECORDS, min_size=1, max_size=12), st.permutations(range(13)), STEPS)
def test_every_step_does_what_a_plain_model_does(tmp_path_factory, records, ids, steps) -> None:
    folder = tmp_path_factory.mktemp("tags")
    metadata = write(folder / "posts.json", *records)
    for split, of_split in (("train", ids[:5]), ("test", ids[5:9])):
        lines = (f"{number % 3},{number:04d}/{number}.jpg\n" for number in of_split)
        (folder / f"{split}.csv").write_text("".join(lines))
    (folder / "words").write_text("so\nミ")
    run = TagsRun(metadata=(metadata,), labels=(folder,), output=folder / "out")
    steps = replace(steps, profanities=folder / "words")
    expected = Preparation(records)
    expected.choose({*ids[:9]}, steps)
    if not expected.posts:
        with pytest.raises(InputError, match="nothing is left"):
            tags(run, steps)
        return
    summary = tags(run, steps)
    expected.clean(steps, ["so", "ミ"])
    lists = expected.lists()
    for split, of_split in (("train", ids[:5]), ("test", ids[5:9])):
        assert rows_of(folder / f"out/{split}_tags.csv") == [
            {"id": one, "dir": f"{one:04d}/{one}.jpg", "class_id": one % 3}
            | {f"tags_cat{number}": tags for number, tags in lists[one].items()}
            for one in of_split
            if one in lists
        ]
    assert [
        (
            step.name,
            step.images,
            {number: (one.unique, one.uses) for number, one in step.categories.items()},
        )
        for step in summary.steps[:-1]
    ] == expected.funnel
    with (folder / "out/untagged.csv").open() as file:
        reasons = {int(row["dir"][5:-4]): row["reason"] for row in csv.DictReader(file)}
    assert reasons == {
        one: expected.left_out.get(one, "not_in_metadata") for one in ids[:9] if one not in lists
    }
    bad = folder / "out/bad_records.csv"
    found = pl.read_csv(bad).rows() if bad.exists() else []
    assert found == [("posts.json", line, problem) for line, problem in expected.bad]


def test_a_full_disk_ends_the_run_with_one_line_and_leaves_nothing_half_written(
    folder, small_disk
) -> None:
    posts = (NEW | {"id": n, "tag_string_general": f"{n:x} {n**7:x}"} for n in range(3000))
    write(folder / "posts.json", *posts)
    done = here("tags", "--metadata", "posts.json", "--output", small_disk.folder, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dafre-fast tags: {small_disk.folder}/")
    assert done.stderr.endswith(": No space left on device\n")
    assert len(done.stderr.splitlines()) == 1
    assert not [*small_disk.folder.iterdir()]
