"""The reference is made from the code: it has every command, setting, reason and error."""

import re
import signal
import tomllib

import pytest

from dafre_fast import cli
from dafre_fast.core import errors
from dafre_fast.core.reasons import DOCUMENTATION, Reason
from dafre_fast.core.settings.build import fields
from docs.programs import causes, commands
from tests.docs.pages import DOCS, ROOT, in_code

TROUBLE = DOCS / "trouble"


# Commands and settings


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_page_of_a_command_has_each_of_its_flags_once(name) -> None:
    page = commands.flags(name)
    flags = [flag for line in page.splitlines() for flag in _first_flags(line)]
    command = commands.command_of(name)
    expected = {f"--{setting.replace('_', '-')}" for setting in command.settings}
    assert expected | {"--config", "--version", "-h"} == {*flags}
    assert len({*flags}) == len(flags)


def _first_flags(line: str) -> list[str]:
    return in_code(line.split("|")[1])[:1] if line.startswith("| `-") else []


def test_a_flag_says_what_it_takes_its_default_and_what_it_does() -> None:
    (line,) = [line for line in commands.flags("resize").splitlines() if "| `--size`" in line]
    short_side = "Short side of the full image, in pixels."
    assert line == f"| `--size` | a whole number from 1 to 65,500 | `256` | {short_side} |"


def test_a_switch_shows_both_of_its_names() -> None:
    assert "| `--exact` / `--no-exact` |  | off |" in commands.flags("resize")


def test_a_needed_flag_is_marked_so() -> None:
    assert "| `--source` | text | *needed* |" in commands.flags("heads")


def test_the_table_of_settings_has_all_of_them_with_the_commands_that_have_them() -> None:
    table = commands.all_settings()
    for name in cli.COMMANDS:
        for setting in commands.command_of(name).settings:
            (line,) = [one for one in table.splitlines() if one.startswith(f"| `{setting}` |")]
            assert f"[`{name}`]" in line


def test_the_table_of_commands_has_all_of_them() -> None:
    listed = re.findall(r"^\| \[`(\w+(?:-\w+)*)`\]", commands.all_commands(), re.MULTILINE)
    assert listed == [*cli.COMMANDS]


def test_every_setting_of_a_group_is_described() -> None:
    for name in cli.COMMANDS:
        for group in commands.command_of(name).groups:
            assert all(commands.text_of(field) for field in fields(group))


# Reasons, problems and findings


def _remedies() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in causes.SETS}
    for page in TROUBLE.glob("*.md"):
        for name, value, remedy in causes.headings(page.read_text()):
            found[name].append((value, remedy))
    return found


@pytest.mark.parametrize("name", causes.SETS)
def test_every_cause_has_one_heading_with_a_remedy(name) -> None:
    remedies = _remedies()[name]
    assert sorted(value for value, _ in remedies) == sorted(causes.SETS[name])
    assert all(len(remedy.split()) > 2 for _, remedy in remedies)


def test_the_cause_stands_below_its_heading_with_what_the_next_run_does() -> None:
    page = causes.with_causes("<!-- causes: reasons -->\n\n### `too_slow`\n\nRun again.\n")
    again = "The next run tries it again by itself."
    assert page == f"\n### `too_slow`\n\n**{Reason.TOO_SLOW.cause}** {again}\n\nRun again.\n"


def test_the_link_of_a_reason_leads_to_its_heading() -> None:
    found = [*causes.headings((TROUBLE / "refusals.md").read_text())]
    for reason in Reason:
        page, _, anchor = reason.page.removeprefix(DOCUMENTATION).partition("#")
        assert page == "trouble/refusals/"
        # Of headings with the same text, the first has the anchor without a number.
        assert next(name for name, value, _ in found if value == anchor) == "reasons"


def test_the_address_of_the_documentation_is_that_of_the_project_and_its_site() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Documentation"] == DOCUMENTATION
    assert f"site_url: {DOCUMENTATION}\n" in (ROOT / "mkdocs.yml").read_text()


# Exit statuses

_STATUS = re.compile(r"exit status (\d)")


def _statuses() -> list[tuple[int, list[str]]]:
    text = (TROUBLE / "index.md").read_text().partition("## Exit statuses")[2].split("\n## ")[0]
    rows = [line.split("|") for line in text.splitlines() if re.match(r"\| \d", line)]
    return [(int(cells[1]), in_code(cells[2])) for cells in rows]


def test_every_error_that_ends_a_command_has_a_row_with_its_exit_status() -> None:
    tree = re.findall(r"(\w+)   +.*exit status (\d)", errors.__doc__ or "")
    assert len(tree) >= 7
    named = {(name, status) for status, names in _statuses() for name in names}
    assert {(name, int(status)) for name, status in tree} <= named


def test_every_exit_status_has_a_row() -> None:
    by_signal = {128 + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    assert {status for status, _ in _statuses()} == {0, 1, 2} | by_signal
