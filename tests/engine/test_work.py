"""A worker's work on one image: a real original in, files and a record out."""

import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import OutputError
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Box, Made, MadeOutput, Wanted, WantedOutput
from dafre_fast.core.settings.images import Bounds, FullImage, Recipe
from dafre_fast.dataset.ledger import NAME, Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.engine.work import make, make_and_record

RECIPE = Recipe(full=FullImage(size=32))
HASHES = RECIPE.hashes()
HEAD = Box(0.25, 0.25, 0.5, 0.75)
OUTSIDE = Box(2.0, 0.25, 2.5, 0.75)


@pytest.fixture
def original(tmp_path) -> Path:
    """A picture of 80 x 40 pixels."""
    path = tmp_path / "original.png"
    pixels = np.random.default_rng(1).integers(0, 255, (40, 80, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def wanted(original: Path, folder: Path, *names: str, **facts: object) -> Wanted:
    outputs = tuple(WantedOutput(name, str(folder / name / "7.jpg")) for name in names)
    return Wanted("7", str(original), outputs, **{"box": HEAD} | facts)


def made(original: Path, folder: Path, *names: str, **facts: object) -> Made:
    return make(RECIPE, HASHES, wanted(original, folder, *names, **facts))


def record_of(path: Path, name: str) -> MadeOutput:
    data = path.read_bytes()
    with Image.open(path) as image:
        return MadeOutput(name, *image.size, len(data), sha256(data).hexdigest())


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_outputs_are_written_and_recorded_as_they_were_written(original, tmp_path) -> None:
    found = made(original, tmp_path / "out", "full", "face")
    assert found == Made(
        key="7",
        recipe=HASHES.pixels,
        original=str(original),
        format="png",
        original_width=80,
        original_height=40,
        original_bytes=original.stat().st_size,
        outputs=(
            record_of(tmp_path / "out/full/7.jpg", "full"),
            record_of(tmp_path / "out/face/7.jpg", "face"),
        ),
    )
    assert [(one.width, one.height) for one in found.outputs] == [(64, 32), (20, 20)]
    assert files(tmp_path / "out") == ["face/7.jpg", "full/7.jpg"]


@pytest.mark.parametrize("name", ["full", "face"])
def test_only_wanted_outputs_are_made(original, tmp_path, name) -> None:
    assert [one.name for one in made(original, tmp_path / "out", name).outputs] == [name]
    assert files(tmp_path / "out") == [f"{name}/7.jpg"]


def test_without_a_box_there_is_a_full_image_and_no_refusal(original, tmp_path) -> None:
    found = made(original, tmp_path / "out", "full", "face", box=None)
    assert ([one.name for one in found.outputs], found.reason) == (["full"], None)


def test_a_box_outside_the_picture_is_a_refusal_beside_the_full_image(original, tmp_path) -> None:
    found = made(original, tmp_path / "out", "full", "face", box=OUTSIDE)
    assert (found.reason, found.detail) == (Reason.BAD_BOX, "outside the picture")
    assert found.outputs == (record_of(tmp_path / "out/full/7.jpg", "full"),)


@pytest.mark.parametrize(
    ("data", "reason", "recipe"),
    [
        (None, Reason.MISSING_ORIGINAL, HASHES.pixels),
        (b"", Reason.EMPTY_FILE, HASHES.pixels),
        (b"<html>", Reason.NOT_AN_IMAGE, HASHES.pixels),
        (b"\x89PNG\r\n\x1a\n", Reason.TRUNCATED, HASHES.bounded),
    ],
)
def test_an_original_that_cannot_be_read_is_an_outcome(tmp_path, data, reason, recipe) -> None:
    path = tmp_path / "original"
    if data is not None:
        path.write_bytes(data)
    found = made(path, tmp_path / "out", "full", "face")
    assert (found.reason, found.recipe, found.outputs) == (reason, recipe, ())
    assert found.original_bytes == (None if data is None else len(data))
    assert files(tmp_path) == ["original"] * (data is not None)


def test_an_original_above_a_bound_is_known_by_the_hash_of_the_bounds(original, tmp_path) -> None:
    recipe = Recipe(bounds=Bounds(max_bytes=100))
    found = make(recipe, recipe.hashes(), wanted(original, tmp_path / "out", "full"))
    assert (found.reason, found.recipe) == (Reason.TOO_MANY_BYTES, recipe.hashes().bounded)


def test_a_folder_cannot_be_an_original(tmp_path) -> None:
    assert made(tmp_path, tmp_path / "out", "full").reason is Reason.UNREADABLE_ORIGINAL


def test_the_kept_rows_of_an_original_that_breaks_off_are_noted(original, tmp_path) -> None:
    noise = np.random.default_rng(2).integers(0, 255, (400, 300, 3), np.uint8)
    Image.fromarray(noise).save(original)
    os.truncate(original, original.stat().st_size // 2)
    recipe = Recipe(bounds=Bounds(truncated="keep"))
    found = make(recipe, recipe.hashes(), wanted(original, tmp_path / "out", "full"))
    assert (found.reason, found.notes) == (None, (Note.TRUNCATED,))
    assert found.recipe == recipe.hashes().bounded
    assert found.detail.endswith("of 400 stored rows are kept")


def test_a_folder_in_the_place_of_an_output_costs_that_image_alone(original, tmp_path) -> None:
    (tmp_path / "out/face/7.jpg/inner").mkdir(parents=True)
    found = made(original, tmp_path / "out", "full", "face")
    assert (found.reason, found.outputs) == (Reason.NO_PLACE, ())
    assert "face/7.jpg" in found.detail


def test_an_output_that_cannot_be_written_ends_the_run(original) -> None:
    outputs = (WantedOutput("full", "/proc/no/7.jpg"),)
    with pytest.raises(OutputError, match=r"/proc/no/7\.jpg: "):
        make(RECIPE, HASHES, Wanted("7", str(original), outputs))


# Spools


def test_outputs_lie_one_behind_the_other_in_a_spool(original, tmp_path) -> None:
    spool = tmp_path / "spool-1"
    spool.write_bytes(b"before")
    found = made(original, tmp_path / "out", "full", "face", spool=str(spool))
    assert (found.spool, found.offset) == ("spool-1", 6)
    alone = made(original, tmp_path / "out", "full", "face")
    assert found.outputs == alone.outputs
    both = [(tmp_path / f"out/{name}/7.jpg").read_bytes() for name in ("full", "face")]
    assert spool.read_bytes() == b"before" + b"".join(both)


def test_a_spool_holds_all_outputs_of_an_image_or_none(original, tmp_path) -> None:
    spool = tmp_path / "spool-1"
    found = made(original, tmp_path, "full", "face", box=OUTSIDE, spool=str(spool))
    assert (found.reason, found.outputs, found.spool) == (Reason.BAD_BOX, (), None)
    assert not spool.exists()


# The ledger


def test_a_worker_records_the_outcome_itself_and_answers_with_the_reason(
    original, tmp_path
) -> None:
    one = wanted(original, tmp_path / "out", "full", "face", box=OUTSIDE)
    with Ledger(tmp_path) as ledger:
        assert make_and_record(ledger, RECIPE, HASHES, one) is Reason.BAD_BOX
        recorded = ledger.outcome("7", Made)
    assert recorded
    assert (recorded.reason, recorded.outputs) == (
        Reason.BAD_BOX,
        (record_of(tmp_path / "out/full/7.jpg", "full"),),
    )
    row = last_outcomes(tmp_path / NAME, "make").collect()
    assert row.select(pl.col("width", "face_width")).rows() == [(64, None)]
