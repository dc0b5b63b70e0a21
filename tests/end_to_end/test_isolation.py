"""Isolation: a file whose decoder misbehaves is refused, and no other file suffers."""

import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import NAME
from dafre_fast.pixels.decoders.turbo import turbo
from tests.commands import dafre, tree
from tests.torture.misbehaving import (
    GOOD,
    MISBEHAVING,
    put_in_place_of_turbojpeg,
    write_originals,
)


@pytest.fixture
def originals(tmp_path) -> Path:
    write_originals(tmp_path / "original")
    return tmp_path / "original"


@pytest.mark.slow
@pytest.mark.skipif(turbo() is None, reason="libturbojpeg is not installed")
@pytest.mark.parametrize("workers", [1, 4])
def test_a_file_that_crashes_its_decoder_is_the_only_one_refused(originals, workers) -> None:
    folder = originals.parent
    put_in_place_of_turbojpeg(folder)
    flags = ("--workers", workers, "--image-timeout", 2, "--worker-memory", 300_000_000)
    done = dafre("resize", *flags, "--manifest", "m.parquet", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads(done.stdout)
    assert summary["success"] == GOOD
    assert summary["refused"] == {"worker_crashed": 1, "out_of_memory": 2, "timeout": 1}
    manifest = pl.read_parquet(folder / "m.parquet")
    bad = manifest.filter(pl.col("status") != "success")
    refusals = bad.select("path", "status", "error_message").sort("path").rows()
    assert refusals == [
        (f"{5 * at + 1:02}-{name}.jpg", *MISBEHAVING[name]) for at, name in enumerate(MISBEHAVING)
    ]
    assert sorted(tree(folder / "fullMin256")) == [f"{number:02}.jpg" for number in range(GOOD)]


DIES_AFTER_ITS_LINE = """
    import os, signal
    from multiprocessing import parent_process
    from dafre_fast.dataset.recorder import LocalRecorder

    append = LocalRecorder.append

    def append_and_die(self, *entries):
        append(self, *entries)
        if parent_process() and entries[0].key == "05.jpg":
            os.kill(os.getpid(), signal.SIGKILL)

    LocalRecorder.append = append_and_die
    raise ImportError
"""

DIES_IN_ITS_LINE = """
    import os, signal
    from contextlib import suppress
    from multiprocessing import parent_process
    from dafre_fast.dataset.recorder import LocalRecorder

    append = LocalRecorder.append

    def append_half_and_die(self, *entries):
        if parent_process() and entries[0].key == "05.jpg":
            with suppress(FileExistsError):
                os.close(os.open("died", os.O_CREAT | os.O_EXCL))
                os.write(self.file, b'{"stage":"make","key":"05.jpg","wid')
                os.kill(os.getpid(), signal.SIGKILL)
        append(self, *entries)

    LocalRecorder.append = append_half_and_die
    raise ImportError
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [DIES_AFTER_ITS_LINE, DIES_IN_ITS_LINE])
def test_each_image_has_one_line_and_its_output_when_workers_die(originals, code) -> None:
    folder = originals.parent
    put_in_place_of_turbojpeg(folder, code)
    done = dafre("resize", "--workers", 2, "--json", cwd=folder)
    images = GOOD + len(MISBEHAVING)
    assert json.loads(done.stdout)["success"] == images
    lines = (folder / "fullMin256" / STATE / NAME).read_text().splitlines()
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == images
    assert len(tree(folder / "fullMin256")) == images


DIES_AT_START = """
    import os

    os.register_at_fork(after_in_child=lambda: os._exit(9))
    raise ImportError
"""


def test_a_run_whose_workers_all_die_at_start_ends_with_one_line(originals) -> None:
    put_in_place_of_turbojpeg(originals.parent, DIES_AT_START)
    done = dafre("resize", "--workers", 2, cwd=originals.parent)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no worker can be started" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_picture_larger_than_a_workers_memory_is_the_only_one_refused(tmp_path) -> None:
    (tmp_path / "original").mkdir()
    black = Image.new("RGB", (7000, 7000))
    black.save(tmp_path / "original/plain.png")  # its rows take 147 MB
    black.save(tmp_path / "original/told-beforehand.jpg", progressive=True, subsampling="4:4:4")
    black.resize((300, 300)).save(tmp_path / "original/small.jpg")
    flags = ("--worker-memory", 100_000_000, "--json")
    summary = json.loads(dafre("resize", *flags, cwd=tmp_path).stdout)
    assert summary["refused"] == {"out_of_memory": 1, "too_much_memory": 1}
    assert [*tree(tmp_path / "fullMin256")] == ["small.jpg"]
