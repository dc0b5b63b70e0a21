"""The `stats` command as a user runs it."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.commands import here, tree

pytestmark = pytest.mark.slow

STEP = {"name": "rows of faces.tsv", "images": 977_356, "classes": 49_087}
TAG_STEP = {
    "name": "symbols removed",
    "images": 463_437,
    "categories": {"0": {"unique": 18_852, "uses": 9_786_067}, "4": {"unique": 10, "uses": 20}},
}
COUNTED = {"stats.json", "stats.txt", "tag_counts.parquet"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write a table of tags and metadata into a folder."""
    (tmp_path / "val_tags.csv").write_text(
        "id,dir,class_id,tags_cat0,tags_cat3,tags_cat4\n"
        "5,0005/5.jpg,1,\"['1 girl', 'long hair', 'blonde hair']\",[],\"['初音ミク']\"\n"
        "6,0006/6.jpg,1,['1 girl'],['vocaloid'],['初音ミク']\n"
        '7,0007/7.jpg,0,[],[],"[""jeanne d\'arc""]"\n'
    )
    posts = [
        {
            "id": number,
            "file_ext": "jpg" if number % 3 else "png",
            "image_width": 800 + number,
            "image_height": 1200,
            "tag_string_general": "1girl long_hair",
            "tag_string_copyright": "",
            "tag_string_character": "hatsune_miku",
        }
        for number in range(9)
    ]
    pl.DataFrame(posts).write_parquet(tmp_path / "metadata.parquet")
    return tmp_path


def test_a_tag_table_is_counted_as_text_json_and_parquet(folder) -> None:
    done = here("stats", "--input", "val_tags.csv", "--title", "DAF:re", "--no-plots", cwd=folder)
    assert done.returncode == 0, done.stderr
    text = (folder / "stats/stats.txt").read_text()
    assert text == done.stdout
    for line in (
        "DAF:re: 3 images",
        "category 0 (general), tags: 3 unique, 4 in 3 images",
        "uses per tag:   mean 1.33, median 1.00, standard deviation 0.58",
        "tags per image: mean 1.33, median 1.00, standard deviation 1.53",
        "2  1 girl",
        "category 0 (general), words: 5 unique, 8 in 3 images",
        "2  初音ミク",
        "3 images of 2 classes",
    ):
        assert line in text.splitlines()
    printed = json.loads((folder / "stats/stats.json").read_bytes())
    assert printed["images"] == 3
    assert printed["extensions"] is None
    character = printed["vocabularies"][-1]
    assert character["top"] == [
        {"name": "初音ミク", "uses": 2},
        {"name": "jeanne d'arc", "uses": 1},
    ]
    counts = pl.read_parquet(folder / "stats/tag_counts.parquet")
    assert counts.filter(category=0, level="words")["tag", "uses"].rows() == [
        ("1", 2),
        ("girl", 2),
        ("hair", 2),
        ("blonde", 1),
        ("long", 1),
    ]
    classes = pl.read_parquet(folder / "stats/class_counts.parquet")
    assert classes.rows() == [(1, 2), (0, 1)]


def test_a_tag_table_gives_plots_and_one_line_about_the_others(folder) -> None:
    done = here("stats", "--input", "val_tags.csv", cwd=folder)
    names = {name.removesuffix(".png") for name in tree(folder / "stats") if ".png" in name}
    kinds = ("tags_cat0", "words_cat0", "tags_cat3", "tags_cat4")
    assert names == {"classes_long_tail"} | {
        name
        for kind in kinds
        for name in (
            f"histogram_{kind}_top20",
            f"histogram_{kind}_top50_unlabelled",
            f"wordcloud_{kind}",
        )
    }
    assert done.stdout.splitlines()[-1] == (
        "not drawn: funnel (no funnel.json); sizes (no image sizes); formats (no file extensions)"
    )


def test_metadata_has_formats_and_sizes(folder) -> None:
    done = here("stats", "--input", "metadata.parquet", "--no-words", "--json", cwd=folder)
    printed = json.loads(done.stdout)
    assert printed["title"] == "metadata"
    assert printed["extensions"] == {"jpg": 6, "png": 3}
    assert printed["width"] == {"mean": 804.0, "median": 804.0, "std": pytest.approx(2.7386128)}
    assert printed["height"]["std"] == 0
    assert [(one["category"], one["level"]) for one in printed["vocabularies"]] == [
        (0, "tags"),
        (3, "tags"),
        (4, "tags"),
    ]
    assert {"sizes.png", "formats.png"} <= set(printed["drawn"])
    assert printed["not_drawn"]["wordcloud_tags_cat3"] == "no tags"
    assert json.loads((folder / "stats/stats.json").read_bytes()) == printed


def test_without_plots_only_counts_are_written(folder) -> None:
    done = here("stats", "--input", "metadata.parquet", "--no-plots", cwd=folder)
    assert "not drawn" not in done.stdout
    assert tree(folder / "stats").keys() == COUNTED


def test_as_many_tags_are_listed_as_asked_for(folder) -> None:
    flags = ("--input", "val_tags.csv", "--top-k", 1, "--no-plots")
    here("stats", *flags, cwd=folder)
    printed = json.loads((folder / "stats/stats.json").read_bytes())
    assert [len(one["top"]) for one in printed["vocabularies"]] == [1, 1, 1, 1]
    assert pl.read_parquet(folder / "stats/tag_counts.parquet").height == 11


def test_funnels_beside_the_input_are_plotted(folder) -> None:
    (folder / "funnel.json").write_text(json.dumps({"steps": [STEP]}))
    (folder / "tags_funnel.json").write_text(json.dumps({"steps": [TAG_STEP]}))
    here("stats", "--input", "val_tags.csv", "--format", "svg", "--no-words", cwd=folder)
    drawn = (folder / "stats/funnel.svg").read_text()
    for text in ("rows of faces.tsv", "977,356", "49,087", "symbols removed", "9,786,067"):
        assert f"<!-- {text} -->" in drawn


def test_a_funnel_can_be_named(folder) -> None:
    (folder / "other.json").write_text(json.dumps({"steps": [STEP]}))
    done = here("stats", "--input", "val_tags.csv", "--funnel", "other.json", cwd=folder)
    assert (folder / "stats/funnel.png").is_file()
    assert "not drawn: sizes" in done.stdout


@pytest.mark.parametrize("text", ["", "{", "[]", '{"steps": [{"name": "x"}]}'])
def test_a_file_that_is_not_a_funnel_is_an_error_in_one_line(folder, text) -> None:
    (folder / "funnel.json").write_text(text)
    done = here("stats", "--input", "val_tags.csv", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("dafre-fast stats: funnel.json: is not a funnel: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("format", ["png", "pdf", "svg"])
def test_the_same_input_gives_the_same_bytes(folder, format) -> None:
    (folder / "funnel.json").write_text(json.dumps({"steps": [STEP]}))
    for output in ("one", "other"):
        flags = ("--input", "metadata.parquet", "--format", format, "--output", output)
        assert here("stats", *flags, cwd=folder).returncode == 0
    one = tree(folder / "one")
    assert one == tree(folder / "other")
    assert sum(name.endswith(format) for name in one) == 12


def test_rows_set_aside_are_counted_listed_and_named(folder) -> None:
    with (folder / "val_tags.csv").open("a") as table:
        table.write("8,,0,[broken,[],[]\n5,,0,[],[],[]\n")
    flags = ("--input", "val_tags.csv", "--max-bad-rows", 0.5, "--no-plots")
    done = here("stats", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "val_tags.csv: 1 row set aside: bad_tags (line 4)" in done.stdout
    assert (folder / "stats/bad_rows.csv").read_text() == (
        "table,line,problem\nval_tags.csv,4,bad_tags\nval_tags.csv,5,duplicate_id\n"
    )
    assert json.loads((folder / "stats/stats.json").read_bytes())["images"] == 3


def test_more_bad_rows_than_allowed_are_status_2_and_leave_nothing(folder) -> None:
    with (folder / "val_tags.csv").open("a") as table:
        table.write("8,,0,[broken,[],[]\n")
    done = here("stats", "--input", "val_tags.csv", cwd=folder)
    assert done.returncode == 2
    assert "val_tags.csv: 1 of 4 rows are malformed" in done.stderr
    assert tree(folder / "stats") == {}


def test_an_empty_table_is_an_error_that_says_so(folder) -> None:
    (folder / "empty.csv").touch()
    done = here("stats", "--input", "empty.csv", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "dafre-fast stats: empty.csv: is empty\n")


@pytest.mark.parametrize("flags", [(), ("--input", "")])
def test_an_input_is_needed(folder, flags) -> None:
    done = here("stats", *flags, cwd=folder)
    assert (done.returncode, done.stderr) == (2, "dafre-fast stats: --input is needed\n")


@pytest.mark.parametrize("flags", [("--format", "gif"), ("--top-k", 0), ("--max-bad-rows", 2)])
def test_a_setting_out_of_bounds_is_named(folder, flags) -> None:
    done = here("stats", "--input", "val_tags.csv", *flags, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dafre-fast stats: {flags[0]} ")


def test_an_output_that_cannot_be_written_is_status_1(folder) -> None:
    (folder / "taken").touch()
    done = here("stats", "--input", "val_tags.csv", "--output", "taken", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("dafre-fast stats: taken")
    assert len(done.stderr.splitlines()) == 1


def test_leftovers_of_a_killed_run_are_removed_by_the_next(folder) -> None:
    left = folder / "stats/.rows.part/0/0.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    here("stats", "--input", "val_tags.csv", "--no-plots", cwd=folder)
    assert not (folder / "stats/.rows.part").exists()
