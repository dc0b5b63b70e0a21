"""Which of the files of an id is its original."""

import pytest

from dafre_fast.sources.candidates import Choice, choose_file


def chosen(names: str, wanted: str = "", images: str = "") -> Choice:
    return choose_file(names.split(), wanted.split(), lambda name: name in images.split())


@pytest.mark.parametrize(
    "beside",
    [
        *("5.json", "5.caption", "5.txt", "5.cls", "5.npz", "5.tags", "5", "5.image"),
        *("5.face.png", "5.png.json", "5.mask.png", "5.512px.jpg", "5.orig.png", "5.png.jpg"),
        *("5.part", "5.png.part", "5.tmp", "5.zip", "5.mp4"),
    ],
)
def test_what_lies_beside_a_picture_is_not_taken_for_it_though_it_begins_as_one(beside) -> None:
    names = " ".join(sorted(("5.png", beside)))
    assert chosen(names, images=names) == Choice("5.png")


@pytest.mark.parametrize(
    "alone", ["5.json", "5.face.png", "5.png.part", "5.part", "5.txt", "5.npz", "5.png.json"]
)
def test_nor_is_it_where_there_is_no_picture(alone) -> None:
    unfinished_or_several_extensions = alone if "png" in alone or "part" in alone else ""
    assert chosen(alone, images=unfinished_or_several_extensions) == Choice(None)


@pytest.mark.parametrize("name", ["5.jpg", "5.JPG", "5.jfif", "5.heic", "5.tif"])
def test_the_only_file_with_the_extension_of_an_image_is_taken_unread(name) -> None:
    assert chosen(f"{name} 5.txt") == Choice(name)


@pytest.mark.parametrize(
    ("names", "images", "choice"),
    [
        ("5.jpg 5.png", "5.png", Choice("5.png")),  # the first is an error page
        ("5.gif 5.jpg 5.png", "5.gif 5.jpg 5.png", Choice("5.jpg", ("5.png", "5.gif"))),
        ("5.avif 5.webp", "5.avif 5.webp", Choice("5.webp", ("5.avif",))),
        ("5.jpg 5.png", "", Choice("5.jpg", ("5.png",))),
        ("5 5.bin", "5 5.bin", Choice("5", ("5.bin",))),
        ("5.bin 5.txt", "5.bin", Choice("5.bin")),
    ],
)
def test_of_several_the_one_that_begins_as_an_image_and_has_the_most_usual_extension(
    names, images, choice
) -> None:
    assert chosen(names, images=images) == choice


@pytest.mark.parametrize("name", ["5.zip", "5.mp4", "5.SWF"])
def test_an_original_that_is_no_picture_is_taken_so_that_it_is_refused_as_what_it_is(name) -> None:
    assert chosen(f"5.json {name}") == Choice(name)


def test_the_file_that_tables_name_is_taken_whatever_it_is() -> None:
    assert chosen("5.jpg 5.mp4 5.png", wanted="5.mp4 5.png") == Choice("5.mp4")
    assert chosen("5.JPG 5.png", wanted="5.jpg", images="5.png") == Choice("5.JPG")
    assert chosen("5.json 5.png", wanted="5.jpg") == Choice("5.png")
