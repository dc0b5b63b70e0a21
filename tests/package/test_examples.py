"""Examples of schedulers: what they start is a command with these flags."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from dafre_fast.core.settings.build import build, fields
from dafre_fast.core.settings.fetching import SharedFetching
from dafre_fast.core.settings.running import Dividing
from dafre_fast.full.__main__ import command
from dafre_fast.full.settings import FullRun

EXAMPLES = Path(__file__).parents[2] / "examples"


def flags(text: str) -> list[str]:
    """Return the flags of the command in a script, without what a shell puts in their place."""
    call = text.partition("dafre-fast full")[2].replace("\\\n", " ").replace("\n", " ")
    return shlex.split(re.sub(r"\$[({]+[^)}]*[)}]+", "7", call))


JOBS = ["kubernetes_job", "kubernetes_job_into_a_store"]


def job(name: str) -> dict:
    return yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())


@pytest.fixture(params=["slurm_array", *JOBS])
def script(request) -> str:
    if request.param not in JOBS:
        return (EXAMPLES / f"{request.param}.sh").read_text()
    return job(request.param)["spec"]["template"]["spec"]["containers"][0]["args"][0]


def test_the_script_is_one_that_bash_can_read(script) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_has_these_flags_and_a_part(script) -> None:
    given = flags(script)
    named = (one[2:].replace("-", "_") for one in given if one.startswith("--"))
    assert {name.removeprefix("no_") for name in named} <= command.settings
    assert re.fullmatch(r"7/(7|100)", given[given.index("--part") + 1])


@pytest.mark.parametrize("name", JOBS)
def test_an_indexed_job_has_as_many_parts_as_completions(name) -> None:
    spec = job(name)["spec"]
    assert spec["completionMode"] == "Indexed"
    args = spec["template"]["spec"]["containers"][0]["args"][0]
    assert f"+ 1))/{spec['completions']}" in args
    assert f"--runs-at-once {spec['parallelism']} " in args


def test_the_job_for_ray_is_a_command_that_its_flags_allow() -> None:
    spec = importlib.util.spec_from_file_location("ray_job", EXAMPLES / "ray_job.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    words = module.COMMAND
    assert words[:3] == ["dafre-fast", "full", "--executor=ray"]
    given = dict(word[2:].split("=") for word in words[2:])
    values = {name.replace("-", "_"): value for name, value in given.items()}
    groups = [FullRun, SharedFetching, Dividing]
    known = {field.encode_name: group for group in groups for field in fields(group)}
    assert values.keys() <= known.keys()
    for group in groups:
        own = {name: value for name, value in values.items() if known[name] is group}
        build(group, own, str, strict=False)


def test_the_cluster_has_no_part_where_the_command_runs() -> None:
    cluster = yaml.safe_load((EXAMPLES / "ray_cluster.yaml").read_text())
    kinds = cluster["available_node_types"]
    assert kinds.pop(cluster["head_node_type"])["resources"] == {"CPU": 0}
    (node,) = kinds.values()
    assert node["min_workers"] == node["max_workers"] == cluster["max_workers"]
