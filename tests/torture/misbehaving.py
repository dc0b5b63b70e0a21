"""Files that their decoder cannot bear, and such a decoder."""

import textwrap
from pathlib import Path

from PIL import Image

GOOD = 24
MISBEHAVING = {
    "segfault": ("worker_crashed", "a worker crashed on it, twice (SIGSEGV)"),
    "hoard": ("out_of_memory", "a worker ran out of memory on it, twice (MemoryError)"),
    "starve": ("out_of_memory", "a worker ran out of memory on it, twice (SIGTRAP)"),
    "sleep": ("timeout", "a worker timed out on it, twice (2 s)"),
}
"""Comments in an original, and what becomes of it."""

# The current folder comes first in sys.path: this is found in place of the real one.
DECODER = """
    import ctypes, os, signal, sys, threading
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    others = [path for path in sys.path if path and path != os.path.dirname(__file__)]
    spec = PathFinder.find_spec("turbojpeg", others)
    real = module_from_spec(spec)
    spec.loader.exec_module(real)
    globals().update({name: value for name, value in vars(real).items() if name[0] != "_"})


    def hoard():
        held = []
        while True:
            held.append(bytearray(1_000_000))


    MISBEHAVIOUR = {
        b"please segfault": lambda: ctypes.string_at(0),
        b"please hoard": hoard,
        b"please starve": lambda: os.kill(os.getpid(), signal.SIGTRAP),
        b"please sleep": lambda: threading.Event().wait(),
    }


    class TurboJPEG(real.TurboJPEG):
        def decode(self, data, *args, **kwargs):
            for comment, misbehave in MISBEHAVIOUR.items():
                if comment in data:
                    misbehave()
            return super().decode(data, *args, **kwargs)
"""


def write_originals(folder: Path) -> None:
    """24 good JPEGs, and among them one of each that its decoder cannot bear."""
    for number in range(GOOD):
        save(folder / f"{number:02}.jpg", shade=number)
    for at, name in enumerate(MISBEHAVING):
        save(folder / f"{5 * at + 1:02}-{name}.jpg", comment=f"please {name}")


def save(path: Path, *, shade: int = 0, comment: str = "") -> None:
    path.parent.mkdir(exist_ok=True)
    # Progressive files go to libjpeg-turbo, all others to the decoder of our own.
    picture = Image.new("RGB", (300, 400), (10 * shade, 80, 160))
    picture.save(path, comment=comment, progressive=True)


def put_in_place_of_turbojpeg(folder: Path, code: str = DECODER) -> None:
    (folder / "turbojpeg.py").write_text(textwrap.dedent(code))
