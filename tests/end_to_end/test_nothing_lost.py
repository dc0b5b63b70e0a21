"""Finished work survives kills, full disks and damaged files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import NAME
from tests.commands import here, ledger_keys, tree
from tests.gates import Gate
from tests.torture.kills import await_true, processes_of, survive_kills, workers_of, write_originals

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write twelve small originals into a tree."""
    write_originals(tmp_path / "original", 12)
    return tmp_path


@pytest.fixture
def start(short_tmpdir) -> Callable[..., subprocess.Popen[str]]:
    """Start `resize` in its own session, by which its processes are found."""

    def start_it(folder: Path, *flags: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dafre_fast.resize", *map(str, flags)],
            cwd=folder,
            env=os.environ | {"TMPDIR": short_tmpdir},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start_it


def summary(folder: Path, *flags: object) -> dict[str, object]:
    done = here("resize", *flags, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def messages(stderr: str) -> list[str]:
    """Return the lines that a run prints, except its progress."""
    return [line for line in stderr.splitlines() if line and not line.startswith("images ")]


def images_of(run: dict[str, object]) -> object:
    """Return the number of images that the run brought to an outcome."""
    return run["work"]["images"]


@pytest.mark.slow
@linux
@pytest.mark.parametrize("seed", [20])
def test_twenty_kills_at_random_moments_leave_what_an_undisturbed_run_leaves(
    tmp_path, seed
) -> None:
    survival = survive_kills(tmp_path, kills=20, seed=seed)
    assert survival.faults == ()
    assert survival.killed.total() == 20


@pytest.mark.slow
@linux
def test_a_hanging_worker_dies_with_its_killed_run_and_the_next_run_starts_at_once(
    folder, start
) -> None:
    gate = Gate(folder / "fullMin256/0004/4.jpg")
    run = start(folder, "--workers", 1)
    gate.await_worker(run.pid)
    run.kill()
    run.communicate()
    assert await_true(lambda: not processes_of(run.pid))
    gate.remove()
    before = ledger_keys(folder / "fullMin256")
    assert len(before) >= 4
    assert summary(folder)["success"] == len(tree(folder / "fullMin256")) == 12
    after = ledger_keys(folder / "fullMin256")
    assert after[: len(before)] == before
    assert len({*after}) == len(after) == 12


@pytest.mark.slow
@linux
def test_a_killed_run_leaves_no_half_written_file_even_if_the_original_is_gone(
    folder, start
) -> None:
    gate = Gate(folder / "fullMin256/0004/4.jpg")
    run = start(folder, "--workers", 1)
    gate.await_worker(run.pid)
    run.kill()
    run.communicate()
    gate.remove()
    output = folder / "fullMin256"
    for name in ("0004/.4.jpg.part", "0009/.9.jpg.part"):
        (output / name).parent.mkdir(exist_ok=True)
        (output / name).write_text("half of it")
    (folder / "original/0004/4.png").unlink()
    assert summary(folder)["success"] == 11
    assert not [*output.rglob("*.part")]


def test_a_full_disk_ends_the_run_with_one_line_and_with_more_space_it_continues(
    folder, small_disk
) -> None:
    done = here("resize", "--output", small_disk.folder, "--workers", 2, cwd=folder)
    assert done.returncode == 1
    assert [line.rpartition(": ")[2] for line in messages(done.stderr)] == [
        "No space left on device"
    ]
    before = tree(small_disk.folder)
    finished = ledger_keys(small_disk.folder)
    assert 0 < len(finished) < 12
    assert {name.replace(".png", ".jpg") for name in finished} <= before.keys()
    assert not [name for name in before if name.endswith(".part")]

    small_disk.remount("size=10m")
    run = summary(folder, "--output", small_disk.folder)
    assert (run["success"], images_of(run)) == (12, 12 - len(finished))
    assert tree(small_disk.folder).items() >= before.items()


def test_a_read_only_output_is_exit_status_1_and_one_line(folder, small_disk) -> None:
    small_disk.remount("ro")
    done = here("resize", "--output", small_disk.folder, cwd=folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("Read-only file system")
    assert str(small_disk.folder) in line


def test_only_a_missing_original_is_refused_and_it_is_made_once_it_exists(folder) -> None:
    names = [f"original/{number:04}/{number}.png" for number in range(3)]
    (folder / "list").write_text("\n".join(names))
    lost = (folder / names[1]).rename(folder / "lost.png")
    first = summary(folder, "--input", "list")
    assert (first["success"], first["refused"]) == (2, {"missing_original": 1})
    lost.rename(folder / names[1])
    again = summary(folder, "--input", "list")
    assert (again["success"], images_of(again)) == (3, 1)


@pytest.mark.slow
def test_another_setting_remakes_images_on_demand_alone_and_says_what_is_lost(folder) -> None:
    summary(folder)
    before = tree(folder)
    done = here("resize", "--quality", 80, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert messages(done.stderr) == [
        (
            "dafre-fast resize: fullMin256: 12 images were made with --quality 90 (now"
            " --quality 80), and would be lost: --no-resume makes all anew in this place, another"
            " --output keeps both"
        )
    ]
    assert tree(folder) == before
    assert images_of(summary(folder, "--quality", 80, "--no-resume")) == 12


@pytest.mark.slow
def test_another_bound_remakes_the_images_that_depended_on_it_and_says_so(folder) -> None:
    Image.effect_noise((200, 200), 90).save(folder / "original/large.png")
    assert summary(folder, "--max-bytes", 10_000)["refused"] == {"too_many_bytes": 1}
    done = here("resize", "--json", cwd=folder)
    assert images_of(json.loads(done.stdout)) == 1
    assert messages(done.stderr) == ["1 image was refused with other settings and is tried again"]


@pytest.mark.slow
def test_the_same_settings_print_no_message(folder) -> None:
    summary(folder)
    assert not messages(here("resize", cwd=folder).stderr)


@pytest.mark.slow
@linux
def test_the_second_of_two_runs_on_one_output_says_why_it_does_not_start(folder, start) -> None:
    gate = Gate(folder / "fullMin256/0004/4.jpg")
    first = start(folder, "--workers", 1)
    gate.await_worker(first.pid)
    second = here("resize", cwd=folder)
    gate.let_through()
    first.communicate()
    gate.remove()
    assert (second.returncode, len(second.stderr.splitlines())) == (2, 1)
    assert "another run is at work here" in second.stderr
    assert str(Path("fullMin256", STATE)) in second.stderr
    assert first.returncode == 0


@pytest.mark.slow
@linux
@pytest.mark.parametrize("moment", ["the server starts", "workers are there", "lines are written"])
def test_ctrl_c_at_any_moment_leaves_no_process_and_nothing_half_written(
    tmp_path, start, moment
) -> None:
    write_originals(tmp_path / "original", 400)
    gate = Gate(tmp_path / "fullMin256/0000/0.jpg")  # no run is over before it is looked at
    run = start(tmp_path, "--workers", 8)
    ledger = tmp_path / "fullMin256" / STATE / NAME
    come = {
        "the server starts": lambda: len(processes_of(run.pid)) > 2,
        "workers are there": lambda: workers_of(run.pid),
        "lines are written": lambda: ledger.exists() and ledger.stat().st_size,
    }
    assert await_true(come[moment])
    os.killpg(run.pid, signal.SIGINT)  # every process gets it, as from a terminal
    _, stderr = run.communicate(timeout=30)
    gate.remove()
    assert run.returncode == 130
    (line,) = messages(stderr)
    assert "stopped" in line
    assert await_true(lambda: not processes_of(run.pid))
    output = tmp_path / "fullMin256"
    assert not [*output.rglob("*.part")]
    assert {name.replace(".png", ".jpg") for name in ledger_keys(output)} <= tree(output).keys()


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["emptied", "cut", "gone"])
def test_only_a_changed_output_is_made_again(folder, harm) -> None:
    summary(folder)
    whole = tree(folder / "fullMin256")
    harmed = folder / "fullMin256/0007/7.jpg"
    {
        "emptied": lambda: harmed.write_bytes(b""),
        "cut": lambda: os.truncate(harmed, 100),
        "gone": harmed.unlink,
    }[harm]()
    assert images_of(summary(folder)) == 1
    assert tree(folder / "fullMin256") == whole


def test_an_image_with_a_damaged_ledger_line_is_made_again(folder) -> None:
    summary(folder, "--manifest", "before.parquet")
    ledger = folder / "fullMin256" / STATE / NAME
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*lines[:5], lines[5][:40], b"\n", *lines[6:]]))
    assert images_of(summary(folder, "--manifest", "after.parquet")) == 1
    before, after = (pl.read_parquet(folder / f"{name}.parquet") for name in ("before", "after"))
    assert before.equals(after)


def test_the_longest_possible_file_name_works(folder) -> None:
    longest = "é" * 125 + ".png"
    (folder / "original/0003/3.png").rename(folder / "original" / longest)
    assert summary(folder)["success"] == 12
    assert (folder / "fullMin256" / longest.replace(".png", ".jpg")).is_file()


def test_a_folder_in_place_of_an_output_costs_only_its_image(folder) -> None:
    (folder / "fullMin256/0004/4.jpg/there").mkdir(parents=True)
    assert summary(folder)["refused"] == {"no_place": 1}
