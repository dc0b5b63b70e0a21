"""Labels: the whole command and the scripts of DAF:re. Rows of faces.tsv count as images."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peers
from bench.benchmarks import Workload
from bench.corpus import draw_tables
from bench.measure import Contender, run, timed
from bench.records import Role


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        yield compete(*draw_tables(folder, workload.rows), folder, workload.rows)


def compete(faces: Path, tag_ids: Path, folder: Path, rows: int) -> list[Contender]:
    """Return ours, which writes to `folder/ours`, and the scripts, writing to `folder/theirs`."""
    flags = ("--faces", faces, "--tag-ids", tag_ids, "--output", folder / "ours")
    ours = partial(run, sys.executable, "-m", "dafre_fast.labels", *flags)
    script = Path(peers.__file__).with_name("original_labels.py")
    theirs = partial(timed, partial(run, sys.executable, script, faces, tag_ids, folder / "theirs"))
    return [
        # The first run may have to compile the parser.
        Contender("dafre_fast.labels", partial(timed, ours), rows, warm_up=ours),
        Contender("the original scripts", theirs, rows, role=Role.PEER, at_most=1),
    ]


def same_files(folder: Path) -> bool:
    """Return whether both wrote the same bytes."""
    names = ("train.csv", "val.csv", "test.csv", "classid_classname.csv")
    return all(
        (folder / "ours" / name).read_bytes() == (folder / "theirs" / name).read_bytes()
        for name in names
    )
