"""`--executor ray`: the bytes of one run, whichever node, process or driver dies."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Self

import pytest

from dafre_fast.core.layout import STATE
from tests.commands import dafre, tree
from tests.end_to_end.test_engines import fetched, same, served
from tests.merge.small import IMAGES, contents, draw, make
from tests.processes import runs
from tests.ray_cluster import RayCluster, ray_cluster
from tests.torture.kills import await_true

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
PARTS = 4
RULES = ("--min-images", 2, "--max-bad-rows", 0.5)
PATIENCE_SECONDS = 240
"""Ray starts its first processes on each node in seconds, or in a minute on a busy machine."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "ds"
    with served(inputs, 0) as (source, _):
        make(inputs, output, source=source)
    return output


class Driver:
    """The command on a cluster; its output lies in files of its folder."""

    def __init__(self, folder: Path, inputs: Path, source: str, cluster: RayCluster) -> None:
        tables = ("--faces", inputs / "faces.tsv", "--tag-ids", inputs / "tagIds.tsv")
        rules = (*RULES, "--no-report", "--json")
        place = ("--executor", "ray", "--ray-address", cluster.address, "--output", "ds")
        patient = ("--timeout", 2 * PATIENCE_SECONDS, "--stall-timeout", 2 * PATIENCE_SECONDS)
        parts = ("--parts", PARTS, "--connections", 2)
        flags = (*tables, "--source", source, *rules, *patient, *place, *parts)
        command = [sys.executable, "-m", "dafre_fast.full", *map(str, flags)]
        self.folder = folder
        with (folder / "said").open("w") as said, (folder / "printed").open("w") as printed:
            self.process = subprocess.Popen(
                command, cwd=folder, stderr=said, stdout=printed, start_new_session=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait()

    def status(self) -> int:
        return self.process.wait(timeout=240)

    def awaits_two(self) -> bool:
        """Wait until two nodes are at work; show what the command says if they are not."""
        if await_true(lambda: two_at_work(self.folder), PATIENCE_SECONDS):
            return True
        print(f"engines {engines(self.folder)}, originals {fetched(self.folder)}", self.said)
        return False

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def summary(self) -> dict:
        return json.loads((self.folder / "printed").read_text())


def engines(folder: Path) -> list[int]:
    """Processes that are engines, of the run in a folder."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if words[1:3] == [b"-m", b"dafre_fast.engine.engine"] and (
                    (path / "cwd").readlink() == folder
                ):
                    found.append(int(path.name))
    return found


def parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"PPid:\s+(\d+)", status)[1])


@contextmanager
def held(inputs: Path) -> Iterator[tuple[str, Event]]:
    """Serve the first few originals; others wait until the event is set."""
    with served(inputs, 0) as (source, counting):
        count, go_on, numbers = counting.one, Event(), itertools.count(1)

        @contextmanager
        def one() -> Iterator[None]:
            with count():
                if next(numbers) > 4:
                    go_on.wait(2 * PATIENCE_SECONDS)
                yield

        counting.one = one
        try:
            yield source, go_on
        finally:
            go_on.set()


def two_at_work(folder: Path) -> bool:
    return len(engines(folder)) == 2 and fetched(folder) > 2


def test_two_nodes_end_in_the_bytes_of_one_run(cluster, inputs, whole, tmp_path) -> None:
    with held(inputs) as (source, go_on), Driver(tmp_path, inputs, source, cluster) as driver:
        assert driver.awaits_two()
        go_on.set()
        assert driver.status() == 0, driver.said
    assert (driver.summary["images"], driver.summary["work"]["images"]) == (IMAGES, IMAGES)
    assert {*re.findall(r"^images \d+/(\d+)", driver.said, re.MULTILINE)} == {str(IMAGES)}
    assert same(tmp_path / "ds", whole)


def test_a_node_that_is_killed_costs_its_part_another_attempt(
    cluster, inputs, whole, tmp_path
) -> None:
    with held(inputs) as (source, go_on), Driver(tmp_path, inputs, source, cluster) as driver:
        assert driver.awaits_two()
        cluster.kill()
        go_on.set()
        cluster.add()
        assert driver.status() == 0, driver.said
    assert re.search(r"part \d was lost on node .* \(the node died\) and is started", driver.said)
    assert same(tmp_path / "ds", whole, killed=True)


@pytest.mark.parametrize("whom", ["engine", "task"])
def test_a_process_that_is_killed_on_a_node_costs_nothing(
    cluster, inputs, whole, tmp_path, whom
) -> None:
    with held(inputs) as (source, go_on), Driver(tmp_path, inputs, source, cluster) as driver:
        assert driver.awaits_two()
        engine = engines(tmp_path)[0]
        os.kill(engine if whom == "engine" else parent(engine), signal.SIGKILL)
        go_on.set()
        assert driver.status() == 0, driver.said
    how = "killed by signal 9" if whom == "engine" else "its process died"
    assert f"({how}) and is started again" in driver.said
    assert same(tmp_path / "ds", whole, killed=True)


def test_a_driver_that_is_killed_leaves_nobody_and_goes_on_with_its_parts(
    cluster, inputs, whole, tmp_path
) -> None:
    with held(inputs) as (source, go_on):
        with Driver(tmp_path, inputs, source, cluster) as driver:
            assert driver.awaits_two()
            at_work = engines(tmp_path)
            os.kill(driver.process.pid, signal.SIGKILL)
        go_on.set()
        assert await_true(lambda: not any(map(runs, at_work)))
        before = (tmp_path / "ds" / STATE / "parts/division.json").read_bytes()
        with Driver(tmp_path, inputs, source, cluster) as driver:
            division = tmp_path / "ds" / STATE / "parts/division.json"
            assert await_true(lambda: engines(tmp_path), PATIENCE_SECONDS)
            assert division.read_bytes() == before
            assert driver.status() == 0, driver.said
    assert not division.exists()
    assert same(tmp_path / "ds", whole, killed=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_all_parts(cluster, inputs, tmp_path, number) -> None:
    with held(inputs) as (source, _), Driver(tmp_path, inputs, source, cluster) as driver:
        assert driver.awaits_two()
        at_work = engines(tmp_path)
        os.killpg(driver.process.pid, number)
        assert driver.status() == 128 + number
    assert await_true(lambda: not any(map(runs, at_work)))
    assert driver.said.count("stopped; what is finished is kept") == 1
    assert "Traceback" not in driver.said


@pytest.mark.parametrize("command", ["resize", "download"])
def test_other_commands_end_in_the_bytes_of_one_run(cluster, inputs, tmp_path, command) -> None:
    ray = ("--executor", "ray", "--ray-address", cluster.address, "--parts", 2)
    with served(inputs, 0) as (source, _):
        flags = {
            "resize": ("--input", inputs / "originals"),
            "download": ("--faces", inputs / "faces.tsv", "--source", source, *RULES),
        }[command]
        for output, where in (("one", ()), ("nodes", ray)):
            done = dafre(command, *flags, *where, "--output", output, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
    assert len(tree(tmp_path / "one")) >= IMAGES - 1
    assert contents(tmp_path / "nodes") == contents(tmp_path / "one")


def test_a_cluster_that_the_command_starts_leaves_nobody(inputs, short_tmpdir) -> None:
    command = [sys.executable, "-m", "dafre_fast.resize", "--executor", "ray", "--parts", "2"]
    words = [
        "--ray-address",
        "local",
        "--input",
        str(inputs / "originals"),
        "--output",
        "ds",
        "--json",
    ]
    done = subprocess.run(
        [*command, *words],
        cwd=short_tmpdir,
        env=os.environ | {"RAY_TMPDIR": short_tmpdir},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == IMAGES
    assert await_true(lambda: not of_folder(short_tmpdir))


def of_folder(folder: str) -> list[str]:
    """Processes that Ray started with its files in a folder."""
    own = f"RAY_TMPDIR={folder}".encode()
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdecimal() and own in (path / "environ").read_bytes().split(b"\0"):
                found.append(path.name)
    return found
