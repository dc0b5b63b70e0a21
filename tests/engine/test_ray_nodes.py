"""Ray's part in a run, as far as no cluster is needed."""

import pickle
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Advanced, Event
from dafre_fast.core.settings.running import Dividing
from dafre_fast.dataset.division import read_division, record_division
from dafre_fast.engine.coordinator import Failed, Finished, Job, Lost
from dafre_fast.engine.ray_nodes import Proof, RayNodes, carry_out_here
from tests.commands import here

with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


def told_by(call: str, folder: Path, proof: Proof | None = None) -> list:
    job = Job(f"tests.engine_jobs:{call}", (folder, 2))
    told = carry_out_here(pickle.dumps(job), "node 7", str(Path.cwd()), proof, patience=0.3)
    return [pickle.loads(message) for message in told]


def connected(address: str | None = None) -> None:
    with RayNodes(address, lambda _: 1):
        pass


def test_a_node_tells_the_events_of_its_part_and_that_it_is_done(tmp_path) -> None:
    *told, last = told_by("make_ten", tmp_path)
    events: list[Event] = [event for events in told for event in events]
    assert events.count(Advanced((None,))) == 10
    assert last == Finished()


def test_a_part_that_breaks_on_a_node_says_how(tmp_path) -> None:
    assert told_by("die", tmp_path)[-1] == Lost("the engine on node 7 died", "exit status 7")
    last = told_by("no_such_function", tmp_path)[-1]
    assert last.how.startswith("exit status 1: AttributeError: ")


def test_a_node_that_does_not_share_the_output_does_no_part(tmp_path) -> None:
    record_division(tmp_path, 4)
    ours = tmp_path / ".dafre_fast/parts/division.json"
    seen, elsewhere = Proof(ours, ours.read_bytes()), Proof(ours, b"of another machine")
    assert told_by("make_ten", tmp_path, seen)[-1] == Finished()
    for proof in (elsewhere, seen._replace(path=tmp_path / "nowhere")):
        ((error,),) = told_by("make_ten", tmp_path, proof)
        assert isinstance(error, InputError)
        assert "node 7: does not see" in str(error)


def test_a_node_without_the_working_folder_does_no_part(tmp_path) -> None:
    job = pickle.dumps(Job("tests.engine_jobs:make_ten", (tmp_path, 2)))
    (message,) = carry_out_here(job, "node 7", str(tmp_path / "nowhere"), None)
    assert isinstance(failed := pickle.loads(message), Failed)
    assert "start the command in a folder that all nodes have" in str(failed.error)


def test_without_ray_the_message_names_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"needs Ray, on every node: .*'dafre_fast\[ray\]'"):
        connected()


@with_ray
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "does not answer"),
        ("no-such-host.invalid:6379", "does not answer"),
        ("127.0.0.1:99999", "does not answer"),
        ("ray://127.0.0.1:10001", "`ray job submit` starts the command there"),
        ("127.0.0.1", "must be HOST:PORT"),
        ("host:port", "must be HOST:PORT"),
    ],
)
def test_an_address_that_does_not_answer_ends_the_run_at_once(tmp_path, address, why) -> None:
    flags = ("--executor", "ray", "--ray-address", address, "--input", tmp_path)
    done = here("resize", *flags, "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ({"part": "1/2", "executor": "ray"}, "--part and --executor ray exclude each other"),
        ({"ray_address": "host:1"}, "--ray-address needs --executor ray"),
        ({"parts": 7}, "--parts needs --executor ray"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, what) -> None:
    with pytest.raises(UsageError, match=what):
        Dividing(**flags)


@pytest.mark.parametrize("more", [(), ("--detector", "anime-face")])
def test_what_full_cannot_do_in_parts_is_refused(tmp_path, more) -> None:
    done = here("full", "--executor", "ray", *more, "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "--executor ray" in done.stderr


def test_a_division_is_read_as_it_was_recorded_unless_it_is_damaged(tmp_path) -> None:
    assert read_division(tmp_path) is None
    division = record_division(tmp_path, 20)
    assert read_division(tmp_path) == division
    (tmp_path / ".dafre_fast/parts/division.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        read_division(tmp_path)
