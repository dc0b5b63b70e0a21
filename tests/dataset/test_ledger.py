import json
import multiprocessing
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from dafre_fast.core.errors import OutputError, UsageError
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Fetched, Made, MadeOutput
from dafre_fast.dataset.ledger import NAME, Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from tests.jobs_for_workers import append_and_wait

FULL = MadeOutput("full", 3, 4, 5, "ab")


def keys(folder: Path) -> list[str]:
    return last_outcomes(folder / NAME, "make").collect()["key"].to_list()


def test_appended_outcomes_are_read_back(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="7", reason=Reason.TRUNCATED, detail='a "b"\n\t', outputs=(FULL,)))
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


@pytest.mark.parametrize(
    "spoiled",
    [
        b'{"stage":"make","key":"2',  # a writer was killed, another went on
        b'{"stage":"make","key":"2","width":"wide"}\n',
        b'{"stage":"make","key":"\xff"}\n',
        b'{"stage":"make","width":3}\n',
        b"\0" * 70_000 + b"\n",  # a power cut
        b"\n",
        b"2\n",
    ],
)
def test_a_broken_line_in_the_middle_is_dropped_and_no_other(tmp_path, spoiled) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"))
    with (tmp_path / NAME).open("ab") as file:
        file.write(spoiled)
    text = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(text + b'{"stage":"make","key":"3"}\n' + b'{"stage":"fetch"')
    with Ledger(tmp_path) as ledger:
        assert keys(tmp_path) == ["1", "3"]
        ledger.append(Made(key="4"))
    assert keys(tmp_path) == ["1", "3", "4"]


def test_a_line_that_was_spoiled_while_the_ledger_was_open_is_dropped_too(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"))
        with (tmp_path / NAME).open("ab") as other:
            other.write(b'{"stage":"make","key":"2')
        ledger.append(Made(key="3"))
        ledger.mend()
        ledger.append(Made(key="4"))
        assert keys(tmp_path) == ["1", "3", "4"]


def test_a_ledger_of_whole_lines_stays_the_file_it_was(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1", detail='{"stage":"make","key":"2"}', notes=(Note.TRUNCATED,)))
        before = ledger.path.stat()
    with Ledger(tmp_path) as ledger:
        assert ledger.path.stat() == before


def test_the_outcome_of_an_image_is_that_of_this_run(tmp_path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"))
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="22"), Fetched(key="2"), Made(key='2"', detail='"key":"2"'))
        assert ledger.outcome("1", Made) is None
        assert ledger.outcome("2", Made) is None
        ledger.append(Made(key="2", reason=Reason.TRUNCATED), Made(key="2", outputs=(FULL,)))
        found = ledger.outcome("2", Made)
        assert found
        assert replace(found, at=None) == Made(key="2", outputs=(FULL,))


def test_a_line_says_when_it_was_added(tmp_path) -> None:
    before = time.time()
    with Ledger(tmp_path) as ledger:
        ledger.append(Made(key="1"), Fetched(key="2"))
    lines = map(json.loads, (tmp_path / NAME).read_text().splitlines())
    for line in lines:
        assert before - 0.001 <= line["at"] <= time.time() + 0.001


def test_a_run_that_did_not_come_to_its_end_is_known_by_the_next(tmp_path) -> None:
    with suppress(KeyboardInterrupt), Ledger(tmp_path):
        raise KeyboardInterrupt
    for interrupted in (True, False):
        with Ledger(tmp_path) as ledger:
            assert ledger.interrupted is interrupted


def test_a_full_disk_is_an_output_error_and_spoils_no_line(small_disk) -> None:
    def append_for_ever() -> None:
        with Ledger(small_disk.folder) as ledger:
            for number in count():
                ledger.append(Made(key=str(number), detail="x" * 100))

    with pytest.raises(OutputError, match="No space left"):
        append_for_ever()
    small_disk.remount("size=1m")
    with Ledger(small_disk.folder) as ledger:
        ledger.append(Made(key="last"))
    found = keys(small_disk.folder)
    assert found == [*map(str, range(len(found) - 1)), "last"]
    assert len(found) > 100


def test_a_process_that_was_given_a_recorder_keeps_the_lock_until_it_ends(tmp_path) -> None:
    processes = multiprocessing.get_context("spawn")
    go_on = processes.Event()
    with Ledger(tmp_path) as ledger:
        holder = processes.Process(target=append_and_wait, args=(ledger.recorder(), go_on))
        holder.start()
    with pytest.raises(UsageError, match="another run"), Ledger(tmp_path):
        pass
    go_on.set()
    holder.join()
    with Ledger(tmp_path):
        pass
    assert keys(tmp_path) == ["of a worker"]


def test_a_ledger_of_one_torn_line_is_empty(tmp_path) -> None:
    (tmp_path / NAME).write_bytes(b'{"stage":"ma')
    with Ledger(tmp_path):
        pass
    assert (tmp_path / NAME).read_bytes() == b""


def test_two_runs_at_once_are_refused_with_the_folder_named(tmp_path) -> None:
    open_it = "import sys, pathlib; from dafre_fast.dataset.ledger import Ledger\n"
    open_it += "with Ledger(pathlib.Path(sys.argv[1])): pass"
    with Ledger(tmp_path), pytest.raises(UsageError, match=str(tmp_path)), Ledger(tmp_path):
        pass
    subprocess.run([sys.executable, "-c", open_it, str(tmp_path)], check=True)


def test_who_waited_for_the_lock_appends_to_the_file_that_is_there_then(tmp_path) -> None:
    def replace_and_leave() -> None:
        (tmp_path / "new").write_bytes(b'{"stage":"make","key":"1"}\n')
        (tmp_path / "new").replace(tmp_path / NAME)
        first.__exit__(None, None, None)

    first = Ledger(tmp_path).__enter__()
    leaving = threading.Timer(0.2, replace_and_leave)
    leaving.start()
    with Ledger(tmp_path) as second:
        second.append(Made(key="2"))
    leaving.join()
    assert keys(tmp_path) == ["1", "2"]


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
