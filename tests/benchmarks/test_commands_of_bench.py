"""The command lines, in this process."""

import os

import msgspec
import pytest
from click.testing import CliRunner

from bench import __main__ as bench
from bench import chart, player
from bench.records import Result, Role, Run, Sample


def run(command, *arguments: object):
    return CliRunner().invoke(command, [*map(str, arguments)])


def test_a_run_is_printed_written_and_drawn(corpus, tmp_path) -> None:
    small = ("--rows", 100, "--samples", 2, "--corpus", corpus.folder, "--output", tmp_path)
    result = run(bench.main, "boxes", *small)
    assert result.exit_code == 0, result.output
    assert "parse_faces" in result.output
    (path,) = tmp_path.glob("*.json")
    written = msgspec.json.decode(path.read_bytes(), type=Run)
    assert {len(measured.samples) for measured in written.results} == {2}
    assert written.versions["libvips"]
    assert (tmp_path / "throughput.svg").exists()
    assert (tmp_path / "throughput.png").exists()


def test_a_player_takes_one_sample_of_ours_for_every_line(corpus, tmp_path, monkeypatch) -> None:
    cores: list[set[int]] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, kept: cores.append(kept))
    arguments = ["images", "--corpus", str(corpus.folder), "--folder", str(tmp_path)]
    told = CliRunner().invoke(player.main, arguments, input="\n\n").stdout.splitlines()
    assert len(told) == 2
    assert [len(kept) for kept in cores] == [1]
    for line in told:
        results = msgspec.json.decode(line, type=list[Result])
        assert {measured.role for measured in results} == {Role.OURS}
        assert {len(measured.samples) for measured in results} == {1}


def test_an_unknown_benchmark_is_one_line_and_status_2(tmp_path) -> None:
    result = run(bench.main, "pixel", "--output", tmp_path)
    assert result.output.startswith("Error: pixel: no such benchmark; there are boxes, ")
    assert (result.output.count("\n"), result.exit_code) == (1, 2)


def test_a_corpus_without_originals_is_one_line_and_status_2(tmp_path) -> None:
    result = run(bench.main, "boxes", "--corpus", tmp_path / "none", "--output", tmp_path)
    expected = f"Error: {tmp_path / 'none'}: no JPEG or PNG files to measure on\n"
    assert (result.output, result.exit_code) == (expected, 2)


@pytest.fixture
def runs() -> list[Run]:
    def result(benchmark: str, contender: str, part: str = "") -> Result:
        return Result(
            benchmark=benchmark,
            source="0",
            contender=contender,
            part=part,
            role=Role.OURS,
            images=2,
            megapixels=6.0,
            samples=[Sample(1.0, 1.0)],
        )

    def run_on(processor: str, commit: str, committed: float) -> Run:
        return Run(
            at=committed,
            commit=commit,
            committed=committed,
            changed=False,
            machine={"processor": processor},
            versions={},
            corpus="2 jpeg",
            results=[
                result("images", "full", "jpeg"),
                result("images", "full", "png"),
                *(result("workers", str(workers)) for workers in (1, 2)),
            ],
        )

    return [
        run_on("slow", "aaaaaaaa", 1),
        run_on("fast", "bbbbbbbb", 2),
        run_on("slow", "c" * 8, 3),
    ]


def test_runs_are_charted_in_the_order_of_their_commits(runs, tmp_path) -> None:
    for place, one in enumerate(reversed(runs)):
        (tmp_path / f"{place}.json").write_bytes(msgspec.json.encode(one))
    (tmp_path / "other.json").write_text("{}")
    assert chart.read_runs(tmp_path) == runs


def test_the_chart_shows_runs_of_one_machine(runs, tmp_path) -> None:
    svg, _ = chart.draw(runs, tmp_path)
    text = svg.read_text()
    assert "<!-- aaaaaaa -->" in text
    assert "<!-- ccccccc -->" in text
    assert "<!-- bbbbbbb -->" not in text
