from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP
from dafre_fast.engine.input_files import remove_temporaries
from dafre_fast.engine.plan import ask_files, output_names, remaining, renamed, wanted

OUTPUTS = (FULL_IMAGE, HEAD_CROP)
FULL_FILE, FACE_FILE = "full file", "face file"


def asked(*names: str) -> pl.DataFrame:
    return ask_files([(name, f"in/{name}") for name in names], FULL_IMAGE, Path("out"))


def left_of(rows: pl.DataFrame, done: pl.LazyFrame, size_of) -> pl.DataFrame:
    return remaining(rows, done, OUTPUTS, size_of)


def standing(**written: int | None) -> pl.LazyFrame:
    """Outcomes by key: bytes of the full image, None for a refusal."""
    sizes = pl.Series(written.values(), dtype=pl.Int64)
    return pl.LazyFrame({"key": [*written], "bytes": sizes}).with_columns(
        reason=pl.when(pl.col("bytes").is_null()).then(pl.lit("truncated")),
        face_bytes=pl.lit(None, dtype=pl.Int64),
    )


def test_outputs_keep_the_relative_path_and_become_jpg() -> None:
    assert asked("0123/5.png", "a/b/c.JPG")[FULL_FILE].to_list() == [
        "out/0123/5.jpg",
        "out/a/b/c.jpg",
    ]


def test_originals_that_differ_in_extension_alone_do_not_take_each_others_place() -> None:
    outputs = asked("a.png", "a.jpg", "a.gif", "a.jpeg")[FULL_FILE].to_list()
    assert len(set(outputs)) == 4
    assert "out/a.jpg" in outputs


def test_a_name_made_up_for_one_original_does_not_take_the_place_of_another() -> None:
    rows = asked("a.jpg", "a.png", "a.png.jpg")
    outputs = dict(rows.select("key", FULL_FILE).iter_rows())
    assert outputs == {
        "a.jpg": "out/a.jpg", "a.png.jpg": "out/a.png.jpg", "a.png": "out/a.png.jpg.jpg",
    }  # fmt: skip


def test_finished_images_are_not_made_again() -> None:
    rows = left_of(asked("a.jpg", "b.jpg", "c.jpg"), standing(**{"b.jpg": 7}), lambda _: 7)
    assert [image.key for image in wanted(rows, OUTPUTS)] == ["a.jpg", "c.jpg"]


def test_a_refusal_that_stands_is_not_tried_again() -> None:
    rows = left_of(asked("a.jpg"), standing(**{"a.jpg": None}), lambda _: None)
    assert rows.is_empty()


@pytest.mark.parametrize("size", [None, 0, 6, 8])
def test_an_output_that_is_gone_or_of_another_size_is_made_again(size) -> None:
    sizes = {"out/a.jpg": 7, "out/b.jpg": size}
    done = standing(**{"a.jpg": 7, "b.jpg": 7})
    rows = left_of(asked("a.jpg", "b.jpg"), done, sizes.get)
    assert rows["key"].to_list() == ["b.jpg"]


@pytest.mark.parametrize(("written", "left"), [((7, 8), 0), ((7, 9), 1), ((7, None), 1)])
def test_an_image_and_its_face_must_both_be_as_written(written, left) -> None:
    rows = asked("a.jpg").with_columns(pl.lit("face/a.jpg").alias(FACE_FILE))
    done = standing(**{"a.jpg": written[0]}).with_columns(face_bytes=pl.lit(written[1], pl.Int64))
    sizes = {"out/a.jpg": 7, "face/a.jpg": 8}
    assert left_of(rows, done, sizes.get).height == left


def test_the_full_image_beside_a_refused_face_must_be_as_written() -> None:
    rows = asked("a.jpg").with_columns(pl.lit("face/a.jpg").alias(FACE_FILE))
    done = standing(**{"a.jpg": 7}).with_columns(reason=pl.lit("empty_box"))
    assert left_of(rows, done, {"out/a.jpg": 7}.get).is_empty()
    assert left_of(rows, done, {"out/a.jpg": 6}.get).height == 1


def test_half_written_files_are_removed_and_all_others_stay(tmp_path) -> None:
    for name in (".a.jpg.part", "b/.c.png.part", ".state/.x.part", "d.part", ".e.jpg", "f.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        ".e.jpg", "d.part", "f.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("a.jpg a.png", "a.jpg a.png.jpg"),
        ("a.json a.png a.txt", "a.json.jpg a.jpg a.txt.jpg"),  # a caption takes no picture's name
        ("a.gif a.png", "a.jpg a.png.jpg"),
        ("a a.JPG a.jpg", "a.jpg.jpg a.JPG.jpg a.jpg"),
        ("a.json", "a.jpg"),
    ],
)
def test_no_two_outputs_have_one_name_and_pictures_have_theirs_first(keys, names) -> None:
    assert output_names(keys.split()) == [*names.split()]


def test_pictures_whose_name_another_has_taken_are_told() -> None:
    keys = ["a.gif", "a.json", "a.png", "b.jpg", "b.png", "c.png"]
    assert renamed(keys, output_names(keys)) == [("a.png", "a.png.jpg"), ("b.png", "b.png.jpg")]
