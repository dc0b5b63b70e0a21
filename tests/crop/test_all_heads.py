"""`crop --all-heads` cuts every head of heads.parquet out of its original."""

from math import nan
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.settings.detecting import Counting
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running, Workers
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Summary
from dafre_fast.crop.run import crop, crop_all, crop_table
from dafre_fast.crop.settings import CropRun, HeadsTable
from dafre_fast.tables.heads import BOXES
from dafre_fast.verify.run import verify
from dafre_fast.verify.settings import VerifyRun
from tests.commands import tree

COLOURS = [(200, 40, 40), (40, 160, 60), (50, 60, 190)]
"""Colours of the three columns of every picture, each a third of its width."""
THIRDS = [(0.0, 0.0, 1 / 3, 1.0), (1 / 3, 0.0, 2 / 3, 1.0), (2 / 3, 0.0, 1.0, 1.0)]

Head = tuple[int, tuple[float, ...], float]


def write(path: Path, *heads: Head, tag: int | None = 7) -> Path:
    rows = [(image, tag, *box, score, "0123456789abcdef") for image, box, score in heads]
    pl.DataFrame(rows, BOXES, orient="row").write_parquet(path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    for image in (1, 2005):
        path = tmp_path / f"original/{image % 1000:04}/{image}.png"
        path.parent.mkdir(parents=True)
        picture = Image.new("RGB", (90, 60))
        for place, colour in enumerate(COLOURS):
            picture.paste(colour, (30 * place, 0, 30 * place + 30, 60))
        picture.save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut(table: Path, threshold: float = 0.3, bad: float = 1.0, *, resume: bool = True) -> Summary:
    run = CropRun(output=Path("faces"), manifest=Path("crops.parquet"))
    counting = Counting(count_threshold=threshold)
    selection = Selection(max_bad_rows=bad)
    return crop_all(table, run, counting, selection, Recipe(), Running(workers=1, resume=resume))


def manifest() -> pl.DataFrame:
    return pl.read_parquet("crops.parquet")


def colour_of(path: str) -> tuple[int, ...]:
    with Image.open(path) as picture:
        return picture.getpixel((15, 30))


def test_every_head_of_an_image_becomes_a_crop_of_its_own(folder) -> None:
    heads = [(2005, THIRDS[2], 0.9), (1, THIRDS[0], 0.8), (2005, THIRDS[1], 0.7)]
    summary = cut(write(folder / "heads.parquet", *heads))
    assert (summary.images, summary.success) == (3, 3)
    crops = {"0001/1_0.jpg": 0, "0005/2005_0.jpg": 2, "0005/2005_1.jpg": 1}
    assert {name for name in tree(folder / "faces") if name.endswith(".jpg")} == {*crops}
    for name, place in crops.items():
        assert colour_of(f"faces/{name}") == pytest.approx(COLOURS[place], abs=4)


def test_the_number_of_a_head_is_its_place_whatever_the_threshold(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.2), (1, THIRDS[1], 0.9))
    cut(table)
    assert manifest()["path"].to_list() == ["0001/1_1.jpg"]
    assert colour_of("faces/0001/1_1.jpg") == pytest.approx(COLOURS[1], abs=4)


def test_a_score_at_the_threshold_is_sure_enough(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.3), (1, THIRDS[1], 0.29))
    assert cut(table).images == 1


def test_the_manifest_names_image_head_tag_score_and_outcome(folder) -> None:
    cut(write(folder / "heads.parquet", (1, THIRDS[1], 0.75), tag=None))
    row = manifest().row(0, named=True)
    known = {name: row[name] for name in ("id", "n", "tag_id", "score", "status", "face_width")}
    assert known == {
        "id": 1, "n": 0, "tag_id": None, "score": 0.75, "status": "success", "face_width": 30,
    }  # fmt: skip


def test_each_box_has_an_outcome(folder) -> None:
    nan = float("nan")
    heads = [
        (1, THIRDS[0], 0.9),
        (1, (nan, 0.0, 1.0, 1.0), 0.9),
        (1, (0.5, 0.5, 0.4, 0.9), 0.9),
        (1, (3.0, 3.0, 4.0, 4.0), 0.9),
        (3, THIRDS[0], 0.9),
        (1, THIRDS[1], 0.1),
    ]
    summary = cut(write(folder / "heads.parquet", *heads))
    assert (summary.images, summary.success) == (5, 1)
    assert summary.refused == {"bad_box": 3, "missing_original": 1}
    assert [step.images for step in summary.funnel] == [6, 5]
    missing = manifest().row(4, named=True)
    assert missing["error_message"] == "3.* not in original"


def test_rows_that_cannot_be_heads_are_set_aside_and_named(folder) -> None:
    nan = float("nan")
    heads = [
        (1, THIRDS[0], 0.9),
        (1, THIRDS[0], 0.9),
        (-5, THIRDS[0], 0.9),
        (None, THIRDS[0], 0.9),
        (1, THIRDS[1], nan),
        (1, THIRDS[1], 1.5),
        (1, (None, 0.0, 1.0, 1.0), 0.9),
    ]
    summary = cut(write(folder / "heads.parquet", *heads))
    assert summary.images == 1
    assert {one.problem: list(one.lines) for one in summary.bad_rows} == {
        "duplicate_row": [2],
        "bad_id": [3, 4],
        "bad_confidence": [5, 6],
        "bad_box_text": [7],
    }
    with pytest.raises(InputError, match="6 of 7 rows are malformed"):
        cut(folder / "heads.parquet", bad=0.01)


def table_without(column: str) -> pl.DataFrame:
    return pl.DataFrame(schema=BOXES).drop(column)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (table_without("score"), "has no column score, so is no heads.parquet"),
        (pl.DataFrame({"a": [1]}), "has no column id, tag_id, left, top"),
        (
            pl.DataFrame(schema=BOXES | {"id": pl.String()}),
            "column id is of type String, not Int64",
        ),
        (
            pl.DataFrame(schema=BOXES | {"left": pl.List(pl.Float32)}),
            r"column left is of type List\(Float32\), not Float32",
        ),
        (pl.DataFrame(schema=BOXES), "has no row"),
        (b"PAR1 and no more", "is not a Parquet file"),
        (b"0001\\1.jpg\t0\t0, 0, 1, 1 0.9\n", "is not a Parquet file"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_no_table_of_heads_is_one_line(folder, table, message) -> None:
    path = folder / "heads.parquet"
    if isinstance(table, pl.DataFrame):
        table.write_parquet(path)
    elif table is not None:
        path.write_bytes(table)
    with pytest.raises(InputError, match=message) as raised:
        cut(path)
    assert "\n" not in str(raised.value)
    assert not (folder / "faces").exists()


def test_numbers_of_other_widths_are_as_good(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[1], 0.9))
    wide = dict.fromkeys(("left", "top", "right", "bottom", "score"), pl.Float64)
    pl.read_parquet(table).cast({"id": pl.UInt32, **wide}).write_parquet(table)
    assert cut(table).success == 1


def test_no_head_that_is_sure_enough_is_one_line(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.2))
    with pytest.raises(InputError, match="of 1 boxes none is good"):
        cut(table)


def test_a_second_run_cuts_nothing_and_a_missing_crop_alone(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.9), (1, THIRDS[1], 0.8))
    cut(table)
    before = tree(folder / "faces")
    assert cut(table).work.images == 0
    (folder / "faces/0001/1_1.jpg").unlink()
    assert cut(table).work.images == 1
    assert {name: before[name] for name in before if name.endswith(".jpg")}.items() <= tree(
        folder / "faces"
    ).items()


def test_an_original_that_comes_later_is_cut_then(folder) -> None:
    path = folder / "original/0001/1.png"
    path.rename(folder / "aside.png")
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.9))
    assert cut(table).refused == {"missing_original": 1}
    (folder / "aside.png").rename(path)
    assert cut(table).success == 1


def test_the_crops_can_be_verified(folder) -> None:
    cut(write(folder / "heads.parquet", (1, THIRDS[0], 0.9), (1, THIRDS[1], 0.8)))
    for known in (None, Path("crops.parquet")):
        found = verify(VerifyRun(output=Path("faces"), manifest=known), Workers(workers=1))
        assert (found.files, found.findings) == (2, [])
    (folder / "faces/0001/1_1.jpg").write_bytes(b"")
    (folder / "faces/0001/1_2.jpg").write_bytes(b"")
    found = verify(VerifyRun(output=Path("faces")), Workers(workers=1))
    assert {one.where for one in found.findings} == {"0001/1_1.jpg", "0001/1_2.jpg"}


def test_crops_never_take_the_place_of_originals(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.9))
    run = CropRun(input=Path("original"), output=Path("original"))
    with pytest.raises(UsageError, match="among"):
        crop_all(table, run, Counting(), Selection(), Recipe(), Running(workers=1))


def test_nothing_is_written_where_there_are_no_originals(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.9))
    run = CropRun(input=Path("nowhere"), output=Path("faces"))
    with pytest.raises(InputError, match="not a folder"):
        crop_all(table, run, Counting(), Selection(), Recipe(), Running(workers=1))
    assert not (folder / "faces").exists()


@pytest.mark.parametrize(
    ("tables", "settings", "message"),
    [
        ({}, {}, "--faces or --all-heads is needed"),
        ({"faces": "a", "all_heads": "b"}, {}, "and not both"),
        ({"all_heads": "b"}, {"min_confidence": 0.5}, "are for --faces"),
        ({"all_heads": "b"}, {"min_images": 5}, "are for --faces"),
        ({"faces": "b"}, {"count_threshold": 0.5}, "--count-threshold is for --all-heads"),
    ],
)
def test_settings_of_the_other_table_are_refused(tables, settings, message) -> None:
    table = HeadsTable(**{name: Path(path) for name, path in tables.items()})
    counting = Counting(**{key: settings[key] for key in settings if key == "count_threshold"})
    rules = Selection(**{key: settings[key] for key in settings if key != "count_threshold"})
    with pytest.raises(UsageError, match=message):
        crop_table(table, CropRun(), rules, counting, Recipe(), Running())


def test_crops_of_other_boxes_are_not_kept_as_if_they_were_of_these(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.9), (1, THIRDS[2], 0.8))
    cut(table)
    write(table, (1, THIRDS[1], 0.9), (1, THIRDS[2], 0.8))
    with pytest.raises(UsageError, match=r"1 crop has another box .* such as 0001/1_0.jpg"):
        cut(table)
    assert colour_of("faces/0001/1_0.jpg") == pytest.approx(COLOURS[0], abs=4)
    cut(table, resume=False)
    assert colour_of("faces/0001/1_0.jpg") == pytest.approx(COLOURS[1], abs=4)


def test_crops_of_further_boxes_join_those_there_are(folder) -> None:
    table = write(folder / "heads.parquet", (1, THIRDS[0], 0.9))
    cut(table)
    write(table, (1, THIRDS[0], 0.9), (1, THIRDS[1], 0.8))
    assert cut(table).work.images == 1
    write(table, (1, THIRDS[2], 0.9))
    with pytest.raises(UsageError, match="1 crop has another box"):
        cut(table)


def test_a_row_of_faces_tsv_with_another_box_is_no_old_crop_either(folder) -> None:
    def crop_with(box: str) -> None:
        (folder / "faces.tsv").write_text(f"0001\\1.jpg\t0\t{box} 0.9\n")
        rules = Selection(min_images=1)
        crop(folder / "faces.tsv", CropRun(), rules, Recipe(), Running(workers=1))

    crop_with("0, 0, 0.3, 1")
    crop_with("0, 0, 0.3, 1")
    with pytest.raises(UsageError, match="1 crop has another box"):
        crop_with("0.4, 0, 0.6, 1")


def test_a_box_that_is_not_a_number_is_the_same_in_the_next_run(folder) -> None:
    table = write(folder / "heads.parquet", (1, (nan, 0.0, 1.0, 1.0), 0.9))
    cut(table)
    assert cut(table).work.images == 0


def test_a_limit_takes_the_first_rows(folder) -> None:
    heads = [(image, box, 0.9) for image in (1, 2005) for box in THIRDS]
    table = write(folder / "heads.parquet", *heads)
    run = CropRun(output=Path("faces"), manifest=Path("crops.parquet"))
    rules = HeadsTable(all_heads=table), run, Selection(limit=2), Counting()
    found = crop_table(*rules, Recipe(), Running(workers=1))
    assert found.images == 2
    assert manifest()["path"].to_list() == ["0001/1_0.jpg", "0001/1_1.jpg"]
