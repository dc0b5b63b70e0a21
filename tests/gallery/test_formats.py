"""The gallery of outputs of other formats and resize modes."""

import json
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.settings.images import Encoding, FullImage, full_image
from dafre_fast.dataset.shown_boxes import shown_boxes
from tests.commands import here
from tests.edits import drawn
from tests.gallery.test_server import asked, elements

TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "png": "image/png"}


def box_in(mode: str, size: tuple[int, int], box: tuple[float, ...]) -> tuple[float, ...]:
    output = full_image(FullImage(resize_mode=mode), Encoding())
    edges = dict(zip(("left", "top", "right", "bottom"), box, strict=True))
    row = pl.DataFrame(
        {**edges, "original_width": size[0], "original_height": size[1]}, strict=False
    )
    return row.select(**shown_boxes(output)).row(0)


@pytest.mark.parametrize("mode", ["keep_ratio", "keep_ratio_largest", "no"])
def test_where_the_whole_picture_is_shown_a_box_is_as_it_was(mode) -> None:
    assert box_in(mode, (300, 200), (0.1, 0.2, 0.3, 0.4)) == (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("mode", "size", "box", "expected"),
    [
        ("center_crop", (300, 200), (0.5, 0.5, 1.0, 1.0), (0.5, 0.5, 1.25, 1.0)),
        ("center_crop", (200, 400), (0.0, 0.25, 1.0, 0.5), (0.0, 0.0, 1.0, 0.5)),
        ("border", (400, 200), (0.0, 0.0, 0.5, 0.5), (0.0, 0.25, 0.5, 0.5)),
        ("border", (200, 400), (0.0, 0.0, 1.0, 1.0), (0.25, 0.0, 0.75, 1.0)),
    ],
)
def test_a_box_moves_with_what_a_mode_cuts_off_or_adds(mode, size, box, expected) -> None:
    assert box_in(mode, size, box) == pytest.approx(expected)


def made(folder: Path, mode: str, extension: str) -> Path:
    """Make a dataset of two pictures of 60 x 80: a head in the middle, and one at the upper edge,
    which `center_crop` cuts off.
    """
    (folder / "mine").mkdir()
    for number in (1, 2):
        drawn(number, (60, 80)).save(folder / f"mine/{number}.png")
    (folder / "t.csv").write_text(
        "path,key,left,top,right,bottom\n1.png,1,0.25,0.5,0.75,0.75\n2.png,2,0,0,1,0.1\n"
    )
    flags = ("--table", "t.csv", "--source", "mine", "--size", 60, "--workers", 1, "--no-report")
    more = ("--resize-mode", mode, "--encode-format", extension, "--json")
    done = here("full", *flags, *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["success"] == 2
    return folder / "dataset"


@pytest.mark.parametrize("extension", TYPES)
def test_pictures_have_the_address_and_the_type_of_their_format(tmp_path, extension) -> None:
    dataset = made(tmp_path, "keep_ratio", extension)
    for page in ("/", "/image/1"):
        for picture in elements(asked(dataset, page), "img"):
            assert picture["src"].endswith(f".{extension}")
            found = asked(dataset, picture["src"])
            assert (found.status, found.headers["Content-Type"]) == (200, TYPES[extension])
    assert asked(dataset, "/full/1.gif").status == 404


@pytest.mark.parametrize(
    ("mode", "box"),
    [
        ("keep_ratio", ("15", "40", "30", "20")),
        ("center_crop", ("15", "30", "30", "20")),
        ("border", ("18.75", "30", "22.5", "15")),
    ],
)
def test_the_box_of_a_head_is_drawn_where_the_head_is(tmp_path, mode, box) -> None:
    dataset = made(tmp_path, mode, "jpg")
    found = elements(asked(dataset, "/image/1"), "rect")[0]
    edges = [float(found[name]) for name in ("x", "y", "width", "height")]
    assert edges == pytest.approx([*map(float, box)], abs=0.01)


def test_a_head_that_is_cut_off_has_no_box(tmp_path) -> None:
    dataset = made(tmp_path, "center_crop", "jpg")
    assert elements(asked(dataset, "/image/1"), "rect")
    assert not elements(asked(dataset, "/image/2"), "rect")
