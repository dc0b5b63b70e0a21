"""Examples of schedulers: what they start is a command with these flags."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from dafre_fast.full.__main__ import command

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
