import msgspec
import numpy as np
import pytest

from dafre_fast.sample.cast import Kind, heads, portraits, tag_names
from dafre_fast.sample.drawing import describe, draw
from dafre_fast.sample.metadata import write_metadata
from dafre_fast.sample.vocabulary import Category
from tests.sample.shapes import tags

FLAGS = ("is_pending", "is_flagged", "is_deleted", "is_banned")


@pytest.fixture(scope="module")
def drawn():
    return portraits()


@pytest.fixture(scope="module")
def files(drawn, tmp_path_factory):
    return write_metadata(drawn, tmp_path_factory.mktemp("metadata"))


@pytest.fixture(scope="module")
def posts(files) -> dict[int, dict]:
    """Posts of both files, by id."""
    lines = [line for path in files for line in path.read_bytes().splitlines()]
    found = [msgspec.json.decode(line) for line in lines]
    assert len({int(post["id"]) for post in found}) == len(found)
    return {int(post["id"]): post for post in found}


def test_there_is_a_file_of_each_shape(files) -> None:
    old, new = (
        [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] for path in files
    )
    assert all("tags" in post and isinstance(post["id"], str) for post in old)
    assert all("tag_string_general" in post and isinstance(post["id"], int) for post in new)
    assert min(len(old), len(new)) > 100


def test_the_same_is_written_again(drawn, files, tmp_path) -> None:
    again = write_metadata(drawn, tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]


def test_every_row_of_the_table_has_its_post_and_its_character(drawn, posts) -> None:
    names = tag_names()
    for head in heads(drawn):
        assert tags(posts[head.id], Category.CHARACTER) == [names[head.tag_id]]
        assert len(tags(posts[head.id], Category.SERIES)) == 1
    assert len(posts) > len(heads(drawn))


def test_posts_of_originals_tell_size_and_extension_and_are_in_order(drawn, posts) -> None:
    for one in drawn:
        post = posts[one.id]
        size = int(post["image_width"]), int(post["image_height"])
        assert (*size, post["file_ext"]) == (one.width, one.height, one.kind.extension)
        assert not any(post[flag] for flag in FLAGS)
        assert post["rating"] in {"g", "s"}
        assert tags(post, Category.GENERAL) == sorted(describe(one))


def test_some_other_posts_are_not_in_order_and_some_not_safe(drawn, posts) -> None:
    others = [post for id, post in posts.items() if id not in {one.id for one in drawn}]
    for flag in FLAGS:
        assert any(post[flag] for post in others)
    assert {"q", "e"} < {post["rating"] for post in others}


def test_nothing_is_told_that_would_give_a_planted_fault_away(posts) -> None:
    assert not {"md5", "file_size"} & {name for post in posts.values() for name in post}


def test_a_transparent_background_is_told_of_pngs_that_have_one(drawn) -> None:
    for one in drawn:
        transparent = one.kind is Kind.PNG_ALPHA
        assert ("transparent_background" in describe(one)) is transparent
        assert any(tag.endswith("_background") for tag in describe(one))


IRISES = (
    (40, 80, 190),
    (190, 60, 110),
    (60, 140, 70),
    (110, 60, 160),
    (210, 60, 60),
    (220, 150, 40),
)
LONG_HAIR = {0: (74, 120, 214), 2: (222, 126, 52), 4: (236, 236, 244)}
SKIN = (255, 226, 206)


def colour_at(one, x: float, y: float) -> np.ndarray:
    """Return the colour at a point, in units of the head's radius from its centre."""
    short = min(one.width, one.height)
    row = int((one.head_y + y * one.radius) * short)
    return draw(one)[0][row, int((one.head_x + x * one.radius) * short)].astype(int)


def test_eyes_are_told_to_be_closed_where_they_are(drawn) -> None:
    small = [one for one in drawn if max(one.width, one.height) < 900]
    assert {"closed_eyes" in describe(one) for one in small} == {True, False}
    for one in small:
        closed = "closed_eyes" in describe(one)
        there = colour_at(one, -0.36, 0.46)
        assert np.abs(there - (SKIN if closed else IRISES[one.character])).max() < 12
        assert ("looking_at_viewer" in describe(one)) is not closed


def test_hair_is_told_to_be_long_where_it_reaches_beyond_the_chin(drawn) -> None:
    for one in {one.character: one for one in drawn if one.width < 1000}.values():
        is_long = "long_hair" in describe(one)
        assert is_long is (one.character in LONG_HAIR)
        assert is_long is not ("short_hair" in describe(one))
        if is_long:
            assert np.abs(colour_at(one, 0.85, 1.0) - LONG_HAIR[one.character]).max() < 12
