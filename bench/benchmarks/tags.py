"""Tags: metadata to tables, the command against the original's scripts. Records count as images."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peers
from bench.benchmarks import Workload
from bench.corpus import Metadata, draw_metadata
from bench.measure import Contender, run, timed
from bench.records import Role


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        yield compete(draw_metadata(folder, workload.records), folder, workload.records)


def compete(metadata: Metadata, folder: Path, records: int) -> list[Contender]:
    """Ours, which writes to `folder/ours`, and the original's scripts, once, to `folder/theirs`."""
    ours = partial(run, *our_command(metadata, folder / "ours"))
    theirs = partial(run, *their_command(metadata, folder / "theirs"))
    return [
        Contender("dafre_fast.tags", partial(timed, ours), records, warm_up=ours),
        Contender(
            "the original scripts", partial(timed, theirs), records, role=Role.PEER, at_most=1
        ),
    ]


def our_command(metadata: Metadata, output: Path) -> list[object]:
    """All steps of the original, with its bounds."""
    inputs = ("--metadata", metadata.posts, "--labels", metadata.labels)
    bounds = ("--profanities", metadata.profanities, "--min-length", 3, "--min-uses", 2)
    return [sys.executable, "-m", "dafre_fast.tags", *inputs, "--output", output, *bounds]


def their_command(metadata: Metadata, output: Path) -> list[object]:
    """The same, in the original's way."""
    script = Path(peers.__file__).with_name("original_tags.py")
    posts = sorted(metadata.posts.iterdir())
    return [sys.executable, script, *posts, metadata.labels, output, metadata.profanities]


def same_files(folder: Path) -> bool:
    """True where both wrote the same lines, in whatever order: the original follows the metadata,
    ours the labels.
    """
    names = ("train_tags.csv", "val_tags.csv", "test_tags.csv")
    return all(_lines(folder / "ours" / name) == _lines(folder / "theirs" / name) for name in names)


def _lines(path: Path) -> list[bytes]:
    return sorted(path.read_bytes().splitlines())
