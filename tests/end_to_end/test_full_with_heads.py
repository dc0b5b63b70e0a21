"""`full` from metadata, a source and a detector: heads are found first, then as with faces.tsv."""

import json
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.commands import dafre, tree
from tests.heads.drawn import PICTURES, picture, write_inputs
from tests.hosts import Host, host
from tests.merge.small import contents
from tests.pixels.detectors import models

pytestmark = pytest.mark.slow

INPUTS = ("--metadata", "posts.json", "--detector", "model.onnx", "--min-images", 1)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_inputs(tmp_path)
    return tmp_path


def full(folder: Path, *flags: object, source: str = "originals"):
    alone = ("--workers", 2, "--no-tags", "--no-report", "--output", "ds")
    given = (*INPUTS, "--source", source, *alone)
    return dafre("full", *given, *flags, cwd=folder)


def summary_of(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def serve_originals(served: Host) -> str:
    """Serve all pictures; return the source."""
    for image, squares in PICTURES.items():
        served.files[f"/{image:04}/{image}.png"] = picture(*squares)
    return f"{served.address}/{{bucket}}/{{id}}.{{ext}}"


def originals(folder: Path) -> set[str]:
    """The originals in the dataset."""
    return {*tree(folder / "ds/original")}


def test_metadata_a_source_and_a_detector_make_a_dataset(folder) -> None:
    summary = summary_of(full(folder, "--json"))
    assert [(step["name"], step["images"]) for step in summary["funnel"]] == [
        ("posts", 5),
        ("exactly one character tag", 4),
        ("readable", 4),
        ("exactly one head", 2),
        ("confidence >= 0.85", 2),
        ("classes of >= 1 images", 2),
        ("train", 0),
        ("val", 0),
        ("test", 2),
        ("made", 2),
    ]
    counts = ("images", "single", "none", "several", "refused")
    assert [summary["heads"][name] for name in counts] == [4, 2, 1, 1, {}]
    ds = folder / "ds"
    assert {path.name for path in ds.glob("f*/*/*.jpg")} == {"1.jpg", "5.jpg"}
    assert pl.read_parquet(ds / "manifest.parquet")["class_name"].to_list() == ["reimu", "cirno"]
    assert (ds / "heads/tagIds.tsv").read_text() == "reimu\t0\nmarisa\t1\ncirno\t2\n"
    assert pl.read_parquet(ds / "heads/manifest.parquet")["heads"].to_list() == [1, 0, 2, 1]


def test_the_dataset_is_that_of_heads_and_full_one_after_the_other(folder) -> None:
    full(folder)
    inputs = ("--metadata", "posts.json", "--source", "originals", "--min-images", 1)
    dafre("heads", *inputs[:4], "--detector", "model.onnx", cwd=folder)
    tables = ("--faces", "heads/faces.tsv", "--tag-ids", "heads/tagIds.tsv")
    dafre("full", *inputs, *tables, "--no-tags", "--no-report", "--output", "two", cwd=folder)
    one, two = tree(folder / "ds"), tree(folder / "two")
    of_heads = {f"heads/{name}": data for name, data in tree(folder / "heads").items()}
    assert one == two | of_heads


def test_every_original_is_fetched_once(folder) -> None:
    with host() as served:
        source = serve_originals(served)
        assert summary_of(full(folder, "--json", source=source))["success"] == 2
        assert Counter(served.asked) == {f"/{image:04}/{image}.png": 1 for image in PICTURES}
        again = summary_of(full(folder, "--json", source=source))
        assert (again["heads"]["work"]["images"], again["work"]["images"]) == (0, 0)
        assert len(served.asked) == len(PICTURES)


def test_the_screen_shows_one_funnel_from_posts_to_images(folder) -> None:
    lines = full(folder).stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:11]] == [
        "after",
        "posts",
        "exactly one character tag",
        "readable",
        "exactly one head",
        "confidence >= 0.85",
        "classes of >= 1 images",
        "train",
        "val",
        "test",
        "made",
    ]
    heads = "4 originals = 2 with one head + 1 with none + 1 with several + 0 refused"
    assert (heads in lines, "2 images = 2 success + 0 refused" in lines) == (True, True)


def test_progress_says_which_pass_runs(folder) -> None:
    detector, *lines = full(folder).stderr.splitlines()
    assert detector.startswith("detector: yolo8, ")
    assert [line.partition(",")[0] for line in lines] == ["originals searched 4/4", "images 2/2"]


def test_starting_over_searches_and_makes_everything(folder) -> None:
    full(folder)
    before = tree(folder / "ds")
    again = summary_of(full(folder, "--json", "--no-resume"))
    assert (again["heads"]["work"]["images"], again["work"]["images"]) == (4, 2)
    assert tree(folder / "ds") == before


def test_given_tag_ids_are_kept(folder) -> None:
    (folder / "given.tsv").write_text("cirno\t7\n")
    full(folder, "--tag-ids", "given.tsv")
    assert pl.read_parquet(folder / "ds/manifest.parquet")["tag_id"].to_list() == [7, 8]


def test_a_head_that_counts_and_is_not_sure_enough_makes_no_image(folder) -> None:
    (folder / "originals/0001/1.png").write_bytes(picture((16, 16, 144, 136)))  # scores 3/4
    summary = summary_of(full(folder, "--json"))
    assert (summary["heads"]["single"], summary["images"]) == (2, 1)


def test_an_original_that_cannot_be_searched_is_refused_and_counted(folder) -> None:
    (folder / "originals/0001/1.png").write_bytes(b"no picture")
    shutil.rmtree(folder / "originals/0002")
    done = full(folder, "--json", "--max-refused", 1)
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert summary["heads"]["refused"] == {"not_an_image": 1, "missing_original": 1}
    assert summary["success"] == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--detector", "m", "--faces", "f.tsv"), "--faces has heads already"),
        (("--detector", "m", "--source", "o"), "--detector needs --metadata and --source"),
        (("--detector", "m", "--metadata", "p"), "--detector needs --metadata and --source"),
        (("--detector", "m", "--tag-ids", "p"), "--detector needs --metadata and --source"),
        (("--count-threshold", 0.5), "--count-threshold needs --detector"),
        (("--class", "head"), "--class needs --detector"),
        (("--without", "deleted"), "--without needs --detector"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(tmp_path, flags, message) -> None:
    done = dafre("full", *flags, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr
    assert not [*tmp_path.iterdir()]


def test_a_model_or_metadata_that_cannot_be_used_end_it_before_anything_is_fetched(folder) -> None:
    with host() as served:
        source = serve_originals(served)
        (folder / "model.onnx").write_bytes(b"no model")
        done = full(folder, source=source)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "model.onnx: is not an ONNX model" in done.stderr
        (folder / "model.onnx").write_bytes(models.yolo8())
        (folder / "posts.json").write_text('{"id": 1, "tag_string_general": "solo"}\n')
        done = full(folder, source=source)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "no post has exactly one tag of a character" in done.stderr
        assert served.asked == []


def test_originals_without_a_head_end_in_one_line(folder) -> None:
    for image in PICTURES:
        (folder / f"originals/{image:04}/{image}.png").write_bytes(picture())
    done = full(folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "dafre-fast full: no original has exactly one head: 4 have none, 0 have several, 0 were"
    )


def test_originals_that_are_all_refused_end_in_one_line(folder) -> None:
    shutil.rmtree(folder / "originals")
    (folder / "originals").mkdir()
    done = full(folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "dafre-fast full: none of 4 originals could be searched for heads: 4 missing_original; is"
        " the source right?"
    )


# Originals that are not kept


def test_originals_are_removed_when_their_images_are_made_or_none_will_be(folder) -> None:
    with host() as served:
        source = serve_originals(served)
        full(folder)
        kept = {name: data for name, data in tree(folder / "ds").items() if "jpg" in name}
        shutil.rmtree(folder / "ds")
        summary = summary_of(full(folder, "--json", "--no-keep-originals", source=source))
        assert (summary["success"], originals(folder)) == (2, set())
        made = tree(folder / "ds")
        assert {name: data for name, data in made.items() if "jpg" in name} == kept
        asked = len(served.asked)
        again = summary_of(full(folder, "--json", "--no-keep-originals", source=source))
        assert (again["heads"]["work"]["images"], again["work"]["images"]) == (0, 0)
        assert (len(served.asked), tree(folder / "ds")) == (asked, made)


def test_an_image_that_is_lost_is_made_of_its_original_fetched_again(folder) -> None:
    with host() as served:
        source = serve_originals(served)
        full(folder, "--no-keep-originals", source=source)
        before = tree(folder / "ds/faces")
        (folder / "ds/faces/0005/5.jpg").unlink()
        served.asked.clear()
        full(folder, "--no-keep-originals", source=source)
        assert served.asked == ["/0005/5.png"]
        assert (tree(folder / "ds/faces"), originals(folder)) == (before, set())


def test_originals_that_earlier_runs_kept_are_removed_on_demand(folder) -> None:
    with host() as served:
        source = serve_originals(served)
        full(folder, source=source)
        assert len(originals(folder)) == len(PICTURES)
        (folder / "ds/original/0007").mkdir()
        (folder / "ds/original/0007/7.png").write_bytes(picture())  # nobody fetched it
        summary_of(full(folder, "--json", "--no-keep-originals", source=source))
        assert originals(folder) == {"0007/7.png"}
        assert Counter(served.asked).most_common(1)[0][1] == 1


def test_originals_of_heads_that_are_not_sure_enough_or_of_too_few_are_removed(folder) -> None:
    with host() as served:
        source = serve_originals(served)
        served.files["/0003/3.png"] = picture((16, 16, 144, 144))  # a second one of its class
        served.files["/0002/2.png"] = picture((16, 16, 144, 136))  # scores 3/4
        served.files["/0004/4.png"] = picture((16, 16, 144, 144))  # of two characters
        flags = ("--min-images", 2, "--several-characters", "--no-keep-originals", "--json")
        summary = summary_of(full(folder, *flags, source=source))
        assert (summary["heads"]["single"], summary["images"], originals(folder)) == (5, 2, set())


def test_originals_in_a_folder_of_ones_own_are_never_removed(folder) -> None:
    before = tree(folder / "originals")
    full(folder, "--no-keep-originals")
    assert tree(folder / "originals") == before
    full(folder, "--no-keep-originals", "--output", "originals/ds")
    assert {name for name in tree(folder / "originals") if "ds" not in name} == {*before}


def test_with_a_faces_tsv_originals_go_too_but_for_passing_failures(folder) -> None:
    dafre("heads", *INPUTS[:4], "--source", "originals", cwd=folder)
    with host() as served:
        source = serve_originals(served)
        served.files["/0001/1.png"] = picture()[:-40]  # breaks off: refused where it is fetched
        tables = ("--faces", "heads/faces.tsv", "--tag-ids", "heads/tagIds.tsv")
        more = ("--no-tags", "--no-report", "--output", "ds", "--no-keep-originals", "--json")
        flags = (*tables, "--source", source, "--extensions", "png", "--min-images", 1, *more)
        summary = json.loads(dafre("full", *flags, cwd=folder).stdout)
        assert (summary["success"], summary["refused"]) == (1, {"truncated": 1})
        assert originals(folder) == set()
        served.files["/0001/1.png"] = picture()
        again = json.loads(dafre("full", *flags, "--retry-failed", cwd=folder).stdout)
        assert (again["success"], originals(folder)) == (2, set())


def test_images_may_go_straight_into_shards(folder) -> None:
    with host() as served:
        flags = ("--no-keep-originals", "--pack", "webdataset", "--json")
        summary = summary_of(full(folder, *flags, source=serve_originals(served)))
        assert (summary["packed"]["packed"], originals(folder)) == (2, set())
        again = summary_of(full(folder, *flags, source=serve_originals(served)))
        assert (again["packed"]["kept"], len(served.asked)) == (1, len(PICTURES))


def test_the_report_shows_the_heads_found_with_their_boxes(folder) -> None:
    full(folder)
    done = dafre("report", "--output", "ds", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "ds/report/index.html").read_text()
    assert "4 images searched = 2 with exactly one head + 1 with none + 1 with several" in page
    assert 'alt="Image 1, reimu: one head, score 1.00"' in page
    assert "The detector is model.onnx." in page
    assert "original not kept" not in page


def whole_of(folder: Path) -> dict[str, object]:
    """The dataset that one run makes, and its tables without times."""
    summary_of(full(folder, "--json"))
    found = contents(folder / "ds")
    shutil.rmtree(folder / "ds")
    return found


def test_parts_find_their_heads_then_make_images_of_those_of_all(folder) -> None:
    whole = whole_of(folder)
    parts = ("1/2", "2/2")
    searched = [summary_of(full(folder, "--json", "--part", part)) for part in parts]
    assert sum(part["single"] for part in searched) == 2
    assert not (folder / "ds/fullMin256").exists()
    merged = dafre("merge", "--output", "ds", cwd=folder)
    assert "the heads of all are found; run all parts again, then merge" in merged.stdout
    made = [summary_of(full(folder, "--json", "--part", part)) for part in parts]
    assert sum(part["success"] for part in made) == 2
    summary = summary_of(dafre("merge", "--output", "ds", "--json", cwd=folder))
    assert summary["heads"]["single"] == 2
    assert contents(folder / "ds") == whole


def test_engines_find_all_heads_then_make_images(folder) -> None:
    whole = whole_of(folder)
    summary = summary_of(full(folder, "--json", "--engines", 2))
    assert (summary["success"], summary["heads"]["single"]) == (2, 2)
    assert contents(folder / "ds") == whole
    assert summary_of(full(folder, "--json", "--engines", 2))["work"]["images"] == 0


def test_parts_are_searched_again_with_another_threshold(folder) -> None:
    for part in ("1/2", "2/2"):
        summary_of(full(folder, "--json", "--part", part))
    summary_of(dafre("merge", "--output", "ds", "--json", cwd=folder))
    again = summary_of(full(folder, "--json", "--part", "1/2", "--count-threshold", 0.5))
    assert "single" in again
    summary_of(full(folder, "--json", "--count-threshold", 0.5))
    assert "single" in summary_of(full(folder, "--json", "--part", "1/2"))
