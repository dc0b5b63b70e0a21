"""Originals that are not kept are removed when nothing is left to be made of them, and no other."""

from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.layout import STATE
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Wanted
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.engine.discarding import discard_all
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.work import discard
from dafre_fast.sources.tree import Tree
from tests.sources.loopback import JPEG, WHOLE


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(JPEG)
    return path


def originals(folder: Path | None, *, keep: bool = False) -> Originals:
    return Originals(Tree(Path(), WHOLE), folder, keep=keep)


@pytest.fixture
def left(tmp_path):
    """The originals that are left of 7 and 8, which a source gave; 7 is spent."""

    def run(*, keep: bool = False, **changes: object) -> set[str]:
        with Ledger(tmp_path / STATE) as ledger:
            for image in (7, 8):
                path = put(tmp_path / f"original/{image:04}/{image}.jpg")
                usual = {"path": str(path), "bytes": len(JPEG), "source": "a"}
                ledger.append(Fetched(key=str(image), **{**usual, **changes}))
            fetched = last_outcomes(ledger.path, "fetch")
            spent = pl.LazyFrame({"key": ["7", "9"]})
            discard_all(originals(tmp_path / "original", keep=keep), fetched, spent)
        return {path.name for path in tmp_path.glob("original/*/*")}

    return run


def test_what_is_spent_is_removed_and_nothing_else(left) -> None:
    assert left() == {"8.jpg"}


def test_everything_stays_where_originals_are_kept(left) -> None:
    assert left(keep=True) == {"7.jpg", "8.jpg"}


@pytest.mark.parametrize("changes", [{"source": None}, {"bytes": 1}, {"bytes": None}])
def test_a_file_that_no_source_gave_stays(left, changes) -> None:
    assert left(**changes) == {"7.jpg", "8.jpg"}


def test_a_record_from_another_working_folder_is_of_the_same_file(left) -> None:
    assert left(path="elsewhere/original/0007/7.jpg") == {"8.jpg"}


def test_only_fetched_files_in_the_folder_may_be_removed(tmp_path) -> None:
    folder = tmp_path / "original"
    inside, outside = f"{folder}/0007/7.jpg", f"{tmp_path}/7.jpg"
    of_source = Fetched(key="7", path=inside, source="a")
    assert originals(folder).may_remove(of_source)
    assert not originals(folder, keep=True).may_remove(of_source)
    assert not originals(None).may_remove(of_source)
    assert not originals(folder).may_remove(Fetched(key="7", path=inside))
    assert not originals(folder).may_remove(Fetched(key="7", path=outside, source="a"))


@pytest.mark.parametrize(
    ("removable", "reason", "stays"),
    [
        (True, None, False),
        (True, Reason.CORRUPT, False),
        (True, Reason.TIMEOUT, True),  # the next run tries again
        (False, None, True),
    ],
)
def test_a_worker_removes_an_original_whose_outcome_stands(
    tmp_path, removable, reason, stays
) -> None:
    path = put(tmp_path / "7.jpg")
    discard(Wanted("7", original=str(path), removable=removable), reason)
    assert path.exists() == stays
