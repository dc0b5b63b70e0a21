"""Dataset: whole commands from addresses to full images on disk, including start and end.

The server is on this machine; its CPU time is not counted. All contenders use all cores.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmarks import Workload
from bench.corpus import copies, write_tables
from bench.measure import Contender, run, timed_in_fresh_folder
from bench.peers import by_img2dataset
from bench.records import Role
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.sample.serving import serving

_SAMPLES_OF_IMG2DATASET = 3


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        originals = copies(workload.corpus, workload.many, folder / "original")
        faces, names = write_tables(originals, folder)
        size = len(originals.originals), originals.megapixels
        with serving(originals.folder, latency_seconds=0) as address:
            source = f"{address}/original/{{bucket}}/{{id}}.{{ext}}"
            apart = partial(_download_and_resize, faces, source)
            full = partial(_full, faces, names, source)
            found = [
                Contender(name, partial(timed_in_fresh_folder, work, folder), *size)
                for name, work in (("download, resize", apart), ("full, faces too", full))
            ]
            if by_img2dataset.interpreter():
                addresses = folder / "addresses.txt"
                paths = (one.path.relative_to(originals.folder) for one in originals.originals)
                addresses.write_text("".join(f"{address}/original/{path}\n" for path in paths))
                theirs = partial(by_img2dataset.make_dataset, addresses, size[0], usable_cores())
                found.append(
                    Contender(
                        "img2dataset",
                        partial(timed_in_fresh_folder, theirs, folder),
                        *size,
                        role=Role.PEER,
                        at_most=_SAMPLES_OF_IMG2DATASET,
                    )
                )
            yield found


def _download_and_resize(faces: Path, source: str, output: Path) -> None:
    fetched = output / "original"
    flags = ("--faces", faces, "--source", source, "--output", fetched)
    _dafre("download", *flags, "--min-images", 1)
    _dafre("resize", "--input", fetched, "--output", output / "fullMin256")


def _full(faces: Path, names: Path, source: str, output: Path) -> None:
    flags = ("--faces", faces, "--tag-ids", names, "--source", source, "--output", output)
    _dafre("full", *flags, "--min-images", 1)


def _dafre(name: str, *flags: object) -> None:
    run(sys.executable, "-m", f"dafre_fast.{name}", *flags, "--max-refused", 0)
