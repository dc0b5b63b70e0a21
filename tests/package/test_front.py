"""Files at the top of the project that people and services read: they agree with the package."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_citation_is_of_this_version_and_licence() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (PROJECT["version"], PROJECT["license"])
    assert cited["repository-code"] == PROJECT["urls"]["Homepage"]


def test_the_changes_have_this_version() -> None:
    assert re.search(rf"^## .*\b{re.escape(PROJECT['version'])}\b", changes(), re.MULTILINE)


def changes() -> str:
    return (ROOT / "CHANGELOG.md").read_text()


def runs(workflow: Path) -> list[str]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_that_developers_call(workflow) -> None:
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    called = {target for line in runs(workflow) for target in re.findall(r"make ([a-z-]+)", line)}
    assert called
    assert called <= targets


def test_the_workflows_check_test_and_build_the_documentation() -> None:
    lines = [line for workflow in WORKFLOWS for line in runs(workflow)]
    assert {"make check", "make test-all", "make docs", "make test-newest"} <= {*lines}


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_a_template_of_issues_can_be_read(form) -> None:
    assert yaml.safe_load(form.read_text())


def test_the_container_runs_as_a_user_without_rights_and_with_extras_that_exist() -> None:
    (user,) = re.findall(r"^USER (\w+)", DOCKERFILE, re.MULTILINE)
    assert user not in {"0", "root"}
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)", DOCKERFILE, re.MULTILINE)
    assert {*extras.split(",")} <= {*PROJECT["optional-dependencies"]}
    assert re.findall(r"^ENTRYPOINT (.*)", DOCKERFILE, re.MULTILINE) == ['["dafre-fast"]']
    (python,) = {*re.findall(r"^FROM python:([\d.]+)-slim", DOCKERFILE, re.MULTILINE)}
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]
