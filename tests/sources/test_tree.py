import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Event, Notice, silent
from dafre_fast.core.paths import from_text
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.sources.interface import Planned
from dafre_fast.sources.tree import Tree
from tests.permissions import as_nobody, unprivileged
from tests.sources.loopback import JPEG, WHOLE


def found(root: Path, *sought: Sought, tell=silent) -> list[Fetched]:
    outcomes = list[Fetched]()

    async def take(_: Sought, fetched: Fetched) -> None:
        outcomes.append(fetched)

    asyncio.run(Tree(root, WHOLE, tell).fetch(sought, take))
    return outcomes


def put(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(JPEG)


@pytest.mark.parametrize("place", ["0446/332446.png", "original/0446/332446.gif", "332446.jpeg"])
def test_an_original_is_found_in_each_layout_whatever_its_extension(tmp_path, place) -> None:
    put((tmp_path / place).parent, Path(place).name)
    assert found(tmp_path, Sought("332446")) == [Fetched("332446", path=f"{tmp_path}/{place}")]


@pytest.mark.parametrize("other", ["0446/1332446.jpg", "0446/.332446.jpg.part", "0447/332446.jpg"])
def test_no_other_file_is_taken_for_it(tmp_path, other) -> None:
    put((tmp_path / other).parent, Path(other).name)
    (outcome,) = found(tmp_path, Sought("332446"))
    assert (outcome.reason, outcome.path) == (Reason.MISSING_ORIGINAL, None)
    assert outcome.detail == f"332446.* not in {tmp_path}"


def test_what_lies_in_its_place_and_is_no_image_is_named(tmp_path) -> None:
    (tmp_path / "0005").mkdir()
    for name in ("5.json", "5.txt"):
        (tmp_path / "0005" / name).write_text("{}")
    (outcome,) = found(tmp_path, Sought("5"))
    assert outcome.reason is Reason.MISSING_ORIGINAL
    place = tmp_path / "0005"
    assert outcome.detail == f"no image among {place}/5.json, {place}/5.txt"


def test_an_original_in_the_next_folder_counts_more_than_a_caption_in_the_first(tmp_path) -> None:
    (tmp_path / "0005").mkdir()
    (tmp_path / "0005/5.txt").write_text("1girl")
    put(tmp_path / "original/0005", "5.png")
    (outcome,) = found(tmp_path, Sought("5"))
    assert outcome.path == f"{tmp_path}/original/0005/5.png"


def test_the_file_that_tables_name_is_taken_and_nothing_is_said(tmp_path) -> None:
    put(tmp_path, "5.jpg", "5.png", "5.webp", "6.jpg", "6.png")
    told = list[Event]()
    sought = Sought("5", name="5.webp"), Sought("6", extension="png")
    outcomes = found(tmp_path, *sought, tell=told.append)
    assert [Path(one.path).name for one in outcomes] == ["5.webp", "6.png"]
    assert told == []


def test_where_two_files_may_be_the_original_one_line_says_how_often_and_names_one(
    tmp_path,
) -> None:
    put(tmp_path, "5.png", "5.webp", "6.jpg", "6.png", "7.jpg")
    told = list[Event]()
    found(tmp_path, Sought("5"), Sought("6"), Sought("7"), tell=told.append)
    assert told == [
        Notice(
            "2 images have several files that may be the original:"
            f" {tmp_path}: 5.png is taken, 5.webp is not"
        )
    ]


def test_a_download_is_simulated_with_the_file_that_would_be_taken(tmp_path) -> None:
    put(tmp_path, "5.png")
    (tmp_path / "5.json").write_text("{}")
    planned = list[tuple[Sought, Planned | None]]()
    asyncio.run(
        Tree(tmp_path, WHOLE).plan([Sought("5"), Sought("6")], lambda *one: planned.append(one))
    )
    expected = Planned(f"{tmp_path}/5.png", len(JPEG))
    assert planned == [(Sought("5"), expected), (Sought("6"), None)]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_a_name_that_is_not_utf8_is_text_in_the_outcome_and_can_be_read(tmp_path) -> None:
    name = os.fsencode(tmp_path) + b"/5.png\xe9"
    Path(os.fsdecode(name)).write_bytes(JPEG)
    (outcome,) = found(tmp_path, Sought("5"))
    assert outcome.path == f"{tmp_path}/5.png\\xe9"
    assert Path(from_text(outcome.path)).read_bytes() == JPEG


def test_a_pipe_is_not_opened(tmp_path) -> None:
    os.mkfifo(tmp_path / "5.bin")  # to look into it would take for ever
    os.mkfifo(tmp_path / "6.jpg")
    put(tmp_path, "6.png")
    nothing, beside = found(tmp_path, Sought("5"), Sought("6"))
    assert nothing.reason is Reason.MISSING_ORIGINAL
    assert beside.path == f"{tmp_path}/6.png"


@unprivileged
def test_a_folder_that_cannot_be_listed_is_named_with_the_cause(public) -> None:
    put(public / "0005", "5.png")
    put(public / "0006", "6.png")
    (public / "0005").chmod(0)
    with as_nobody():
        outcomes = found(public, Sought("5"), Sought("6"))
    assert outcomes[0].reason is Reason.UNREADABLE_ORIGINAL
    assert outcomes[0].detail == f"{public}/0005: Permission denied"
    assert outcomes[1].path == f"{public}/0006/6.png"


def test_each_folder_is_listed_once_however_many_there_are(tmp_path, monkeypatch) -> None:
    listed, listdir = Counter[Path](), os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.update([folder]) or listdir(folder))
    found(tmp_path, *(Sought(str(key)) for key in (*range(1000), *range(1000))))
    assert set(listed.values()) == {1}


def test_a_folder_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="nowhere"):
        Tree(Path("nowhere"), WHOLE)
