"""Refusals of originals over several runs: each belongs to the source that gave it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import SourceError
from dafre_fast.core.events import Event, Notice
from dafre_fast.core.layout import ORIGINALS, STATE
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.ledger import NAME
from dafre_fast.engine.fetch import fetch_all
from dafre_fast.engine.inputs import open_originals
from dafre_fast.engine.observers import watching
from dafre_fast.engine.plan import ask_catalogue
from dafre_fast.engine.run import make_all
from dafre_fast.tables.metadata import NOTHING
from tests.hosts import Host, host


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (90, 90, 90)).save(file, "png")
    return file.getvalue()


PNG = png()


@pytest.fixture
def served() -> Iterator[Host]:
    """Originals 1 to 9 below `/right/`, and nothing below any other path."""
    with host() as found:
        found.files = {f"/right/{key}.png": PNG for key in range(1, 10)}
        yield found


class Runs:
    """Runs of `download` with one output, and what they say."""

    def __init__(self, folder: Path, served: Host) -> None:
        self.folder, self._served = folder, served
        self.told: list[str] = []
        self.work = Work(0, 0.0, 0.0)

    def tell(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.told.append(event.text)

    def fetch(self, place: str, *keys: int, retry_failed: bool = False, **more) -> dict[int, str]:
        """Return the status of each original after a run, and keep its notices and figures."""
        self.told, self._served.asked[:] = [], []
        asked = pl.DataFrame({"key": [*map(str, keys)]})
        source = f"{self._served.address}{place}/{{id}}.png"
        settings = Fetching(retries=0, **more)
        with watching("originals", self.tell) as watch:
            originals = open_originals(source, self.folder, settings, NOTHING, watch.tell)
            running = Running(retry_failed=retry_failed)
            manifest, self.work = fetch_all(asked, originals, running, self.folder, watch)
        return dict(manifest.select("id", "status").iter_rows())


@pytest.fixture
def runs(tmp_path, served) -> Runs:
    return Runs(tmp_path / ORIGINALS, served)


def asked(served: Host) -> list[int]:
    return sorted(int(path.rpartition("/")[2].partition(".")[0]) for path in served.asked)


def test_what_a_mistyped_source_refused_is_asked_of_the_corrected_one(runs, served) -> None:
    assert runs.fetch("/rihgt", 1, 2) == {1: "not_found", 2: "not_found"}
    assert runs.fetch("/right", 1, 2) == {1: "success", 2: "success"}
    assert asked(served) == [1, 2]
    assert [text.partition(" refused")[0] for text in runs.told] == ["2 originals were"]


def test_a_source_that_gave_nothing_is_asked_for_everything_again(runs, served) -> None:
    runs.fetch("/right", 11, 12)
    served.files |= {f"/right/{key}.png": PNG for key in (11, 12)}
    assert runs.fetch("/right", 11, 12) == {11: "success", 12: "success"}


def test_what_a_source_refused_for_good_is_not_asked_again_and_is_counted(runs, served) -> None:
    runs.fetch("/right", 1, 11, 12)
    assert runs.fetch("/right", 1, 11, 12) == {1: "success", 11: "not_found", 12: "not_found"}
    assert (asked(served), runs.told, runs.work.refused_before) == ([], [], 2)
    runs.fetch("/right", 1, 11, 12, retry_failed=True)
    assert (asked(served), runs.told, runs.work.refused_before) == ([11, 12], [], 0)


def test_another_source_does_not_make_an_original_wanted_that_is_there(runs, served) -> None:
    runs.fetch("/right", 1, 11)
    runs.fetch("/elsewhere", 1, 11)
    assert asked(served) == [11]


def test_another_limit_asks_again_for_what_was_refused_by_it(runs, served) -> None:
    served.files["/right/2.png"] = PNG + bytes(5000)
    assert runs.fetch("/right", 1, 2, max_bytes=3000)[2] == "too_many_bytes"
    runs.fetch("/right", 1, 2, max_bytes=3000)
    assert asked(served) == []
    runs.fetch("/right", 1, 2)
    assert asked(served) == [2]


def test_refusals_of_an_earlier_version_are_asked_for_once_more(runs, served) -> None:
    runs.fetch("/right", 1, 11)
    ledger = runs.folder / STATE / NAME
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    for line in lines:
        del line["source"]
    ledger.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    runs.fetch("/right", 1, 11)
    assert asked(served) == [11]
    runs.fetch("/right", 1, 11)
    assert asked(served) == []


def test_where_a_login_is_wanted_nothing_is_final_and_the_run_stops(runs, served) -> None:
    served.statuses = {f"/right/{key}.png": 401 for key in range(1, 10)}
    with pytest.raises(SourceError, match=r"status 401.*USER:PASSWORD@"):
        runs.fetch("/right", *range(1, 10), connections=1)
    assert len(served.asked) == 1
    served.statuses = {}
    assert {*runs.fetch("/right", *range(1, 10)).values()} == {"success"}


def test_one_private_original_costs_no_other_and_is_asked_for_again(runs, served) -> None:
    served.statuses = {"/right/3.png": 401}
    found = runs.fetch("/right", 1, 2, 3, 4, connections=1)
    assert (found[3], [*found.values()].count("success")) == ("unauthorized", 3)
    served.statuses = {}
    assert runs.fetch("/right", 1, 2, 3, 4)[3] == "success"


def test_a_source_that_has_none_of_the_first_hundred_is_not_asked_on(runs, served) -> None:
    keys = range(1001, 1301)
    with pytest.raises(SourceError, match=r"first 100 answers.* all not_found.*/1\d\d\d\.png"):
        runs.fetch("/right", *keys)
    assert 100 <= len(served.asked) < 150
    assert {*runs.fetch("/right", *keys, give_up=0).values()} == {"not_found"}
    # As a set: what was broken off before may be noted only now.
    assert {*served.asked} == {f"/right/{key}.png" for key in keys}


def test_a_source_that_gave_originals_before_is_asked_on(runs, served) -> None:
    runs.fetch("/right", 1)
    found = runs.fetch("/right", 1, *range(1001, 1151))
    assert (len(found), len(served.asked)) == (151, 150)


def test_images_without_original_are_made_from_the_corrected_source(tmp_path, served) -> None:
    box = pl.DataFrame({"left": [0.1], "top": [0.1], "right": [0.9], "bottom": [0.9]})
    ids = [1, 11]
    rows = pl.DataFrame({"id": ids, "path": [f"{key:04}/{key}.jpg" for key in ids]})
    rows = rows.join(box.cast(pl.Float32), how="cross")
    recipe = Recipe()
    plan = ask_catalogue(rows, {one: tmp_path / one.tree for one in recipe.outputs})

    def make(place: str) -> tuple[list[str], Work]:
        served.asked[:] = []
        source = f"{served.address}{place}/{{id}}.png"
        with watching("images", lambda _: None) as watch:
            originals = open_originals(
                source, tmp_path / ORIGINALS, Fetching(), NOTHING, watch.tell
            )
            manifest, work = make_all(plan, originals, recipe, Running(workers=1), tmp_path, watch)
        return manifest["status"].to_list(), work

    assert make("/rihgt")[0] == ["not_found", "not_found"]
    assert make("/right")[0] == ["success", "not_found"]
    statuses, work = make("/right")
    assert (statuses, served.asked) == (["success", "not_found"], [])
    assert (work.images, work.refused_before) == (0, 1)
