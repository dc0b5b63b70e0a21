"""`python -m bench.compare BASE [NAME…]`: compare two versions, with a verdict per benchmark.

The base and HEAD (or the working tree, if it has changes) are in separate folders. Each pair of
samples comes from two fresh processes that take turns, so that neither version profits from what
the other loaded, and other load on the machine affects both. The exit status is 1 if a benchmark
became slower by more than 5%.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
from bench.verdict import LEAST_SAMPLES, SAMPLES, Judgement, Verdict, judge

Key = tuple[str, str, str]
Judgements = Mapping[Key, Judgement]
_NOT_COMPARABLE = Judgement(Verdict.NOT_COMPARABLE)
_INTERRUPTED = 130
_ROUNDS, _ENOUGH_CPU_SECONDS = 5, 8.0


class NotComparable(Exception):
    """Two versions cannot be compared at a benchmark; the message says why."""


@click.command()
@click.argument("base")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Folder of originals to measure on."
)
@click.option("--images", type=click.IntRange(1), default=25, help="Number of originals, at most.")
@click.option("--samples", type=click.IntRange(LEAST_SAMPLES), default=SAMPLES)
@click.option("--limit", default=5.0, help="Slow-down in percent above which the exit status is 1.")
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
    """Give the folders of the base and of HEAD or the working tree.

    Raises BadInput for an unknown base.
    """
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    except BadInput as error:
        raise BadInput(f"{base!r} is not a commit, branch or tag of this repository") from error
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
        with suppress(BadInput):  # adding it may have failed
            git("worktree", "remove", "--force", path)


def _choose(names: Sequence[str], trees: Sequence[Path]) -> Sequence[str]:
    """Return the names given, or those of all benchmarks in either tree.

    Raises BadInput for an unknown name.
    """
    modules = (path for tree in trees for path in (tree / "bench/benchmarks").glob("[!_]*.py"))
    known = sorted({path.stem for path in modules})
    for name in names:
        if name not in known:
            raise BadInput(f"{name}: no such benchmark; there are {', '.join(known)}")
    return names or known


def compare(
    name: str, trees: Sequence[Path], corpus: Corpus, folder: Path, samples: int
) -> Judgements:
    """Measure and judge one benchmark.

    If a result differs, all are measured again, and only a difference that is found twice is
    reported: among many benchmarks, one differs by chance now and then.
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
    """Judge pairs of samples. A first pair is not counted: it compiles and fills caches.

    Raises NotComparable if the code of the benchmark differs between the versions.
    """
    base, new = _pair(name, trees, corpus, folder, first=0)
    if {one.source for one in base.values()} != {one.source for one in new.values()}:
        raise NotComparable("the benchmark itself differs between the versions")
    console = Console(stderr=True)
    pairs = [
        _pair(name, trees, corpus, folder, first=number % 2)
        for number in track(range(samples), name, console=console, disable=not console.is_terminal)
    ]
    return {
        key: judge(
            [base[key].cpu_seconds for base, _ in pairs], [new[key].cpu_seconds for _, new in pairs]
        )
        if key in base and key in new
        else _NOT_COMPARABLE
        for key in {**base, **new}
    }


def _pair(
    name: str, trees: Sequence[Path], corpus: Corpus, folder: Path, first: int
) -> tuple[Mapping[Key, Result], Mapping[Key, Result]]:
    """Return one sample of each version, from two fresh processes that take turns.

    A sample is the cheapest of a few rounds, since other load on the machine only adds to the cost.
    A benchmark with long rounds gets only one.
    """
    best: list[dict[Key, Result]] = [{}, {}]
    with ExitStack() as stack:
        players = [stack.enter_context(_player(name, tree, corpus, folder)) for tree in trees]
        for number in range(_ROUNDS):
            spent = 0.0
            for side in (0, 1) if (number + first) % 2 == 0 else (1, 0):
                for result in players[side]():
                    known = best[side].get(result.key, result)
                    best[side][result.key] = min(known, result, key=lambda one: one.cpu_seconds)
                    spent += result.cpu_seconds
            if (number + 1) * spent > _ENOUGH_CPU_SECONDS:
                break
    return best[0], best[1]


@contextmanager
def _player(
    name: str, tree: Path, corpus: Corpus, folder: Path
) -> Iterator[Callable[[], list[Result]]]:
    """Start a process of one version, and give a function that takes one round there.

    The function raises NotComparable if the version lacks the benchmark, or if it fails.
    """
    paths = ("--corpus", corpus.folder.resolve(), "--folder", folder.resolve())
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.player", name, *paths],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            process_group=0,
        )

        def take_round() -> list[Result]:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(b"\n")
            if line := process.stdout.readline():
                return msgspec.json.decode(line, type=list[Result])
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            raise NotComparable(
                f"fails in {tree.name}: {lines[-1] if lines else 'no reason given'}"
            )

        with process:  # it ends when its input is closed
            try:
                yield take_round
            except BaseException:  # at Ctrl-C it stops its own processes first
                process.send_signal(signal.SIGINT)
                process.wait()
                raise


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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the trees are removed
    main()
