"""The outputs of a dataset: their names in tables, shards and commands, and where they are known
from.
"""

from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.core.settings.images import (
    FULL_IMAGE,
    HEAD_CROP,
    FullImage,
    HeadBox,
    Output,
    Recipe,
    ShortSide,
)
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import choose_outputs, columns_of, members_of, read_outputs
from dafre_fast.dataset.provenance import NAME, record_making

BUST = Output("bust", "upper", HeadBox(0.5), ShortSide(128, at_most=True))
THREE = (FULL_IMAGE, HEAD_CROP, BUST)


def write_manifest(folder: Path, *outputs: Output, columns: tuple[str, ...] = ()) -> None:
    schema = {**dict.fromkeys(columns, pl.Int64()), **columns_of(outputs)}
    pl.DataFrame(schema=schema).write_parquet(folder / MANIFEST)


def test_the_full_image_has_no_prefix_and_others_have_their_name() -> None:
    assert [prefix_of(output.name) for output in THREE] == ["", "face_", "bust_"]


def test_columns_come_output_by_output() -> None:
    assert [*columns_of((FULL_IMAGE, BUST))] == [
        "width", "height", "bytes", "sha256",
        "bust_width", "bust_height", "bust_bytes", "bust_sha256",
    ]  # fmt: skip


def test_the_first_output_in_a_shard_is_the_jpg_and_others_have_their_name() -> None:
    assert members_of(THREE) == {"full": "jpg", "face": "face.jpg", "bust": "bust.jpg"}
    assert members_of((HEAD_CROP,)) == {"face": "jpg"}


@pytest.mark.parametrize(
    ("word", "chosen"),
    [("full", (FULL_IMAGE,)), ("faces", (HEAD_CROP,)), ("bust", (BUST,)), ("both", THREE)],
)
def test_commands_choose_outputs_by_a_word(word, chosen) -> None:
    assert choose_outputs(THREE, word) == chosen


def test_another_word_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="images 'heads': full, faces, bust, both are known"):
        choose_outputs(THREE, "heads")


def test_outputs_are_those_of_the_recorded_settings(tmp_path) -> None:
    recipe = Recipe(full=FullImage(size=64), others=(BUST,))
    record_making(tmp_path, recipe, resume=True)
    assert read_outputs(tmp_path) == recipe.outputs
    write_manifest(tmp_path, *recipe.outputs)
    assert read_outputs(tmp_path) == recipe.outputs


def test_the_settings_of_the_last_run_count(tmp_path) -> None:
    for size in (64, 96):
        record_making(tmp_path, Recipe(full=FullImage(size=size), others=(BUST,)), resume=True)
    assert read_outputs(tmp_path)[0].size.pixels == 96


def test_an_output_of_which_the_manifest_has_no_columns_is_no_more(tmp_path) -> None:
    record_making(tmp_path, Recipe(others=(BUST,)), resume=True)
    write_manifest(tmp_path, FULL_IMAGE, HEAD_CROP)
    assert read_outputs(tmp_path) == (FULL_IMAGE, HEAD_CROP)


@pytest.mark.parametrize("record", [None, b"[", b'[{"settings": {"others": [{"name": "A"}]}}]'])
def test_without_a_record_columns_of_the_manifest_stand_for_outputs(tmp_path, record) -> None:
    if record is not None:
        (tmp_path / STATE).mkdir()
        (tmp_path / STATE / NAME).write_bytes(record)
    write_manifest(tmp_path, *THREE)
    assert read_outputs(tmp_path) == (FULL_IMAGE, HEAD_CROP, Output("bust", "bust"))


def test_other_columns_are_no_outputs(tmp_path) -> None:
    originals = ("original_width", "original_height", "original_bytes", "original_sha256")
    write_manifest(tmp_path, FULL_IMAGE, HEAD_CROP, columns=(*originals, "cut_sha256"))
    assert read_outputs(tmp_path) == (FULL_IMAGE, HEAD_CROP)


def test_a_dataset_of_which_nothing_is_known_has_the_two_that_all_have(tmp_path) -> None:
    assert read_outputs(tmp_path) == (FULL_IMAGE, HEAD_CROP)
    (tmp_path / MANIFEST).write_text("no table")
    assert read_outputs(tmp_path) == (FULL_IMAGE, HEAD_CROP)
