"""The page of the runs that are kept."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bench import history
from bench.chart import read_runs
from bench.records import Result, Role, Run, Sample
from tests.benchmarks.test_commands_of_bench import run as invoke

ROOT = Path(__file__).parents[2]


def new_run(*, changed: bool = False) -> Run:
    def result(contender: str, role: Role, seconds: float, busy: float | None = None) -> Result:
        return Result(
            benchmark="images" if busy is None else "busy",
            source="0",
            contender=contender,
            part="jpeg",
            role=role,
            images=10,
            megapixels=27.0,
            samples=[Sample(seconds, seconds, busy)],
        )

    return Run(
        at=86_400.0,
        commit="abcdef01",
        committed=1.0,
        changed=changed,
        machine={"processor": "fast", "cores": 2},
        versions={},
        corpus="10 jpeg",
        results=[
            result("floor", Role.FLOOR, 0.05),
            result("dafre_fast", Role.OURS, 0.1),
            result("libvips thumbnail", Role.PEER, 0.25),
            result("2 ms", Role.OURS, 0.1, busy=0.985),
        ],
    )


def test_the_page_is_that_of_the_runs_that_are_kept() -> None:
    kept = read_runs(ROOT / history.RELEASES)
    assert kept
    assert (ROOT / history.PAGE).read_text() == history.page(kept)


def test_a_row_has_costs_and_what_does_not_depend_on_the_machine() -> None:
    page = history.page([new_run()])
    assert "| 1970-01-02 | `abcdef0` | jpeg | 10.0 | 25.0 |  | 2.50x | 50% |" in page
    assert "| 1970-01-02 | `abcdef0` | 2 ms | 98.5% |" in page


def test_a_run_is_kept_under_its_day_and_commit(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / history.PAGE.parent).mkdir(parents=True)
    (tmp_path / "run.json").write_bytes(msgspec.json.encode(new_run()))
    assert invoke(history.main, "run.json").exit_code == 0
    assert [path.name for path in history.RELEASES.iterdir()] == ["1970-01-02-abcdef0.json"]
    assert "2.50x" in history.PAGE.read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "run.json: is not a run of python -m bench: "),
        (
            msgspec.json.encode(new_run(changed=True)),
            "run.json: was measured on a tree with changes",
        ),
    ],
)
def test_what_tells_nothing_later_is_not_kept(content, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.json").write_bytes(content)
    result = CliRunner().invoke(history.main, ["run.json"])
    assert (message in result.output, result.exit_code) == (True, 2)
