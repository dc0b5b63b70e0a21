"""Commands in the pages have flags and values that the program knows; nothing is run here."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable

import pytest

from dafre_fast import cli
from docs.programs.commands import command_of
from tests.docs.pages import PAGES, ROOT, blocks, name_of

_CALL = re.compile(r"dafre-fast |python -m dafre_fast\.|-m dafre_fast\.")


def calls(text: str) -> list[str]:
    """The commands of this program in a script, without what comes before them in their line."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [_CALL.split(line, maxsplit=1)[1] for line in lines if _CALL.search(line)]


def in_pages(find: Callable[[str], list[str]]) -> list[tuple[str, str]]:
    """Everything found in the scripts of all pages, with the page it is first found in."""
    found = dict[str, str]()
    for page in PAGES:
        for language in ("sh", ""):
            for block in blocks(page, language):
                found |= {one: name_of(page) for one in find(block) if one not in found}
    return sorted((page, one) for one, page in found.items())


COMMANDS = in_pages(calls)
MAKES = in_pages(lambda text: re.findall(r"^make .*", text, re.MULTILINE))


def test_every_command_is_shown_in_some_page() -> None:
    shown = {call.split()[0].replace("_", "-") for _, call in COMMANDS}
    assert shown >= {*cli.COMMANDS}


@pytest.mark.parametrize(("_page", "call"), COMMANDS)
def test_a_command_in_a_page_is_one_of_the_program_with_all_that_it_needs(_page, call) -> None:
    name, *flags = shlex.split(call, comments=True)
    command = command_of(name.replace("_", "-"))
    context = command.make_context(name, flags)
    values = {key: value for key, value in context.params.items() if value not in (None, ())}
    for group in command.groups:
        cli._build(group, values)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
@pytest.mark.parametrize(("_page", "call"), MAKES)
def test_a_target_of_make_in_a_page_is_one_of_the_makefile(_page, call) -> None:
    command = [*shlex.split(call, comments=True), "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
