"""Searches for heads that are killed go on to the same bytes, and a detector that cannot bear a
picture costs that picture alone. Linux alone: processes are found in /proc.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.layout import STATE
from tests.commands import dafre, tree
from tests.gates import Gate
from tests.heads.drawn import ONE, picture, write_inputs, write_posts
from tests.hosts import host
from tests.processes import needs_proc
from tests.torture.kills import await_true, processes_of
from tests.torture.misbehaving import put_in_place_of_turbojpeg

pytestmark = [pytest.mark.slow, needs_proc]

IMAGES, HELD = 12, 7
"""Pictures with one head each, and the one at which a search is held."""

HOLDS = """
    import os, threading
    from pathlib import Path
    from dafre_fast.pixels.detectors.detector import Detector

    find = Detector.find

    def find_or_wait(self, pixels):
        if pixels[0, 0, 0] < 20 and not Path("go").exists():
            Path("held.part").write_text(str(os.getpid()))
            os.rename("held.part", "held")
            threading.Event().wait()
        return find(self, pixels)

    Detector.find = find_or_wait
    raise ImportError
"""
"""Imported by workers in place of turbojpeg: waits at a picture with a dark corner."""

MISBEHAVES = """
    import ctypes, os, threading
    from dafre_fast.pixels.detectors.detector import Detector

    find = Detector.find
    held = []

    def hoard():
        while True:
            held.append(bytearray(1_000_000))

    def find_or_die(self, pixels):
        corner = tuple(int(value) // 128 for value in pixels[0, 0, :3])
        if corner == (0, 0, 0):
            ctypes.string_at(0)
        if corner in ((1, 0, 0), (0, 0, 1)):
            threading.Event().wait()
        if corner == (0, 1, 0):
            hoard()
        return find(self, pixels)

    Detector.find = find_or_die
    raise ImportError
"""


def marked(colour: tuple[int, int, int]) -> bytes:
    """A picture with one head and a coloured corner."""
    return picture(ONE, corner=colour)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_inputs(tmp_path)
    write_posts(tmp_path / "posts.json", dict.fromkeys(range(IMAGES), ("reimu",)))
    for image in range(IMAGES):
        path = tmp_path / f"originals/{image:04}/{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(marked((0, 0, 0)) if image == HELD else picture(ONE))
    put_in_place_of_turbojpeg(tmp_path, HOLDS)
    return tmp_path


INPUTS = ("--metadata", "posts.json", "--source", "originals", "--detector", "model.onnx")
COMMANDS = {
    "heads": ("--workers", "2"),
    "full": ("--workers", "2", "--no-tags", "--no-report", "--min-images", "1"),
}


def finish(folder: Path, command: str, *flags: object) -> dict:
    done = dafre(command, *INPUTS, *COMMANDS[command], "--json", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def undisturbed(folder: Path, command: str) -> dict[str, bytes]:
    (folder / "go").touch()
    finish(folder, command, "--output", "undisturbed")
    (folder / "go").unlink()
    return tree(folder / "undisturbed")


def start(folder: Path, command: str, *flags: str) -> subprocess.Popen[str]:
    given = (*INPUTS, *COMMANDS[command], "--output", "killed", "--json", *flags)
    return subprocess.Popen(
        [sys.executable, "-m", f"dafre_fast.{command}", *given],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def kill(run: subprocess.Popen[str]) -> None:
    """Kill a run, and wait until no process of it is left."""
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert await_true(lambda: not processes_of(run.pid))


def lines(folder: Path, stage: str) -> int:
    ledger = folder / "killed" / STATE / "ledger.jsonl"
    return ledger.read_bytes().count(f'"stage":"{stage}"'.encode()) if ledger.exists() else 0


def await_search(folder: Path) -> None:
    """Wait until all but the picture at which the search is held are searched."""
    assert await_true(lambda: (folder / "held").exists() and lines(folder, "detect") > 2)


@pytest.mark.parametrize("command", ["heads", "full"])
def test_a_run_that_is_killed_while_it_searches_goes_on_to_the_same_bytes(folder, command) -> None:
    expected = undisturbed(folder, command)
    run = start(folder, command)
    await_search(folder)
    kill(run)
    before = lines(folder, "detect")
    (folder / "go").touch()
    finish(folder, command, "--output", "killed")
    assert tree(folder / "killed") == expected
    assert (before > 0, lines(folder, "detect")) == (True, IMAGES)


@pytest.mark.parametrize("command", ["heads", "full"])
def test_a_worker_that_is_killed_while_it_searches_costs_nothing(folder, command) -> None:
    expected = undisturbed(folder, command)
    run = start(folder, command)
    await_search(folder)
    (folder / "go").touch()
    os.kill(int((folder / "held").read_text()), signal.SIGKILL)
    summary, _ = run.communicate()
    assert json.loads(summary)["refused"] == {}
    assert tree(folder / "killed") == expected


def test_a_run_that_is_killed_while_it_makes_images_goes_on_to_the_same_bytes(folder) -> None:
    expected = undisturbed(folder, "full")
    (folder / "go").touch()
    gate = Gate(folder / f"killed/faces/{HELD:04}/{HELD}.jpg")
    run = start(folder, "full")
    gate.await_worker(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    gate.remove()
    kill(run)
    finish(folder, "full", "--output", "killed")
    assert tree(folder / "killed") == expected
    assert (lines(folder, "detect"), lines(folder, "make")) == (IMAGES, IMAGES)


def test_a_kill_loses_no_image_whose_original_is_removed(folder) -> None:
    expected = undisturbed(folder, "full")
    with host() as served:
        for image in range(IMAGES):
            data = (folder / f"originals/{image:04}/{image}.png").read_bytes()
            served.files[f"/{image:04}/{image}.png"] = data
        flags = ("--source", f"{served.address}/{{bucket}}/{{id}}.{{ext}}", "--no-keep-originals")
        (folder / "go").touch()
        gate = Gate(folder / f"killed/faces/{HELD:04}/{HELD}.jpg")
        run = start(folder, "full", *flags)
        gate.await_worker(run.pid)
        os.kill(run.pid, signal.SIGKILL)
        gate.remove()
        kill(run)
        finish(folder, "full", "--output", "killed", *flags)
        assert len(served.asked) == IMAGES
    made = tree(folder / "killed")
    trees = ("faces", "full", "labels", "heads/faces.tsv", "heads/heads.parquet")
    assert {name for name in made if name.startswith("original")} == set()
    assert {name: made[name] for name in expected if name.startswith(trees)} == {
        name: data for name, data in expected.items() if name.startswith(trees)
    }


def test_the_number_of_workers_changes_nothing(folder) -> None:
    expected = undisturbed(folder, "full")
    (folder / "go").touch()
    for workers in (1, 4):
        finish(folder, "full", "--workers", workers, "--output", f"of {workers}")
        assert tree(folder / f"of {workers}") == expected


@pytest.mark.parametrize("command", ["heads", "full"])
def test_a_detector_that_kills_its_worker_or_hangs_costs_the_picture_alone(folder, command) -> None:
    put_in_place_of_turbojpeg(folder, MISBEHAVES)
    for image, colour in {1: (0, 0, 0), 4: (255, 0, 0), 9: (0, 255, 0)}.items():
        (folder / f"originals/{image:04}/{image}.png").write_bytes(marked(colour))
    (folder / f"originals/{HELD:04}/{HELD}.png").write_bytes(picture(ONE))
    limits = ("--image-timeout", 2, "--worker-memory", 300_000_000)
    summary = finish(folder, command, *limits, "--output", "out")
    searched = summary["heads"] if command == "full" else summary
    assert searched["refused"] == {"worker_crashed": 1, "timeout": 1, "out_of_memory": 1}
    assert searched["single"] == IMAGES - 3
    tables = folder / "out/heads" if command == "full" else folder / "out"
    manifest = pl.read_parquet(tables / "manifest.parquet")
    assert manifest.filter(pl.col("status") != "success")["error_message"].to_list() == [
        "a worker crashed on it, twice (SIGSEGV)",
        "a worker timed out on it, twice (2 s)",
        "a worker ran out of memory on it, twice (MemoryError)",
    ]
