"""`python -m bench.labels [FACES TAG_IDS]`: compare `labels` with the scripts of DAF:re.

Both run as whole processes on the same tables, interleaved. Without arguments, tables of DAF:re's
size are drawn. Prints medians, which mean something only in comparison.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from bench.benchmarks.labels import compete, same_files
from bench.corpus import draw_tables
from bench.measure import take_turns

ROWS, RUNS_OF_OURS = 977_356, 9


def main() -> None:
    """Measure both, and print their costs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tables = map(Path, sys.argv[1:]) if sys.argv[1:] else draw_tables(folder, ROWS)
        taken = take_turns(compete(*tables, folder, ROWS), RUNS_OF_OURS, "labels")
        print(f"{'':24}{'seconds':>10}{'CPU-seconds':>14}")
        for contender, samples in taken:
            seconds = statistics.median(sample.seconds for sample in samples)
            cpu_seconds = statistics.median(sample.cpu_seconds for sample in samples)
            print(f"{contender.name:24}{seconds:10.2f}{cpu_seconds:14.2f}")
        print(f"the same files: {'yes' if same_files(folder) else 'NO'}")


if __name__ == "__main__":
    main()
