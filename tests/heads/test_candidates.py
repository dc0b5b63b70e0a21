"""Posts with exactly one tag of a character are searched for heads."""

import json
from typing import TYPE_CHECKING

import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.heads.candidates import Chosen, choose
from dafre_fast.heads.settings import Candidates

if TYPE_CHECKING:
    from pathlib import Path


def post(image: int, *characters: str, **more: object) -> dict:
    return {
        "id": image,
        "rating": "g",
        "tag_string_general": "solo",
        "tag_string_character": " ".join(characters),
        **more,
    }


@pytest.fixture
def chosen(tmp_path):
    def choose_from(*posts: dict, **rules: object) -> Chosen:
        path = tmp_path / "posts.json"
        path.write_text("".join(json.dumps(one) + "\n" for one in posts))
        (tmp_path / "scratch").mkdir()
        return choose([path], Candidates(**rules), 1.0, tmp_path / "scratch")

    return choose_from


def tags_of(found: Chosen) -> dict[int, str]:
    return dict(found.tags.select("tag_id", "class_name").iter_rows())


def test_posts_with_no_character_or_several_are_left_out(chosen) -> None:
    found = chosen(post(1, "reimu"), post(2), post(3, "reimu", "marisa"), post(4, "marisa"))
    assert found.rows["id"].to_list() == [1, 4]
    assert [(step.name, step.images) for step in found.funnel] == [
        ("posts", 4),
        ("exactly one character tag", 2),
    ]


def test_tags_are_numbered_in_the_order_of_the_posts_chosen(chosen) -> None:
    found = chosen(
        post(9, "sakuya", "marisa"), post(8, "reimu"), post(7, "marisa"), post(6, "reimu")
    )
    assert tags_of(found) == {0: "reimu", 1: "marisa"}
    assert found.rows.rows() == [(8, 0), (7, 1), (6, 0)]


def test_given_tags_keep_their_ids_and_new_ones_follow(chosen, tmp_path) -> None:
    tag_ids: Path = tmp_path / "tagIds.tsv"
    tag_ids.write_text("sakuya\t3\nreimu\t5\n")
    found = chosen(post(1, "marisa"), post(2, "reimu"), tag_ids=tag_ids)
    assert tags_of(found) == {3: "sakuya", 5: "reimu", 6: "marisa"}
    assert found.rows.rows() == [(1, 6), (2, 5)]


def test_ratings_and_flags_count_where_they_are_asked_for(chosen) -> None:
    posts = (post(1, "a", rating="e"), post(2, "b", is_deleted=True), post(3, "c"))
    found = chosen(*posts, ratings=("g",), without=("deleted",))
    assert found.rows["id"].to_list() == [3]


def test_by_default_neither_rating_nor_flags_leave_a_post_out(chosen) -> None:
    posts = (post(1, "a", rating="e"), post(2, "b", is_deleted=True), post(3, "c"))
    assert chosen(*posts).rows.height == 3


def test_metadata_without_characters_are_refused(chosen) -> None:
    with pytest.raises(InputError, match="no post has exactly one tag of a character"):
        chosen(post(1), post(2, "a", "b"))


def test_posts_with_several_characters_count_where_they_are_asked_for(chosen) -> None:
    posts = (post(1, "sakuya", "marisa"), post(2, "reimu"), post(3), post(4, "marisa"))
    found = chosen(*posts, several_characters=True)
    assert found.rows.rows() == [(1, None), (2, 0), (4, 1)]
    assert tags_of(found) == {0: "reimu", 1: "marisa"}
    assert [step.images for step in found.funnel] == [4, 2]


def test_posts_with_several_characters_alone_are_enough_where_they_are_asked_for(chosen) -> None:
    found = chosen(post(1, "sakuya", "marisa"), several_characters=True)
    assert (found.rows.rows(), tags_of(found)) == ([(1, None)], {})
