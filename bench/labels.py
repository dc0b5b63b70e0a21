"""`python -m bench.labels [FACES TAG_IDS]`: the labels command against the original's scripts.

Both as whole processes on the same tables, interleaved; without tables, on drawn ones of the
original's size. Prints medians and the ratio; how long one of them takes says nothing by itself.
"""

import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.corpus import draw_tables
from bench.measure import Contender, run, take_turns, timed
from bench.records import Role

ROWS, RUNS_OF_OURS = 977_356, 9


def contenders(faces: Path, tag_ids: Path, folder: Path, rows: int) -> list[Contender]:
    """Ours, which writes to `folder/ours`, and the original's scripts, once, to `folder/theirs`."""
    flags = ("--faces", faces, "--tag-ids", tag_ids, "--output", folder / "ours")
    script = Path(__file__).parent / "peers" / "original_labels.py"
    ours = partial(run, sys.executable, "-m", "dafre_fast.labels", *flags)
    theirs = partial(run, sys.executable, script, faces, tag_ids, folder / "theirs")
    return [
        Contender("dafre_fast.labels", partial(timed, ours), rows),
        Contender(
            "the original scripts",
            partial(timed, theirs),
            rows,
            role=Role.PEER,
            warm_up=False,
            at_most=1,
        ),
    ]


def same_files(folder: Path) -> bool:
    """True where both wrote the same bytes."""
    names = ("train.csv", "val.csv", "test.csv", "classid_classname.csv")
    return all(
        (folder / "ours" / name).read_bytes() == (folder / "theirs" / name).read_bytes()
        for name in names
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        faces, tag_ids = map(Path, sys.argv[1:]) if sys.argv[1:] else draw_tables(folder, ROWS)
        taken = take_turns(contenders(faces, tag_ids, folder, ROWS), RUNS_OF_OURS, "labels")
        print(f"{'':24}{'seconds':>10}{'CPU-seconds':>14}")
        for contender, samples in taken:
            seconds = statistics.median(sample.seconds for sample in samples)
            cpu_seconds = statistics.median(sample.cpu_seconds for sample in samples)
            print(f"{contender.name:24}{seconds:10.2f}{cpu_seconds:14.2f}")
        print(f"the same files: {'yes' if same_files(folder) else 'NO'}")


if __name__ == "__main__":
    main()
