"""constraints.txt beside the ranges of pyproject.toml."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
LOCKED = [Requirement(line) for line in LINES if not line.startswith("#")]


def applies(requirement: Requirement, python: str) -> bool:
    here = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    return requirement.marker is None or requirement.marker.evaluate(here)


def required(python: str) -> Iterator[Requirement]:
    extras = PROJECT["optional-dependencies"]
    names = ("dev", "bench", "detect", "docs", "heic", "objects", "ray")
    others = [line for name in names for line in extras[name]]
    for line in (*PROJECT["dependencies"], *others):
        requirement = Requirement(line)
        if requirement.name != PROJECT["name"] and applies(requirement, python):
            yield requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_has_one_release_and_it_is_in_range(python) -> None:
    pins = [pin for pin in LOCKED if applies(pin, python)]
    releases = {canonicalize_name(pin.name): pin for pin in pins}
    assert len(releases) == len(pins)
    for requirement in required(python):
        pin = releases[canonicalize_name(requirement.name)]
        (release,) = pin.specifier
        assert release.operator == "=="
        assert requirement.specifier.contains(release.version), f"{requirement}: {pin}"


def test_no_line_names_a_host_or_a_path() -> None:
    assert all(re.fullmatch(r"#.*|[a-z0-9-]+==[\w.]+( ; .*)?", line) for line in LINES)
    assert not any(re.search(r"://|@|/|--", line) for line in LINES)


def test_pytorch_is_in_no_lock_and_no_extra_but_those_that_need_it() -> None:
    assert "torch" not in {pin.name for pin in LOCKED}
    extras = PROJECT["optional-dependencies"]
    assert {name for name, lines in extras.items() if any("torch" in line for line in lines)} == {
        "torch",
        "train",
    }
