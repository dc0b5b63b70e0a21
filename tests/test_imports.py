"""Importing the package changes nothing in the process that imports it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from tests.processes import needs_proc

# The libraries of the modules are imported first: Polars and OpenCV set variables and start
# threads, Matplotlib adds filters of warnings, and none of that is ours to answer for.
LIBRARIES = """
import ctypes, gc, os, signal, sys, threading, warnings
import aiohttp.web, aiohttp.web_response, cv2, jinja2, matplotlib.pyplot, msgspec, numba, numpy
import PIL.AvifImagePlugin, PIL.Image, polars, prometheus_client, pyvips, rich.console
import turbojpeg, wordcloud

modules_of_torch = "torch.distributed", "torch.nn.parallel", "torch.utils.data"
for extra in ("obstore", "safetensors.torch", *modules_of_torch):
    try:
        __import__(extra)
    except ImportError:
        pass
"""

STATE = """
PR_GET_PDEATHSIG = 2

def death_signal():
    number = ctypes.c_int()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(number))
    return number.value

def attributes(module):
    return {name: repr(value) for name, value in vars(module).items() if name != "__builtins__"}

def state():
    return {
        "children": open(f"/proc/self/task/{os.getpid()}/children").read(),
        "threads": len(os.listdir("/proc/self/task")),
        "threads of Python": threading.enumerate(),
        "signal at the parent's death": death_signal(),
        "handlers": {one: signal.getsignal(one) for one in signal.valid_signals()},
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "Pillow's limit": PIL.Image.MAX_IMAGE_PIXELS,
        "Pillow's threads": PIL.AvifImagePlugin.DEFAULT_MAX_THREADS,
        "garbage collector": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()),
        "aiohttp": attributes(aiohttp.web_response),
        "Prometheus": prometheus_client.metrics._use_created,
        "filters of warnings": [*warnings.filters],
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
    }
"""

EVENTS = """
# Events that start a process or a thread, even one that has ended by now.
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}
started = []
sys.addaudithook(lambda event, args: event in STARTS and started.append((event, args)))
start_thread = threading.Thread.start
threading.Thread.start = lambda self: (started.append(self), start_thread(self))
"""

IMPORT_ALL = """
import dafre_fast, importlib, pkgutil

names = [found.name for found in pkgutil.walk_packages(dafre_fast.__path__, "dafre_fast.")]
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:
        assert error.name.partition(".")[0] in {"torch", "safetensors", "obstore"}, error  # extras
"""

REPORT = """
after = state()
assert len(names) > 200, names
assert not started, started
for name in before:
    assert before[name] == after[name], (name, before[name], after[name])
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@needs_proc
def test_importing_every_module_leaves_the_process_as_it_was() -> None:
    done = run(f"{LIBRARIES}{STATE}{EVENTS}before = state()\n{IMPORT_ALL}{REPORT}")
    assert (done.returncode, done.stderr) == (0, "")


EFFECTS = {
    "os.environ['OURS'] = '1'": "environment",
    "PIL.Image.MAX_IMAGE_PIXELS = None": "Pillow's limit",
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)": "signal at the parent's death",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)": "handlers",
    "gc.freeze()": "garbage collector",
    "gc.set_threshold(1_000)": "garbage collector",
    "aiohttp.web_response.SERVER_SOFTWARE = 'ours'": "aiohttp",
    "import subprocess; subprocess.run(['true'])": "subprocess.Popen",
    "t = threading.Thread(target=print); t.start(); t.join()": "<Thread(Thread-1",
}

TRY = """
names = [0] * 999
started.clear()
before = state()
{effect}
try:
{report}
except AssertionError as error:
    said.append(str(error))
else:
    said.append("nothing was found")
"""


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """What is said of each effect, one after the other in one process."""
    # Only the libraries that the effects need, since the others take seconds.
    libraries = (
        "import ctypes, gc, json, os, signal, sys, threading, warnings, aiohttp.web_response\n"
    )
    libraries += "import PIL.AvifImagePlugin, PIL.Image, prometheus_client\n"
    report = indent(REPORT, "    ")
    tries = (TRY.format(effect=effect, report=report) for effect in EFFECTS)
    begin, end = f"{libraries}{STATE}{EVENTS}said = []", "print(json.dumps(said))"
    done = run("\n".join([begin, *tries, end]))
    assert done.returncode == 0, done.stderr
    return dict(zip(EFFECTS, json.loads(done.stdout.splitlines()[-1]), strict=True))


@needs_proc
@pytest.mark.parametrize(("effect", "named"), EFFECTS.items())
def test_each_such_effect_would_be_found(found, effect, named) -> None:
    assert named in found[effect]
