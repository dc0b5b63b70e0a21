"""`python -m bench.tags`: compare `tags` with the scripts of DAF:re, at full size.

Both run as whole processes on the same metadata, then `tags` on twice and four times as much.
Prints time and memory of each, and whether the tables are the same.
"""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click

from bench.benchmarks.tags import our_command, same_files, their_command
from bench.corpus import Metadata, draw_metadata
from bench.measure import run, timed
from bench.records import Sample


@click.command()
@click.option("--records", type=click.IntRange(1), default=1_000_000, help="Records of metadata.")
@click.option("--peer/--no-peer", default=True, help="Run the scripts of DAF:re, too.")
@click.option("--folder", type=click.Path(path_type=Path), help="Folder for metadata and tables.")
def main(records: int, peer: bool, folder: Path | None) -> None:
    """Measure both, and print their costs."""
    print(f"{'':24}{'records':>12}{'seconds':>10}{'CPU-seconds':>14}{'MB':>8}")
    for times in (1, 2, 4):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            home = Path(temporary)
            metadata = _draw(home, times * records)
            ours = _show("dafre_fast.tags", times * records, our_command(metadata, home / "ours"))
            if peer and times == 1:
                command = their_command(metadata, home / "theirs")
                theirs = _show("the original scripts", records, command)
                ratio = theirs.cpu_seconds / ours.cpu_seconds
                print(f"ratio {ratio:.1f}; the same tables: {'yes' if same_files(home) else 'NO'}")


def _draw(folder: Path, records: int) -> Metadata:
    """Draw metadata in another process: processes inherit the peak memory of this one."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as processes:
        return processes.submit(draw_metadata, folder, records).result()


def _show(name: str, records: int, command: list[object]) -> Sample:
    peaks: list[int] = []
    sample = timed(lambda: peaks.append(run(*command)))
    figures = f"{sample.seconds:10.2f}{sample.cpu_seconds:14.2f}{peaks[0] / 1e6:8,.0f}"
    print(f"{name:24}{records:12,}{figures}", flush=True)
    return sample


if __name__ == "__main__":
    main()
