"""The `gallery` command: its output and exit status."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.commands import here
from tests.gallery.small_dataset import IMAGES


@contextmanager
def started(dataset: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "dafre_fast.gallery", "--output", str(dataset), *flags]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_exits_with_status_0(dataset, number) -> None:
    with started(dataset, "--port", "0", "--json") as process:
        printed = json.loads(process.stdout.readline())
        assert printed["images"] == IMAGES
        with urlopen(printed["address"]) as answer:
            assert f"{IMAGES} images" in answer.read().decode()
            process.send_signal(number)
        assert process.wait() == 0
        assert "Traceback" not in process.stderr.read()


def test_it_prints_the_address(dataset) -> None:
    with started(dataset, "--port", "0") as process:
        line = process.stdout.readline()
    assert line.startswith(f"{IMAGES} images at http://127.0.0.1:")


def test_a_proxy_that_passes_on_its_own_name_and_prefix_is_answered(dataset) -> None:
    flags = ("--prefix", "/photos", "--allow-host", "a.example", "--allow-host", "b.example")
    with started(dataset, "--port", "0", "--json", *flags) as process:
        place = json.loads(process.stdout.readline())["address"]
        assert place.endswith("/photos/")
        for host in ("a.example", "b.example:443"):
            with urlopen(Request(place, headers={"Host": host})) as answer:
                assert '<a class="home" href="/photos/">' in answer.read().decode()


def test_with_index_elsewhere_nothing_is_written_into_the_dataset(dataset, tmp_path) -> None:
    ds = Path(shutil.copytree(dataset, tmp_path / "ds", ignore=lambda *_: [".dafre_fast"]))
    before = sorted(ds.rglob("*"))
    with started(ds, "--port", "0", "--index", str(tmp_path / "index")) as process:
        assert process.stdout.readline().startswith(f"{IMAGES} images at ")
    assert sorted(ds.rglob("*")) == before
    assert (tmp_path / "index/index.json").exists()


def test_serving_to_other_machines_prints_a_warning(dataset) -> None:
    with started(dataset, "--port", "0", "--host", "0.0.0.0") as process:
        assert process.stdout.readline()
        process.terminate()
        process.wait()
        assert (
            "warning: --host 0.0.0.0: everyone who can reach this machine" in process.stderr.read()
        )


def test_a_port_in_use_is_an_error_in_one_line(dataset, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = here("gallery", "--output", dataset, "--port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert f"--host 127.0.0.1 --port {port}: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "203.0.113.9"])
def test_a_host_that_is_not_this_machine_is_an_error_in_one_line(dataset, tmp_path, host) -> None:
    done = here("gallery", "--output", dataset, "--port", "0", "--host", host, cwd=tmp_path)
    assert done.returncode == 2
    assert f"dafre-fast gallery: --host {host} --port 0: " in done.stderr.splitlines()[-1]


def test_a_folder_without_a_manifest_is_an_error_in_one_line_and_stays_empty(tmp_path) -> None:
    done = here("gallery", "--output", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'manifest.parquet'}: " in done.stderr
    assert [*tmp_path.iterdir()] == []
