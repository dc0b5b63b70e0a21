"""Tags: the command and the scripts of DAF:re, metadata to tables. Records count as images."""

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
    """Return ours, which writes to `folder/ours`, and the scripts, writing to `folder/theirs`."""
    ours = partial(run, *our_command(metadata, folder / "ours"))
    theirs = partial(run, *their_command(metadata, folder / "theirs"))
    return [
        Contender("dafre_fast.tags", partial(timed, ours), records, warm_up=ours),
        Contender(
            "the original scripts", partial(timed, theirs), records, role=Role.PEER, at_most=1
        ),
    ]


def our_command(metadata: Metadata, output: Path) -> list[object]:
    """Return the command for all steps of the scripts, with their bounds."""
    inputs = ("--metadata", metadata.posts, "--labels", metadata.labels)
    bounds = ("--profanities", metadata.profanities, "--min-length", 3, "--min-uses", 2)
    return [sys.executable, "-m", "dafre_fast.tags", *inputs, "--output", output, *bounds]


def their_command(metadata: Metadata, output: Path) -> list[object]:
    """Return the command that runs the scripts."""
    script = Path(peers.__file__).with_name("original_tags.py")
    posts = sorted(metadata.posts.iterdir())
    return [sys.executable, script, *posts, metadata.labels, output, metadata.profanities]


def same_files(folder: Path) -> bool:
    """Return whether both wrote the same lines in any order.

    The scripts keep the order of the metadata, `tags` that of the labels.
    """
    names = ("train_tags.csv", "val_tags.csv", "test_tags.csv")
    return all(_lines(folder / "ours" / name) == _lines(folder / "theirs" / name) for name in names)


def _lines(path: Path) -> list[bytes]:
    return sorted(path.read_bytes().splitlines())
