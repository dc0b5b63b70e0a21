"""`python -m bench.compare BASE [NAME…]`: two versions of dafre_fast, a verdict per benchmark.

The base and what is checked out (the working tree itself where it is changed) lie in separate
trees; each sample is a fresh process, so that no version profits from what another loaded, and the
two take turns. Exit status 1 where something became slower by more than 5%.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.corpus import BadInput, Corpus, prepare
from bench.environment import git, is_changed
from bench.records import Result
from bench.verdict import LEAST_SAMPLES, Judgement, Verdict, judge

Key = tuple[str, str, str]
Judgements = Mapping[Key, Judgement]
_NOT_COMPARABLE = Judgement(Verdict.NOT_COMPARABLE)
_INTERRUPTED = 130


class NotComparable(Exception):
    """Two versions cannot be compared at a benchmark; the message says why."""


@click.command()
@click.argument("base")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Folder of originals to measure on."
)
@click.option("--images", type=click.IntRange(1), default=25, help="Originals at most.")
@click.option("--samples", type=click.IntRange(LEAST_SAMPLES), default=9)
@click.option("--limit", default=5.0, help="Percent of slow-down above which the status is 1.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/bench"))
def main(
    base: str,
    names: tuple[str, ...],
    corpus: Path | None,
    images: int,
    samples: int,
    limit: float,
    output: Path,
) -> None:
    """Compare the working tree with BASE, a commit, branch or tag."""
    try:
        with _two_trees(base) as trees:
            wanted = _choose(names, trees)
            originals = prepare(corpus, images, output)
            judged = [compare(name, trees, originals, output, samples) for name in wanted]
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    everything = {key: one for judgements in judged for key, one in judgements.items()}
    _show(everything)
    sys.exit(int(any(_regressed(one, limit) for one in everything.values())))


@contextmanager
def _two_trees(base: str) -> Iterator[tuple[Path, Path]]:
    """Folders of the base and of what is checked out. Raises BadInput for an unknown base."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    except BadInput as error:
        raise BadInput(f"{base!r} is no commit, branch or tag here") from error
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        with _tree(commit, folder / "base") as old:
            if is_changed():
                yield old, Path(git("rev-parse", "--show-toplevel"))
            else:
                with _tree("HEAD", folder / "new") as new:
                    yield old, new


@contextmanager
def _tree(commit: str, path: Path) -> Iterator[Path]:
    try:
        git("worktree", "add", "--detach", path, commit)
        yield path
    finally:
        with suppress(BadInput):  # it was not added
            git("worktree", "remove", "--force", path)


def _choose(names: Sequence[str], trees: Sequence[Path]) -> Sequence[str]:
    """The names given, or all that one of the trees has."""
    modules = (path for tree in trees for path in (tree / "bench/benchmarks").glob("[!_]*.py"))
    known = sorted({path.stem for path in modules})
    for name in names:
        if name not in known:
            raise BadInput(f"{name}: no such benchmark; there are {', '.join(known)}")
    return names or known


def compare(
    name: str, trees: Sequence[Path], corpus: Corpus, folder: Path, samples: int
) -> Judgements:
    """Judge one benchmark. Where something differs, all is measured again from the start, and only
    what differs again in the same way is reported: among many benchmarks one differs by chance now
    and then.
    """
    try:
        first = _measure(name, trees, corpus, folder, samples)
        if all(one.verdict is Verdict.NO_DIFFERENCE for one in first.values()):
            return first
        second = _measure(name, trees, corpus, folder, samples)
    except NotComparable as error:
        print(f"{name}: {error}", file=sys.stderr)
        return {(name, "", ""): _NOT_COMPARABLE}
    return {key: _confirmed(first[key], one) for key, one in second.items()}


def _confirmed(first: Judgement, second: Judgement) -> Judgement:
    if second.verdict is first.verdict:
        return second
    return replace(second, verdict=Verdict.NO_DIFFERENCE)


def _measure(
    name: str, trees: Sequence[Path], corpus: Corpus, folder: Path, samples: int
) -> Judgements:
    """Samples in turns, after one a side that does not count: it compiles and fills caches."""
    sources = {one.source for tree in trees for one in _once(name, tree, corpus, folder)}
    if len(sources) > 1:
        raise NotComparable("what it measures, or how, is not the same in both versions")
    taken: list[dict[Key, list[float]]] = [defaultdict(list), defaultdict(list)]
    console = Console(stderr=True)
    for number in track(range(samples), name, console=console, disable=not console.is_terminal):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            for result in _once(name, trees[side], corpus, folder):
                taken[side][result.key].append(result.cpu_seconds)
    base, new = taken
    return {
        key: judge(base[key], new[key]) if key in base and key in new else _NOT_COMPARABLE
        for key in {**base, **new}
    }


def _once(name: str, tree: Path, corpus: Corpus, folder: Path) -> list[Result]:
    """One sample in a process of its own. Raises NotComparable where the version has no such
    benchmark, or it fails.
    """
    paths = ("--corpus", corpus.folder.resolve(), "--folder", folder.resolve())
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.once", name, *paths],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    with process:
        try:
            told, complaint = process.communicate()
        except BaseException:  # Ctrl-C: it stops what it has started, and then itself
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise NotComparable(f"fails in {tree.name}: {lines[-1]}")
    return msgspec.json.decode(told, type=list[Result])


def _regressed(one: Judgement, limit: float) -> bool:
    return one.verdict is Verdict.WORSE and one.ratio > 1 + limit / 100


def _show(judgements: Judgements) -> None:
    table = Table("benchmark", "", "", "verdict")
    table.add_column("CPU time", justify="right")
    table.add_column("p", justify="right")
    for key, one in judgements.items():
        known = one.verdict is not Verdict.NOT_COMPARABLE
        figures = (f"{one.ratio - 1:+.1%}", f"{one.p:.4f}") if known else ()
        table.add_row(*key, one.verdict.value, *figures)
    Console(width=100).print(table)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its trees are removed then, too
    main()
