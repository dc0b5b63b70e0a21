"""The report shows the heads that a detector found, with their boxes."""

import json
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import InputError
from dafre_fast.core.records import Box
from dafre_fast.report.records import Written
from dafre_fast.report.run import write_report
from dafre_fast.report.settings import ReportRun
from dafre_fast.tables.heads import BOXES, Search, write_heads

NAMES = ("reimu", '<img src=x onerror="alert(1)">', "marisa_(a)")
LEFT, RIGHT, WEAK = (0.1, 0.2, 0.4, 0.6), (0.5, 0.2, 0.9, 0.6), (0.2, 0.5, 0.3, 0.7)
HEADS = {
    1: [(LEFT, 0.95)],
    2: [(RIGHT, 0.5), (WEAK, 0.2)],
    3: [],
    4: [(WEAK, 0.15), (LEFT, 0.25)],
    1005: [(LEFT, 0.9), (RIGHT, 0.875)],
}
"""Boxes and scores by id; 0.3 is the threshold. The originals of 6 and 7 were refused."""
COUNTS = {1: 1, 2: 1, 3: 0, 4: 0, 1005: 2, 6: None, 7: None}
TAGS = {1: 0, 2: 1, 3: 2, 4: 0, 1005: None, 6: 0, 7: 1}


class Page(HTMLParser):
    """The attributes of all elements of a page, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.words = list[tuple[str, dict[str, str]]](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def alt(self, image: int) -> str:
        """Return the text for the picture of an image."""
        return next(one["alt"] for one in self.of("img") if f"Image {image}," in one["alt"])


def write_search(folder: Path, tables: Path) -> None:
    """Write what `heads` leaves: its tables, and in `folder` the originals that could be read."""
    rows = [
        (image, TAGS[image], *box, score, "0123456789abcdef")
        for image, heads in HEADS.items()
        for box, score in heads
    ]
    write_tables(tables, pl.DataFrame(rows, BOXES, orient="row"))
    for image in HEADS:
        path = folder / f"original/{image % 1000:04}/{image}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (400, 300), (40, 120, 200)).save(path)


def write_tables(folder: Path, boxes: pl.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_heads(boxes, folder / "heads.parquet", Search("model <1>.onnx", 0.3))
    lines = (f"{name}\t{tag}\n" for tag, name in enumerate(NAMES))
    (folder / "tagIds.tsv").write_text("".join(lines))
    steps = [{"name": "posts", "images": 9, "classes": 4}]
    steps += [{"name": "exactly one head", "images": 2, "classes": 2}]
    (folder / "funnel.json").write_text(json.dumps({"steps": steps}))
    refused = {6: "not_an_image", 7: "missing_original"}
    pl.DataFrame(
        {
            "id": [*COUNTS],
            "tag_id": [TAGS[image] for image in COUNTS],
            "status": [refused.get(image, "success") for image in COUNTS],
            "error_message": [f"<i>{image}</i>" if image in refused else None for image in COUNTS],
            "original_width": [None if image in refused else 400 for image in COUNTS],
            "original_height": [None if image in refused else 300 for image in COUNTS],
            "heads": [*COUNTS.values()],
        }
    ).write_parquet(folder / "manifest.parquet")


@pytest.fixture
def folder(tmp_path) -> Path:
    write_search(tmp_path / "heads", tmp_path / "heads")
    return tmp_path / "heads"


def report(folder: Path, **settings: object) -> tuple[Page, Written]:
    written = write_report(ReportRun(output=folder, **settings))
    return Page((folder / "report/index.html").read_text()), written


def test_the_counts_add_up_to_the_images_searched(folder) -> None:
    page, written = report(folder)
    assert "7 images searched = 2 with exactly one head + 2 with none + 1 with several" in page.text
    assert "Of 7 boxes it found, 4 have a score of 0.3 or more" in page.text
    assert "The detector is model <1>.onnx." in page.text
    assert (written.images, written.left_out, written.unread) == (7, {}, [])


def test_an_image_with_one_head_has_its_box_and_score(folder) -> None:
    page, _ = report(folder)
    assert page.alt(1) == "Image 1, reimu: one head, score 0.95"
    places = [
        {name: float(one[name]) for name in ("x", "y", "width", "height")}
        for one in page.of("rect")
        if one["class"] == "head"
    ]
    width, height = 320, 240  # of the small picture
    left, top, right, bottom = LEFT
    assert {
        "x": pytest.approx(left * width, abs=0.01),
        "y": pytest.approx(top * height, abs=0.01),
        "width": pytest.approx((right - left) * width, abs=0.01),
        "height": pytest.approx((bottom - top) * height, abs=0.01),
    } in places
    assert len(places) == 4


def test_an_image_without_a_head_has_the_best_box_dashed_if_there_is_one(folder) -> None:
    page, _ = report(folder)
    assert page.alt(4) == "Image 4, reimu: no head, the best box scores 0.25"
    assert page.alt(3) == "Image 3, marisa_(a): no head, and no box at all"
    assert len([one for one in page.of("rect") if one["class"] == "head below"]) == 1


def test_an_image_with_several_heads_has_all_their_boxes(folder) -> None:
    page, _ = report(folder)
    assert page.alt(1005) == "Image 1005, several characters: 2 heads, scores 0.90, 0.88"


def test_names_and_details_are_text_whatever_they_hold(folder) -> None:
    page, _ = report(folder)
    assert page.alt(2) == f"Image 2, {NAMES[1]}: one head, score 0.50"
    assert "<i>6</i>" in page.text
    assert not page.of("i")
    assert not page.of("script")


def test_the_thresholds_are_in_the_figures(folder) -> None:
    page, _ = report(folder)
    for words in ("counted from 0.3", "labelled from 0.85", "3 of them have 0.85 or more"):
        assert words in page.text


def test_refusals_and_funnel_are_shown(folder) -> None:
    page, _ = report(folder)
    for words in ("not_an_image", "missing_original", "exactly one head", "posts"):
        assert words in page.text


def test_originals_that_were_not_kept_are_said_to_be_so(folder) -> None:
    (folder / "original/0001/1.png").unlink()
    (folder / "original/0002/2.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    page, written = report(folder)
    assert "original not kept" in page.text
    assert "one head, score 0.95" in page.text
    assert written.unread == ["2.png"]
    assert "cannot be shown" in page.text


def test_an_original_is_found_where_it_was_searched(folder) -> None:
    elsewhere = folder.parent / "elsewhere.png"
    (folder / "original/0001/1.png").rename(elsewhere)
    state = folder / ".dafre_fast"
    state.mkdir()
    line = {"stage": "detect", "key": "1", "original": str(elsewhere)}
    (state / "ledger.jsonl").write_text(json.dumps(line) + "\n")
    assert "Image 1," in report(folder)[0].alt(1)


def test_a_sheet_has_no_more_images_than_asked_for(folder) -> None:
    page, _ = report(folder, sheet=1)
    assert len([one for one in page.of("img") if one["alt"].startswith("Image")]) == 3
    assert "1 of them, chosen by a hash of their id" in page.text


def test_a_search_that_found_no_head_is_shown(folder) -> None:
    weak = pl.read_parquet(folder / "heads.parquet").with_columns(score=pl.lit(0.2, pl.Float32))
    write_tables(folder, weak)
    found = pl.read_parquet(folder / "manifest.parquet")
    found.with_columns(heads=pl.col("heads") * 0).write_parquet(folder / "manifest.parquet")
    assert "0 have a score of 0.3 or more" in report(folder)[0].text


def test_a_search_without_any_box_is_shown(folder) -> None:
    write_tables(folder, pl.DataFrame(schema=BOXES))
    assert "Of 0 boxes it found" in report(folder)[0].text


@pytest.mark.parametrize("name", ["heads.parquet", "manifest.parquet"])
def test_a_damaged_table_is_one_line(folder, name) -> None:
    (folder / name).write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=name) as raised:
        report(folder)
    assert "\n" not in str(raised.value)
    assert not (folder / "report").exists()


def test_records_beside_the_tables_may_be_missing_or_damaged(folder) -> None:
    (folder / "tagIds.tsv").unlink()
    (folder / "funnel.json").write_text("{")
    page, written = report(folder)
    assert page.alt(1) == "Image 1, tag 0: one head, score 0.95"
    assert written.left_out == {"funnel of heads": "funnel.json cannot be read"}
    assert written.unread == ["funnel.json", "tagIds.tsv"]


def test_the_same_tables_give_the_same_bytes(folder) -> None:
    def files() -> dict[Path, bytes]:
        report(folder)
        paths = (path for path in (folder / "report").rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in paths}

    assert files() == files()


def write_dataset(output: Path) -> None:
    """Write the manifest of a dataset, in which images 1 and 2 were made."""
    output.mkdir()
    rows = {
        "id": [1, 2],
        "path": ["0001/1.jpg", "0002/2.jpg"],
        "tag_id": [0, 1],
        "class_id": [0, 1],
        "class_name": NAMES[:2],
        "split": ["train", "test"],
        "status": ["success"] * 2,
        **{edge: [0.1, 0.2] for edge in Box._fields},
    }
    pl.DataFrame(rows).write_parquet(output / "manifest.parquet")


def test_a_dataset_made_with_a_detector_has_a_section_of_its_heads(tmp_path) -> None:
    output = tmp_path / "dataset"
    write_dataset(output)
    write_search(output, output / "heads")
    page, written = report(output)
    assert {"#found", "#classes"} <= {one.get("href") for one in page.of("a")}
    assert page.alt(1) == "Image 1, reimu: one head, score 0.95"
    assert "heads found" not in written.left_out
    (output / "heads/heads.parquet").write_bytes(b"")
    page, written = report(output)
    assert written.left_out["heads found"].startswith("heads.parquet: ")


def test_a_dataset_with_a_faces_table_has_no_such_section(tmp_path) -> None:
    write_dataset(tmp_path / "dataset")
    page, written = report(tmp_path / "dataset")
    assert "#found" not in {one.get("href") for one in page.of("a")}
    assert "heads found" not in written.left_out
