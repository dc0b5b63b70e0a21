"""`python -m bench.compare BASE [NAME…]`: two versions of dafre_fast, a verdict per benchmark.

The base and what is checked out (the working tree itself where it is changed) lie in separate
trees; each pair of samples comes from two fresh processes that take turns, so that no version
profits from what another loaded, and what else the machine does hits both. Exit status 1 where
something became slower by more than 5%.
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
@click.option("--images", type=click.IntRange(1), default=25, help="Originals at most.")
@click.option("--samples", type=click.IntRange(LEAST_SAMPLES), default=SAMPLES)
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
    """Pairs of samples, after one pair that does not count: it compiles and fills caches."""
    base, new = _pair(name, trees, corpus, folder, first=0)
    if {one.source for one in base.values()} != {one.source for one in new.values()}:
        raise NotComparable("what it measures, or how, is not the same in both versions")
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
    """One sample of each version, from fresh processes that take turns: the cheapest of a few
    rounds, for what else the machine does can only add to the cost. Where one round takes long,
    it is the only one.
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
    """A process of one version; the function given takes one round. It raises NotComparable where
    the version has no such benchmark, or it fails.
    """
    paths = ("--corpus", corpus.folder.resolve(), "--folder", folder.resolve())
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.player", name, *paths],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=0,
            process_group=0,
        )

        def take_round() -> list[Result]:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(b"\n")
            if told := process.stdout.readline():
                return msgspec.json.decode(told, type=list[Result])
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").strip().splitlines()
            raise NotComparable(
                f"fails in {tree.name}: {lines[-1] if lines else 'no reason given'}"
            )

        with process:  # the end of its input is the end of it
            try:
                yield take_round
            except BaseException:  # Ctrl-C: it stops what it has started, and then itself
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its trees are removed then, too
    main()
