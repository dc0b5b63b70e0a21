"""Reviews: one image after the other, by several people, and what they say together."""

import io
import json
import shutil
from pathlib import Path
from urllib.parse import urlencode

import polars as pl
import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.dataset.chosen import Lists, read_chosen
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.gallery.marks import FILE, Marks
from dafre_fast.gallery.server import gallery
from dafre_fast.gallery.settings import GalleryRun
from tests.gallery.small_dataset import images
from tests.gallery.test_marks import FORM, HERE
from tests.gallery.test_server import Answer, Ask, elements, talk

TEST = [one for one in images() if one.split == "test" and one.status == "success"]
VIEW = [("q", "split:test"), ("order", "manifest")]
QUERY = urlencode(VIEW, safe=":")


@pytest.fixture
def own(dataset, tmp_path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "own"))


async def act(ask: Ask, act: str, person: str = "anna", **fields: object) -> Answer:
    """Send the form of a review as a page would."""
    text = urlencode([("act", act), *VIEW, *fields.items()])
    return await ask("/review", "POST", text, Cookie=f"reviewer={person}", **HERE, **FORM)


async def shown(ask: Ask, person: str = "anna") -> int | None:
    """Return the id of the image that a person is asked about."""
    page = await ask(f"/review?{QUERY}", Cookie=f"reviewer={person}")
    assert page.status == 200
    ids = [int(one["value"]) for one in elements(page, "input") if one.get("name") == "id"]
    return ids[0] if ids else None


async def judge(ask: Ask, person: str, letters: str) -> None:
    """Give verdicts on the test images in order: r, w, s."""
    for one, letter in zip(TEST, letters, strict=False):
        await act(ask, {"r": "right", "w": "wrong", "s": "skip"}[letter], person, id=one.id)


async def asked(ask: Ask, question: str) -> list[int]:
    page = await ask(f"/?q={question}&order=manifest")
    assert page.status == 200
    return [int(one["value"]) for one in elements(page, "input") if one.get("name") == "id"]


def test_images_of_a_view_come_one_after_the_other_without_those_that_were_refused(own) -> None:
    async def say(ask: Ask) -> None:
        for number, one in enumerate(TEST[:4]):
            assert await shown(ask) == one.id
            answer = await act(ask, ("right", "wrong", "skip")[number % 3], id=one.id)
            assert (answer.status, answer.headers["Location"]) == (303, f"/review?{QUERY}")
        assert await shown(ask, "ben") == TEST[0].id
        page = await ask(f"/review?{QUERY}", Cookie="reviewer=anna")
        assert f"5 of {len(TEST)}" in page.words

    talk(own, say)


def test_what_a_person_did_last_is_undone_and_nobody_elses(own) -> None:
    async def say(ask: Ask) -> None:
        await judge(ask, "anna", "rw")
        await judge(ask, "ben", "w")
        await act(ask, "undo", "anna")
        assert await shown(ask, "anna") == TEST[1].id
        assert await shown(ask, "ben") == TEST[1].id
        await act(ask, "undo", "anna")
        await act(ask, "undo", "anna")
        assert await shown(ask, "anna") == TEST[0].id
        assert await asked(ask, "verdict:wrong") == [TEST[0].id]

    talk(own, say)


def test_at_the_end_images_that_were_skipped_can_be_shown_again(own) -> None:
    async def say(ask: Ask) -> None:
        await judge(ask, "anna", "rs" + "r" * (len(TEST) - 3) + "s")
        page = await ask(f"/review?{QUERY}", Cookie="reviewer=anna")
        assert f"All {len(TEST)} images are seen" in page.words
        assert "Show 2 skipped again" in page.words
        await act(ask, "again")
        assert await shown(ask) == TEST[1].id
        await act(ask, "undo")
        assert await shown(ask) is None

    talk(own, say)


def test_a_second_verdict_of_a_person_replaces_the_first_and_undo_brings_it_back(own) -> None:
    async def say(ask: Ask) -> None:
        await act(ask, "right", id=TEST[0].id)
        await act(ask, "wrong", id=TEST[0].id)
        assert await asked(ask, "verdict:wrong") == [TEST[0].id]
        await act(ask, "undo")
        assert await asked(ask, "verdict:right") == [TEST[0].id]

    talk(own, say)


def test_a_name_is_asked_once_and_kept_by_the_browser(own) -> None:
    async def say(ask: Ask) -> None:
        page = await ask(f"/review?{QUERY}")
        assert "Who reviews?" in page.words
        text = urlencode([("act", "name"), ("name", " Anna  Ö "), *VIEW])
        answer = await ask("/review", "POST", text, **HERE, **FORM)
        assert (answer.status, answer.headers["Location"]) == (303, f"/review?{QUERY}")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("reviewer=Anna%20%C3%96;")
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
        assert await shown(ask, "Anna%20%C3%96") == TEST[0].id
        page = await ask(f"/review?{QUERY}", Cookie="reviewer=Anna%20%C3%96")
        assert "Reviewer: Anna Ö" in page.words

    talk(own, say)


def test_the_name_may_be_given_on_the_command_line(own) -> None:
    async def say(ask: Ask) -> None:
        await act(ask, "wrong", "somebody", id=TEST[0].id)
        assert "carl 0 1 0" in (await ask("/agreement")).words
        assert (await act(ask, "name", name="other")).status == 400

    talk(own, say, reviewer="carl")


def test_disagreements_are_a_question(own) -> None:
    async def say(ask: Ask) -> None:
        await judge(ask, "anna", "rrwws")
        await judge(ask, "ben", "rwwrr")
        ids = [one.id for one in TEST]
        assert await asked(ask, "verdict:disputed") == [ids[1], ids[3]]
        assert await asked(ask, "verdict:right") == [ids[0], ids[4]]
        assert await asked(ask, "verdict:wrong") == [ids[2]]
        assert await asked(ask, "verdict:none+split:test+status:success") == ids[5:65]
        assert (await ask("/?q=verdict:good")).status == 400
        page = await ask("/agreement")
        assert "disputed 2" in page.words
        assert "anna and ben 4 50.0% 0.000" in page.words
        assert "/?q=verdict:disputed" in [link["href"] for link in elements(page, "a")]
        assert "anna: right, ben: wrong" in (await ask(f"/image/{ids[1]}")).words

    talk(own, say)


def test_verdicts_are_kept_in_the_file_of_marks_and_never_in_the_dataset(own) -> None:
    async def say(ask: Ask) -> None:
        await judge(ask, "anna", "r")

    before = {path for path in own.rglob("*") if ".dafre_fast" not in path.parts}
    talk(own, say)
    line = json.loads((own / ".dafre_fast/gallery" / FILE).read_text())
    assert (line["by"], line["mark"], line["ids"]) == ("anna", "right", [TEST[0].id])
    assert {path for path in own.rglob("*") if ".dafre_fast" not in path.parts} == before


def test_verdicts_and_marks_share_a_file_and_are_undone_apart(tmp_path) -> None:
    marks = Marks(tmp_path)
    marks.set("wrong head", [1], on=True)
    marks.judge("anna", "wrong", [2])
    assert marks.undo().ids == [1]
    assert marks.of("wrong head") == {}
    assert "wrong" not in marks.names()
    assert marks.undo() is None
    assert [*Marks(tmp_path).verdicts()["anna"]] == [2]
    assert marks.unjudge("anna") == [2]
    assert marks.unjudge("nobody") == []
    assert Marks(tmp_path).verdicts()["anna"] == {}


def test_files_of_others_are_merged(own, tmp_path) -> None:
    other = Marks(tmp_path, "ben.jsonl")
    other.judge("ben", "wrong", [TEST[0].id, TEST[1].id])
    other.judge("ben", "right", [10**9])  # of an image that this dataset does not have
    before = (tmp_path / "ben.jsonl").read_bytes()

    async def say(ask: Ask) -> None:
        await judge(ask, "anna", "rw")
        assert await asked(ask, "verdict:disputed") == [TEST[0].id]
        assert await asked(ask, "verdict:wrong") == [TEST[1].id]
        other.judge("ben", "right", [TEST[0].id])
        assert await asked(ask, "verdict:disputed") == []

    talk(own, say, reviews=(tmp_path / "ben.jsonl",))
    assert (tmp_path / "ben.jsonl").read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"reviews": (Path("nowhere.jsonl"),)}, InputError, "nowhere.jsonl: is no file of marks"),
        ({"reviewer": "a*"}, UsageError, "--reviewer: 'a\\*' is no name"),
    ],
)
def test_settings_that_fit_nothing_are_refused(dataset, settings, error, said) -> None:
    with pytest.raises(error, match=said):
        gallery(GalleryRun(output=dataset, port=0, **settings), lambda *_: None)


@pytest.mark.parametrize(
    "line",
    [
        b"nothing\n",
        b'{"time":"2024-01-01T00:00:00Z","mark":"nice","ids":[5],"by":"ben"}\n',
    ],
)
def test_a_damaged_file_of_another_is_named(own, tmp_path, line) -> None:
    (tmp_path / "ben.jsonl").write_bytes(line)
    with pytest.raises(InputError, match=r"ben\.jsonl: byte 0"):
        gallery(GalleryRun(output=own, port=0, reviews=(tmp_path / "ben.jsonl",)), lambda *_: None)


def test_verdicts_are_exported_by_person_and_together_for_lists(own, tmp_path) -> None:
    async def say(ask: Ask) -> None:
        await judge(ask, "ben", "wrs")
        await judge(ask, "anna", "ww")
        table = pl.read_parquet(io.BytesIO((await ask("/verdicts.parquet")).body))
        assert table.columns == ["id", "mark", "by", "time", "class_name", "split", "path"]
        first, second = TEST[0].id, TEST[1].id
        assert sorted(table.select("by", "id", "mark").rows()) == sorted(
            [
                ("anna", first, "wrong"),
                ("anna", second, "wrong"),
                ("ben", first, "wrong"),
                ("ben", second, "right"),
            ]
        )
        together = pl.read_csv((await ask("/verdicts.csv?merged=1")).body)
        assert sorted(together.select("id", "mark", "right", "wrong").rows()) == sorted(
            [(first, "wrong", 0, 2), (second, "disputed", 1, 1)]
        )
        assert (await ask("/verdicts.txt?merged=1&mark=wrong")).text == f"{first}\n"
        (tmp_path / "verdicts.csv").write_bytes((await ask("/verdicts.csv")).body)
        lists = Lists(exclude=tmp_path / "verdicts.csv", mark=("wrong",))
        assert {*read_chosen(lists, open_manifest(own)).exclude} == {first, second}
        assert (await ask("/verdicts.csv?x=1")).status == 400

    talk(own, say)


@pytest.mark.parametrize(
    ("person", "act_", "fields"),
    [
        ("", "right", {"id": TEST[0].id}),
        ("anna", "right", {"id": 1}),
        ("anna", "right", {"id": "x"}),
        ("anna", "right", {}),
        ("anna", "praise", {"id": TEST[0].id}),
        ("anna", "right", {"id": TEST[0].id, "unknown": 1}),
        ("anna", "name", {"name": "x" * 61}),
    ],
)
def test_a_form_that_judges_nothing_is_refused_and_changes_nothing(
    own, person, act_, fields
) -> None:
    async def say(ask: Ask) -> None:
        assert (await act(ask, act_, person, **fields)).status == 400
        assert (await ask("/verdicts.txt")).text == ""

    talk(own, say)


def test_other_sites_and_other_people_cannot_judge(own) -> None:
    async def say(ask: Ask) -> None:
        text = urlencode([("act", "right"), ("id", TEST[0].id)])
        answer = await ask(
            "/review", "POST", text, Origin="http://evil.example", Host=HERE["Host"], **FORM
        )
        assert answer.status == 403

    async def refused(ask: Ask) -> None:
        assert (await act(ask, "right", id=TEST[0].id)).status == 405
        assert (await ask("/review")).status == 404
        assert (await ask("/agreement")).status == 200
        assert not [one for one in elements(await ask("/"), "a") if "review" in one["href"]]

    talk(own, say)
    talk(own, refused, host="0.0.0.0")


def test_a_review_shows_others_of_the_class_and_nothing_of_a_view_without_pictures(own) -> None:
    async def say(ask: Ask) -> None:
        page = await ask(f"/review?{QUERY}", Cookie="reviewer=anna")
        hrefs = [link["href"] for link in elements(page, "a") if "/image/" in link["href"]]
        ids = [int(href.partition("/image/")[2].partition("?")[0]) for href in hrefs[1:]]
        of_class = {one.id for one in images() if one.class_id == TEST[0].class_id}
        assert len(ids) == 6
        assert {*ids} <= of_class - {TEST[0].id}
        page = await ask("/review?q=status:refused", Cookie="reviewer=anna")
        assert "There is no image to review" in page.words
        assert (await ask("/review?q=nothing_like_it", Cookie="reviewer=anna")).status == 404

    talk(own, say)
