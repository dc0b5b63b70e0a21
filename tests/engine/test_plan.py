from pathlib import Path

import polars as pl

from dafre_fast.engine.plan import ask_files, remaining, wanted


def asked(*names: str) -> pl.DataFrame:
    return ask_files([(name, f"in/{name}") for name in names], Path("out"))


def standing(**success: bool) -> pl.LazyFrame:
    reasons = [None if made else "truncated" for made in success.values()]
    return pl.LazyFrame({"key": [*success], "reason": pl.Series(reasons, dtype=pl.String)})


def test_outputs_keep_the_relative_path_and_become_jpg() -> None:
    assert asked("0123/5.png", "a/b/c.JPG")["full"].to_list() == ["out/0123/5.jpg", "out/a/b/c.jpg"]


def test_originals_that_differ_in_extension_alone_do_not_take_each_others_place() -> None:
    outputs = asked("a.png", "a.jpg", "a.gif", "a.jpeg")["full"].to_list()
    assert len(set(outputs)) == 4
    assert "out/a.jpg" in outputs


def test_a_name_made_up_for_one_original_does_not_take_the_place_of_another() -> None:
    rows = asked("a.jpg", "a.png", "a.png.jpg")
    outputs = dict(rows.select("key", "full").iter_rows())
    assert outputs == {
        "a.jpg": "out/a.jpg", "a.png.jpg": "out/a.png.jpg", "a.png": "out/a.png.jpg.jpg",
    }  # fmt: skip


def test_what_stands_is_not_done_again() -> None:
    rows = remaining(asked("a.jpg", "b.jpg", "c.jpg"), standing(**{"b.jpg": True}), lambda _: True)
    assert [image.key for image in wanted(rows)] == ["a.jpg", "c.jpg"]


def test_a_refusal_that_stands_is_not_tried_again() -> None:
    rows = remaining(asked("a.jpg"), standing(**{"a.jpg": False}), lambda _: False)
    assert rows.is_empty()


def test_an_output_that_is_gone_is_made_again() -> None:
    done = standing(**{"a.jpg": True, "b.jpg": True})
    rows = remaining(asked("a.jpg", "b.jpg"), done, lambda path: path == "out/a.jpg")
    assert rows["key"].to_list() == ["b.jpg"]
