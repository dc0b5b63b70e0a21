"""Download: the whole command from a server on this machine, whose CPU time is not counted.

curl is given every address; `download` has to find the extensions.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmarks import Workload
from bench.corpus import Corpus, copies, write_tables
from bench.measure import Contender, run, timed_in_fresh_folder
from bench.records import Role
from dafre_fast.sample.serving import serving

_CONNECTIONS = 16


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        originals = copies(workload.corpus, workload.many, folder / "original")
        faces, _ = write_tables(originals, folder)
        size = len(originals.originals), originals.megapixels
        with serving(originals.folder, latency_seconds=0) as address:
            ours = partial(timed_in_fresh_folder, partial(_ours, faces, address), folder)
            found = [Contender("download", ours, *size)]
            if shutil.which("curl"):
                theirs = partial(timed_in_fresh_folder, partial(_curl, originals, address), folder)
                found.append(Contender("curl", theirs, *size, role=Role.PEER))
            yield found


def _ours(faces: Path, address: str, output: Path) -> None:
    source = f"{address}/original/{{bucket}}/{{id}}.{{ext}}"
    flags = ("--faces", faces, "--source", source, "--output", output, "--min-images", 1)
    limits = ("--connections", _CONNECTIONS, "--max-refused", 0)
    run(sys.executable, "-m", "dafre_fast.download", *flags, *limits)


def _curl(originals: Corpus, address: str, output: Path) -> None:
    names = [original.path.relative_to(originals.folder) for original in originals.originals]
    pairs = [f'url = "{address}/original/{name}"\noutput = "{output / name}"\n' for name in names]
    (output / "list").write_text("".join(pairs))
    flags = ("--silent", "--fail", "--create-dirs", "--parallel")
    run("curl", *flags, "--parallel-max", _CONNECTIONS, "--config", output / "list")
