"""`make_images` as people call it: from scripts, event loops and notebooks, in real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.commands import ledger_keys, tree
from tests.gates import Gate
from tests.torture.kills import await_true, processes_of, write_originals

pytestmark = pytest.mark.slow

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")

IMAGES = 10
IMPORTS = "import asyncio\nimport dafre_fast as df\nimport polars as pl\n"
GUARDED = (
    IMPORTS + "if __name__ == '__main__':\n    made = {call}\n    print(made['status'].to_list())\n"
)
IN_A_LOOP = IMPORTS + (
    "async def main():\n    return {call}\n"
    "if __name__ == '__main__':\n    print(asyncio.run(main())['status'].to_list())\n"
)
UNGUARDED = IMPORTS + "print('begin', flush=True)\n{call}\n"
ALL_MADE = f"{['success'] * IMAGES}\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write ten small originals into a tree."""
    write_originals(tmp_path / "original", IMAGES)
    return tmp_path


def call(**arguments: object) -> str:
    """Return the text of a call of `make_images` with further arguments."""
    more = "".join(f", {name}={value!r}" for name, value in arguments.items())
    return (
        "df.make_images(pl.DataFrame({'id': range(10)}), 'original', 'out', size=32, workers=2"
        f"{more})"
    )


def script(folder: Path, text: str, **arguments: object) -> list[str]:
    """Write a script that calls `make_images`, and return the command that runs it."""
    (folder / "script.py").write_text(text.format(call=call(**arguments)))
    return [sys.executable, "script.py"]


def run(folder: Path, text: str, **arguments: object) -> subprocess.CompletedProcess[str]:
    command = script(folder, text, **arguments)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", [GUARDED, IN_A_LOOP], ids=["plain", "inside asyncio.run"])
def test_a_script_makes_all_images_and_prints_nothing_of_its_own(folder, text) -> None:
    done = run(folder, text)
    assert (done.returncode, done.stdout, done.stderr) == (0, ALL_MADE, "")
    assert len(tree(folder / "out/fullMin256")) == IMAGES


@pytest.mark.parametrize("text", [GUARDED, IN_A_LOOP], ids=["plain", "inside asyncio.run"])
def test_progress_and_notices_are_shown_if_asked_for(folder, text) -> None:
    assert run(folder, text).returncode == 0
    done = run(folder, text, progress=True)
    assert (done.returncode, done.stdout) == (0, ALL_MADE)
    (line,) = (line for line in done.stderr.splitlines() if "libturbojpeg" not in line)
    assert line.startswith("images ")
    assert "10/10" in line


def test_one_process_may_call_it_repeatedly_inside_one_loop(folder) -> None:
    text = IMPORTS + (
        "async def main():\n    return [len({call}) for _ in range(2)]\n"
        "if __name__ == '__main__':\n    print(asyncio.run(main()))\n"
    )
    done = run(folder, text, resume=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{[IMAGES] * 2}\n", "")


def executed(folder: Path, *cells: str) -> list[list[dict[str, object]]]:
    """Run cells in their own kernel, and return the outputs of each."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    return [cell["outputs"] for cell in notebook["cells"]]


def test_a_cell_of_a_notebook_makes_all_images_and_prints_nothing(folder) -> None:
    imports, made, counted = executed(
        folder, IMPORTS, f"made = {call()}", "print(made['status'].to_list())"
    )
    assert (imports, made) == ([], [])
    assert [output["text"] for output in counted] == [ALL_MADE]


def test_a_cell_of_a_notebook_shows_progress_on_one_line_if_asked_to(folder) -> None:
    _, shown = executed(folder, IMPORTS, f"made = {call(progress=True)}")
    assert {output["name"] for output in shown} == {"stderr"}
    text = "".join(str(output["text"]) for output in shown)
    assert "10/10" in text
    assert "ipywidgets" not in text


def test_without_a_main_guard_it_ends_in_one_line_that_says_what_to_do(folder) -> None:
    done = run(folder, UNGUARDED)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "begin")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{folder / 'script.py'}: ")
    assert 'below `if __name__ == "__main__":`' in line


def test_a_missing_main_guard_can_be_caught_as_a_worker_error(folder) -> None:
    text = IMPORTS + (
        "from dafre_fast.core.errors import WorkerError\n"
        "try:\n    {call}\n"
        "except WorkerError as error:\n    print('caught', type(error).__name__)\n"
    )
    done = run(folder, text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught NoMainGuard\n", "")


def test_after_a_missing_main_guard_the_corrected_script_makes_all_images(folder) -> None:
    assert run(folder, UNGUARDED).returncode == 1
    assert run(folder, GUARDED).stdout == ALL_MADE


@pytest.fixture
def start(short_tmpdir) -> Callable[[Path, list[str]], subprocess.Popen[str]]:
    """Start a script in its own session, by which its processes are found."""

    def start_it(folder: Path, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"TMPDIR": short_tmpdir},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start_it


@linux
@pytest.mark.parametrize("text", [GUARDED, IN_A_LOOP], ids=["plain", "inside asyncio.run"])
def test_ctrl_c_ends_it_with_keyboard_interrupt_and_the_next_call_continues(
    folder, start, text
) -> None:
    gate = Gate(folder / "out/fullMin256/0007/7.jpg")
    running = start(folder, script(folder, text))
    gate.await_worker(running.pid)
    os.killpg(running.pid, signal.SIGINT)  # every process gets it, as from a terminal
    _, stderr = running.communicate(timeout=60)
    gate.remove()
    assert stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert "another run" not in stderr
    assert await_true(lambda: not processes_of(running.pid))
    assert not [*(folder / "out").rglob("*.part")]
    before = ledger_keys(folder / "out")
    assert run(folder, text).stdout == ALL_MADE
    after = ledger_keys(folder / "out")
    assert after[: len(before)] == before
    assert len({*after}) == IMAGES
