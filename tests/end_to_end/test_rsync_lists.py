"""Lists of files, with a daemon of the system's rsync on the loopback interface."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.commands import dafre, ledger_keys, tree
from tests.pixels.pictures import encoded, smooth
from tests.processes import descendants, needs_proc, runs
from tests.sources.rsyncd import Daemon, daemon_of, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is not installed"),
]

JPEG = b"\xff\xd8\xff\xda" + bytes(range(1, 255)) * 20 + b"\xff\xd9"
GIF = encoded(smooth(40, 30), "GIF")
MIRROR = {
    "original/0001/1.jpg": JPEG,
    "original/0002/2.gif": GIF,
    "original/3/1003.jpg": JPEG + b"\0",
    "original/0005/5.jpg": JPEG,
    "512px/0001/1.jpg": JPEG,
    "512px/0005/5.jpg": JPEG,
    "metadata/2018.json": b"{}",
}
ORIGINALS = {
    "0001/1.jpg": JPEG,
    "0002/2.gif": GIF,
    "0003/1003.jpg": JPEG + b"\0",
}
"""Originals of the split that the daemon has. It has not 4, and 5 is not in the split."""


@pytest.fixture
def daemon(tmp_path) -> Iterator[Daemon]:
    for name, body in MIRROR.items():
        path = tmp_path / "there" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "val.csv").write_text("0,0002/2.jpg\n0,0001/1.jpg\n1,0004/4.jpg\n1,0003/1003.jpg\n")
    with daemon_of(tmp_path / "there", tmp_path / "rsyncd.conf") as daemon:
        yield daemon


@pytest.fixture
def module(daemon) -> str:
    return daemon.source.removesuffix("/original")


def lists(folder: Path, *flags: object) -> subprocess.CompletedProcess[str]:
    return dafre("lists", "--labels", "val.csv", *flags, "--json", cwd=folder)


def fetched(folder: Path, *flags: object) -> dict[str, dict[str, object]]:
    done = lists(folder, *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["fetched"]


def found(folder: Path) -> Path:
    """Write a list of the files of the mirror with `find`."""
    command = ["find", ".", "-type", "f", "-path", "./*/*/*"]
    made = subprocess.run(command, cwd=folder / "there", capture_output=True, check=True)
    (folder / "files.txt").write_bytes(made.stdout)
    return folder / "files.txt"


def test_rsync_takes_the_lists_as_they_are(tmp_path, module) -> None:
    assert lists(tmp_path, "--files", found(tmp_path)).returncode == 0
    for called in ("originalext", "512jpg"):
        path = tmp_path / f"lists/val_{called}.txt"
        command = ["rsync", f"--files-from={path}", f"{module}/", "here"]
        subprocess.run(command, cwd=tmp_path, check=True)
    wanted = [name for name in MIRROR if "/5" not in name and "metadata" not in name]
    assert tree(tmp_path / "here") == {name: MIRROR[name] for name in wanted}


def test_listed_files_are_fetched_by_their_names_in_any_folder_with_any_extension(
    tmp_path, module
) -> None:
    summary = fetched(tmp_path, "--files", found(tmp_path), "--source", module)
    assert (summary["original"]["images"], summary["original"]["success"]) == (3, 3)
    assert tree(tmp_path / "original") == ORIGINALS
    assert not (tmp_path / "512px").exists()
    manifest = pl.read_parquet(tmp_path / "lists/original.parquet").sort("id")
    assert manifest["url"].to_list() == [
        f"{module}/original/{name}" for name in ("0001/1.jpg", "0002/2.gif", "3/1003.jpg")
    ]


def test_both_trees_are_fetched_if_asked_for(tmp_path, module) -> None:
    folders = ("--originals", "a", "--small", "b")
    flags = ("--source", module, "--sizes", "512px,original", *folders)
    assert [*fetched(tmp_path, "--files", found(tmp_path), *flags)] == ["512px", "original"]
    assert (tree(tmp_path / "a"), tree(tmp_path / "b")) == (ORIGINALS, {"0001/1.jpg": JPEG})


@pytest.mark.slow
@pytest.mark.parametrize("inside", ["", "/", "/danbooru2018", "/danbooru2018/"])
def test_without_a_list_the_mirror_is_listed(tmp_path, module, daemon, inside) -> None:
    if inside.strip("/"):
        below = [*daemon.root.iterdir()]
        (daemon.root / "danbooru2018").mkdir()
        for path in below:
            path.rename(daemon.root / "danbooru2018" / path.name)
    assert fetched(tmp_path, "--source", module + inside)["original"]["success"] == 3
    assert tree(tmp_path / "original") == ORIGINALS
    listed = (tmp_path / "lists/files.txt").read_text().splitlines()
    assert sorted(listed) == sorted(name for name in MIRROR if "metadata" not in name)


def test_the_same_command_continues_and_fetches_nothing_twice(tmp_path, module, daemon) -> None:
    flags = ("--files", found(tmp_path), "--source", module)
    (daemon.root / "original/0001/1.jpg").unlink()
    summary = fetched(tmp_path, *flags)["original"]
    assert (summary["success"], summary["refused"]) == (2, {"not_found": 1})
    (daemon.root / "original/0001/1.jpg").write_bytes(JPEG)
    assert fetched(tmp_path, *flags, "--retry-failed")["original"]["success"] == 3
    assert ledger_keys(tmp_path / "original").count("2") == 1
    assert tree(tmp_path / "original") == ORIGINALS


def test_a_file_that_is_not_an_image_or_differs_from_its_metadata_is_refused(
    tmp_path, module, daemon
) -> None:
    (daemon.root / "original/0001/1.jpg").write_bytes(b"<html>gone</html>")
    (tmp_path / "meta.json").write_text(f'{{"id":2,"md5":"{"0" * 32}"}}\n{{"id":"x"}}\n')
    metadata = ("--metadata", "meta.json", "--max-bad-rows", 0.5, "--max-refused", 1)
    both = ("--sizes", "original,512px")
    done = lists(tmp_path, "--files", found(tmp_path), "--source", module, *metadata, *both)
    printed = json.loads(done.stdout)
    assert printed["fetched"]["original"]["refused"] == {"not_an_image": 1, "wrong_hash": 1}
    assert printed["fetched"]["512px"]["success"] == 1
    assert "meta.json,2,bad_id\n" in (tmp_path / "lists/bad_rows.csv").read_text()
    assert done.returncode == 1


def test_a_mirror_without_trees_or_out_of_reach_is_an_error_in_one_line(tmp_path, module) -> None:
    done = lists(tmp_path, "--source", f"{module}/original")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "no file is in original or 512px" in done.stderr
    done = lists(tmp_path, "--source", f"rsync://127.0.0.1:{free_port()}/m", "--retries", 0)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "refused" in done.stderr
    assert not (tmp_path / "lists/files.txt").exists()


@needs_proc
def test_ctrl_c_while_the_mirror_is_listed_leaves_no_process_and_no_partial_list(tmp_path) -> None:
    (tmp_path / "val.csv").write_text("0,0001/1.jpg\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"rsync://127.0.0.1:{silent.getsockname()[1]}/danbooru"
        flags = ["--labels", "val.csv", "--source", source]
        command = [sys.executable, "-m", "dafre_fast.lists", *flags]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run:
            while not (children := descendants(run.pid)):
                assert run.poll() is None
                time.sleep(0.01)
            run.send_signal(signal.SIGINT)
            _, stderr = run.communicate(timeout=30)
    assert (run.returncode, "stopped" in stderr) == (130, True)
    assert not [child for child in children if runs(child)]
    assert not [*(tmp_path / "lists").iterdir()]


def test_a_list_that_cannot_be_written_is_an_error_in_one_line_with_its_name(
    tmp_path, daemon, module, small_disk
) -> None:
    for number in range(5000):
        (daemon.root / f"original/0001/{number}001.jpg").touch()
    output = small_disk.folder / "lists"
    done = lists(tmp_path, "--source", module, "--output", output)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "lists/files.txt: No space left" in done.stderr
    assert not [*output.iterdir()]
