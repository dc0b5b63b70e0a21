import subprocess
import sys
from pathlib import Path

import pytest

from dafre_fast.engine.ledger import NAME, Ledger
from dafre_fast.model.errors import OutputError, UsageError
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Fetched, Made
from dafre_fast.tables.outcomes import last_outcomes


def keys(folder: Path) -> list[str]:
    return last_outcomes(folder / NAME, "make").collect()["key"].to_list()


def test_what_was_appended_is_read_back(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="7", reason=Reason.TRUNCATED, detail='a "b"\n\t', width=3))
        ledger.append(Fetched(key="7", url="http://host/7.png", attempts=2))
    made = last_outcomes(tmp_path / NAME, "make").collect().row(0, named=True)
    assert (made["key"], made["reason"], made["detail"], made["width"]) == (
        "7", "truncated", 'a "b"\n\t', 3,
    )  # fmt: skip
    assert last_outcomes(tmp_path / NAME, "fetch").collect()["url"].to_list() == [
        "http://host/7.png"
    ]


def test_several_outcomes_are_a_line_each_in_their_order(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"), Made(key="2"), Made(key="3"))
        ledger.append(Made(key="4"))
        ledger.append()
    assert keys(tmp_path) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("torn", [b'{"stage":"make","key":"2', b"{", b"\0" * 70_000])
def test_a_line_that_was_cut_off_is_dropped_and_the_next_stands_whole(tmp_path, torn) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"))
    with (tmp_path / NAME).open("ab") as file:
        file.write(torn)
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="3"))
    assert keys(tmp_path) == ["1", "3"]


def test_a_ledger_of_one_torn_line_is_empty(tmp_path) -> None:
    (tmp_path / NAME).write_bytes(b'{"stage":"ma')
    with Ledger(tmp_path):
        pass
    assert (tmp_path / NAME).read_bytes() == b""


def test_two_runs_at_once_are_refused_with_the_folder_named(tmp_path) -> None:
    open_it = "import sys, pathlib; from dafre_fast.engine.ledger import Ledger\n"
    open_it += "with Ledger(pathlib.Path(sys.argv[1])): pass"
    with Ledger(tmp_path), pytest.raises(UsageError, match=str(tmp_path)), Ledger(tmp_path):
        pass
    subprocess.run([sys.executable, "-c", open_it, str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"), Ledger(tmp_path / "file" / "state"):
        pass


def test_forgetting_leaves_nothing(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"))
        ledger.forget()
        ledger.append(Made(key="2"))
    assert keys(tmp_path) == ["2"]
