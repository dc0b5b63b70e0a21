"""`python -m bench.compare BASE [NAME…]`: compare two versions, with a verdict per benchmark.

The base and HEAD (or the working tree, if it has changes) are in separate folders. Each pair of
samples comes from two fresh processes that take turns, so that neither version profits from what
the other loaded, and other load on the machine affects both.

The benchmarks of the newer version measure both packages. If they do not run with the old one, as
after a move of modules, each version's own benchmark measures it, provided that they differ in
imports and texts alone.

The exit status is 1 if a benchmark became slower by more than 5%, 3 if none did, but not all could
be compared, and 2 for bad input.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.benchmarks import GROUPS
from bench.corpus import BadInput, Corpus, prepare
from bench.environment import git, is_changed
from bench.records import Result
from bench.verdict import LEAST_SAMPLES, SAMPLES, Judgement, Verdict, judge

Key = tuple[str, str, str]
Judgements = Mapping[Key, Judgement]
_NOT_COMPARABLE = Judgement(Verdict.NOT_COMPARABLE)
_REGRESSED, _NOT_ALL_COMPARED, _INTERRUPTED = 1, 3, 130
_ROUNDS, _ENOUGH_CPU_SECONDS = 5, 8.0


class Version(NamedTuple):
    """A package and the benchmarks that measure it: the folders that have them."""

    package: Path
    benchmarks: Path


class NotComparable(Exception):
    """Two versions cannot be compared at a benchmark; the message says why."""


@click.command(
    epilog="Groups: " + "; ".join(f"{name}: {', '.join(GROUPS[name])}" for name in GROUPS) + "."
)
@click.argument("base")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--group", type=click.Choice([*GROUPS]), help="Benchmarks of this group.")
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Folder of originals to measure on."
)
@click.option("--images", type=click.IntRange(1), default=25, help="Number of originals, at most.")
@click.option("--samples", type=click.IntRange(LEAST_SAMPLES), default=SAMPLES)
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10.0)
@click.option("--limit", default=5.0, help="Slow-down in percent above which the exit status is 1.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/bench"))
def main(
    base: str,
    names: tuple[str, ...],
    group: str | None,
    corpus: Path | None,
    images: int,
    samples: int,
    minutes: float,
    limit: float,
    output: Path,
) -> None:
    """Compare the working tree with BASE, a commit, branch or tag: the benchmarks NAME or those of
    a group, within --minutes; without either, all groups, each within --minutes.
    """
    judged: dict[Key, Judgement] = {}
    try:
        with _two_trees(base) as trees:
            wanted = _choose(names, group, trees)
            originals = prepare(corpus, images, output)
            for together in wanted:
                end = time.monotonic() + 60 * minutes
                for place, name in enumerate(together):
                    now = time.monotonic()
                    soon = now + (end - now) / (len(together) - place)
                    judged |= compare(name, trees, originals, output, samples, soon, end)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    _show(judged)
    sys.exit(_status(judged.values(), limit))


def _status(judgements: Iterable[Judgement], limit: float) -> int:
    """Return the exit status; print what it stands for, unless that is success."""
    judgements = list(judgements)
    slower = sum(_regressed(one, limit) for one in judgements)
    unknown = sum(one.verdict is Verdict.NOT_COMPARABLE for one in judgements)
    if slower:
        print(f"slower by more than {limit:g}%: {slower} of {len(judgements)}")
        return _REGRESSED
    if unknown or not judgements:
        print(f"could not be compared: {unknown} of {len(judgements)}")
        return _NOT_ALL_COMPARED
    return 0


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


def _choose(
    names: Sequence[str], group: str | None, trees: Sequence[Path]
) -> Sequence[Sequence[str]]:
    """Return the names of benchmarks that share their time: those given, or those of groups.

    Raises BadInput for an unknown name, and for both names and a group.
    """
    modules = (path for tree in trees for path in (tree / "bench/benchmarks").glob("[!_]*.py"))
    known = sorted({path.stem for path in modules})
    for name in names:
        if name not in known:
            raise BadInput(f"{name}: no such benchmark; there are {', '.join(known)}")
    if names and group:
        raise BadInput(f"name benchmarks or the group {group}, not both")
    if names:
        return [names]
    return [GROUPS[group]] if group else [*GROUPS.values()]


def compare(
    name: str,
    trees: Sequence[Path],
    corpus: Corpus,
    folder: Path,
    samples: int,
    soon: float,
    end: float,
) -> Judgements:
    """Measure and judge one benchmark until `soon`, or until `end` if a verdict takes so long.

    If a result differs, all are measured again, and only a difference that is found twice is
    reported: among many benchmarks, one differs by chance now and then.
    """
    try:
        versions = _versions(name, trees, corpus, folder)
        half = (soon + time.monotonic()) / 2
        first = _measure(name, versions, corpus, folder, samples, half, end)
        if all(one.verdict is Verdict.NO_DIFFERENCE for one in first.values()):
            return first
        second = _measure(name, versions, corpus, folder, samples, soon, end)
    except NotComparable as error:
        print(f"{name}: {error}", file=sys.stderr)
        return {(name, "", ""): _NOT_COMPARABLE}
    return {key: _confirmed(first[key], one) for key, one in second.items()}


def _versions(
    name: str, trees: Sequence[Path], corpus: Corpus, folder: Path
) -> tuple[Version, Version]:
    """Return both versions with the benchmarks that can measure them: the newer ones if they can.

    A first round, which is not counted, compiles and fills caches. Raises NotComparable if neither
    the newer benchmarks can measure the old package, nor do its own measure the same.
    """
    old, new = trees

    def sources(package: Path, benchmarks: Path) -> set[str]:
        with _player(name, Version(package, benchmarks), corpus, folder) as take_round:
            return {result.source for result in take_round()}

    measured = sources(new, new)
    try:
        sources(old, new)
    except NotComparable as error:
        if not (old / "bench").is_dir():
            raise
        if sources(old, old) != measured:
            raise NotComparable(f"the benchmark differs between the versions; it {error}") from None
        return Version(old, old), Version(new, new)
    return Version(old, new), Version(new, new)


def _confirmed(first: Judgement, second: Judgement) -> Judgement:
    if second.verdict is first.verdict:
        return second
    return replace(second, verdict=Verdict.NO_DIFFERENCE)


def _measure(
    name: str,
    versions: Sequence[Version],
    corpus: Corpus,
    folder: Path,
    samples: int,
    soon: float,
    end: float,
) -> Judgements:
    """Judge pairs of samples: as many as there is time for until `soon`, and the fewest that are
    needed until `end`. Raises NotComparable if there is no time for those.
    """
    console = Console(stderr=True)
    pairs: list[tuple[Mapping[Key, Result], Mapping[Key, Result]]] = []
    for number in track(range(samples), name, console=console, disable=not console.is_terminal):
        now = time.monotonic()
        if now > (soon if number >= LEAST_SAMPLES else end):
            break
        most = (soon - now) / (samples - number)
        pairs.append(_pair(name, versions, corpus, folder, first=number % 2, seconds=most))
    if len(pairs) < LEAST_SAMPLES:
        raise NotComparable(
            f"there was time for {len(pairs)} pairs of samples, and a verdict needs"
            f" {LEAST_SAMPLES}; --minutes gives more"
        )
    return {
        key: judge(
            [base[key].cpu_seconds for base, _ in pairs], [new[key].cpu_seconds for _, new in pairs]
        )
        if all(key in base and key in new for base, new in pairs)
        else _NOT_COMPARABLE
        for key in {key: None for base, new in pairs for key in (*base, *new)}
    }


def _pair(
    name: str,
    versions: Sequence[Version],
    corpus: Corpus,
    folder: Path,
    first: int,
    seconds: float,
) -> tuple[Mapping[Key, Result], Mapping[Key, Result]]:
    """Return one sample of each version, from two fresh processes that take turns.

    A sample is the cheapest of a few rounds, since other load on the machine only adds to the cost.
    A benchmark with long rounds gets only one.
    """
    best: list[dict[Key, Result]] = [{}, {}]
    end = time.monotonic() + seconds
    with ExitStack() as stack:
        players = [stack.enter_context(_player(name, one, corpus, folder)) for one in versions]
        for number in range(_ROUNDS):
            spent, began = 0.0, time.monotonic()
            for side in (0, 1) if (number + first) % 2 == 0 else (1, 0):
                for result in players[side]():
                    known = best[side].get(result.key, result)
                    best[side][result.key] = min(known, result, key=lambda one: one.cpu_seconds)
                    spent += result.cpu_seconds
            now = time.monotonic()
            if (number + 1) * spent > _ENOUGH_CPU_SECONDS or now + (now - began) > end:
                break
    return best[0], best[1]


@contextmanager
def _player(
    name: str, version: Version, corpus: Corpus, folder: Path
) -> Iterator[Callable[[], list[Result]]]:
    """Start a process of one version, and give a function that takes one round there.

    The function raises NotComparable if the version lacks the benchmark, or if it fails.
    """
    signal.siginterrupt(signal.SIGINT, True)  # polars, once imported, restarts interrupted reads
    paths = ("--corpus", corpus.folder.resolve(), "--folder", folder.resolve())
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryFile() as errors:
        # A folder that has the benchmarks and no package: the current one goes before all others.
        shutil.copytree(version.benchmarks / "bench", Path(here) / "bench")
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.player", name, *paths],
            cwd=here,
            env=os.environ | {"PYTHONPATH": str(version.package)},
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
                f"fails in {version.package.name}: {lines[-1] if lines else 'no reason given'}"
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
