"""Marks of the gallery: kept beside the index, undone, asked for, and exported."""

import io
import shutil
from pathlib import Path
from urllib.parse import urlencode

import polars as pl
import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.dataset.chosen import Lists, read_chosen
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.gallery.marks import FILE, READY, Marks
from tests.gallery.small_dataset import images
from tests.gallery.test_server import Answer, Ask, elements, talk

ALL = images()
FIRST, SECOND, THIRD = (one.id for one in ALL[:3])
HERE = {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


async def send(ask: Ask, *fields: tuple[str, object], **headers: str) -> Answer:
    """Send the form of marks as a page would."""
    return await ask("/marks", "POST", urlencode(fields), **{**HERE, **FORM, **headers})


def marking(*ids: int, mark: str = "wrong head", act: str = "mark") -> list[tuple[str, object]]:
    return [("mark", mark), ("act", act), *(("id", image) for image in ids)]


async def marked(ask: Ask, mark: str) -> list[int]:
    found = await ask(f"/marks.csv?{urlencode({'mark': mark})}")
    return pl.read_csv(found.body)["id"].to_list()


@pytest.fixture
def own(dataset, tmp_path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "own"))


def test_images_are_marked_unmarked_and_asked_for(own) -> None:
    async def say(ask: Ask) -> None:
        state = [("q", "status:success"), ("order", "manifest")]
        answer = await send(ask, *marking(FIRST, THIRD), *state)
        assert (answer.status, answer.headers["Location"]) == (
            303,
            "/?q=status:success&order=manifest",
        )
        assert await marked(ask, "wrong head") == [FIRST, THIRD]
        for question in ("mark:wrong_head", "mark:wrong*", "status:success+mark:wrong_head"):
            page = await ask(f"/?q={question}&order=manifest")
            found = [one["value"] for one in elements(page, "input") if one.get("name") == "id"]
            assert found == [str(FIRST), str(THIRD)]
        await send(ask, *marking(FIRST, act="unmark"))
        assert "1 image" in (await ask("/?q=mark:wrong_head")).words
        assert "129 images" in (await ask("/?q=-mark:wrong_head")).words

    talk(own, say)


def test_all_images_of_a_question_can_be_marked_at_once(own) -> None:
    async def say(ask: Ask) -> None:
        await send(ask, *marking(), ("all", "1"), ("q", "split:test -solo"))
        expected = [one.id for one in ALL if one.split == "test" and "solo" not in one.general]
        assert await marked(ask, "wrong head") == expected

    talk(own, say)


def test_what_was_done_last_is_undone_first(own) -> None:
    async def say(ask: Ask) -> None:
        await send(ask, *marking(FIRST, SECOND))
        await send(ask, *marking(SECOND, THIRD))
        await send(ask, *marking(FIRST, act="unmark"))
        for left in ([FIRST, SECOND, THIRD], [FIRST, SECOND], [], []):
            answer = await send(ask, ("act", "undo"), ("back", "marks"))
            assert answer.headers["Location"] == "/marks"
            assert sorted(await marked(ask, "wrong head")) == sorted(left)

    talk(own, say)


def test_marks_outlast_the_server_and_the_index_and_lie_beside_it(own) -> None:
    async def mark(ask: Ask) -> None:
        await send(ask, *marking(FIRST, mark="my  own_mark"))

    async def look(ask: Ask) -> None:
        assert await marked(ask, "my own mark") == [FIRST]
        assert "my own mark 1" in (await ask("/marks")).words

    before = {path for path in own.rglob("*") if ".dafre_fast" not in path.parts}
    talk(own, mark)
    (own / ".dafre_fast/gallery/index.json").unlink()
    talk(own, look)
    assert (own / ".dafre_fast/gallery" / FILE).exists()
    assert {path for path in own.rglob("*") if ".dafre_fast" not in path.parts} == before


def test_marks_are_exported_for_tables_and_for_exclude(own, tmp_path) -> None:
    async def say(ask: Ask) -> None:
        await send(ask, *marking(FIRST, SECOND))
        await send(ask, *marking(SECOND, mark="not safe"))
        table = pl.read_parquet(io.BytesIO((await ask("/marks.parquet")).body))
        assert table.columns == ["id", "mark", "time", "class_name", "split", "path"]
        assert table.select("id", "mark").rows() == [
            (FIRST, "wrong head"),
            (SECOND, "wrong head"),
            (SECOND, "not safe"),
        ]
        assert (await ask("/marks.txt")).text == f"{FIRST}\n{SECOND}\n"
        answer = await ask("/marks.csv?mark=not+safe")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="marks.csv"'
        (tmp_path / "marks.csv").write_bytes(answer.body)
        lists = Lists(exclude=tmp_path / "marks.csv")
        assert read_chosen(lists, open_manifest(own)).exclude.to_list() == [SECOND]
        assert pl.read_csv((await ask("/marks.csv?mark=nobody")).body).height == 0
        assert (await ask("/marks.csv?x=1")).status == 400

    talk(own, say)


def test_the_page_of_an_image_shows_and_sets_its_marks(own) -> None:
    async def say(ask: Ask) -> None:
        answer = await send(ask, *marking(FIRST), ("image", FIRST), ("q", "solo"))
        assert answer.headers["Location"] == f"/image/{FIRST}?q=solo"
        page = await ask(f"/image/{FIRST}")
        assert "/?q=mark:wrong_head" in [link["href"] for link in elements(page, "a")]
        assert [one["value"] for one in elements(page, "option")][-3:] == [*READY]

    talk(own, say)


@pytest.mark.parametrize(
    "fields",
    [
        marking(1),
        marking(),
        [*marking(FIRST), ("id", "x")],
        marking(FIRST, mark=""),
        marking(FIRST, mark="x" * 61),
        marking(FIRST, mark="a*"),
        marking(FIRST, mark="a\nb\x00"),
        marking(FIRST, act="delete"),
        [*marking(), ("all", "1"), ("q", "nothing_like_it")],
        [*marking(FIRST), ("unknown", "1")],
    ],
)
def test_a_form_that_marks_nothing_is_refused_and_changes_nothing(own, fields) -> None:
    async def say(ask: Ask) -> None:
        assert (await send(ask, *fields)).status == 400
        assert pl.read_csv((await ask("/marks.csv")).body).height == 0

    talk(own, say)


def test_other_sites_and_other_people_cannot_mark(own) -> None:
    async def say(ask: Ask) -> None:
        for origin in ("http://evil.example", "null", ""):
            assert (await send(ask, *marking(FIRST), Origin=origin)).status == 403
        assert await marked(ask, "wrong head") == []

    async def refused(ask: Ask) -> None:
        assert (await send(ask, *marking(FIRST))).status == 405
        assert not [one for one in elements(await ask("/"), "input") if one.get("name") == "mark"]
        assert (await ask("/marks")).status == 200

    talk(own, say)
    talk(own, refused, host="0.0.0.0")
    talk(own, refused, prefix="/g")


def test_two_galleries_of_one_index_see_the_marks_of_each_other(tmp_path) -> None:
    one, other = Marks(tmp_path), Marks(tmp_path)
    one.set("a", [1, 2], on=True)
    assert other.set("a", [2, 3], on=True) == 1
    assert [*one.of("a")] == [1, 2, 3]
    one.undo()
    assert [*other.of("a")] == [1, 2]


def test_a_line_that_was_cut_off_is_replaced_by_the_next(tmp_path) -> None:
    Marks(tmp_path).set("a", [1], on=True)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"time":"2024-01-01T0')
    marks = Marks(tmp_path)
    assert [*marks.of("a")] == [1]
    marks.set("a", [2], on=True)
    assert [*Marks(tmp_path).of("a")] == [1, 2]


def test_a_damaged_file_is_named_and_kept(tmp_path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing\n")
    with pytest.raises(InputError, match=r"marks\.jsonl: byte 0: .*correct or delete this line"):
        Marks(tmp_path).of("a")
    assert (tmp_path / FILE).read_bytes() == b"nothing\n"
    with pytest.raises(UsageError, match="is no name"):
        Marks(tmp_path).set(" ", [1], on=True)
