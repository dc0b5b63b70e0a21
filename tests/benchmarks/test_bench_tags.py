import pytest
from click.testing import CliRunner

from bench import tags as bench_tags
from bench.benchmarks import Workload, tags


@pytest.mark.slow
def test_the_tags_command_and_the_originals_scripts_write_the_same_tables(corpus, tmp_path) -> None:
    with tags.contenders(Workload(corpus=corpus, folder=tmp_path, records=2000)) as contenders:
        for contender in contenders:
            assert contender.take().cpu_seconds > 0
        (folder,) = tmp_path.iterdir()
        assert tags.same_files(folder)


def test_tables_of_the_same_lines_in_another_order_are_the_same(tmp_path) -> None:
    for whose in ("ours", "theirs"):
        for split in ("train", "val", "test"):
            path = tmp_path / whose / f"{split}_tags.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text("id\n1\n2\n" if whose == "ours" else "id\n2\n1\n")
    assert tags.same_files(tmp_path)
    (tmp_path / "ours" / "val_tags.csv").write_text("id\n1\n3\n")
    assert not tags.same_files(tmp_path)


@pytest.mark.slow
def test_the_full_comparison_tells_ratio_memory_and_agreement(tmp_path) -> None:
    arguments = ["--records", "500", "--folder", str(tmp_path)]
    told = CliRunner().invoke(bench_tags.main, arguments, catch_exceptions=False).output
    assert "the same tables: yes" in told
    records = [line.split()[-4] for line in told.splitlines() if line.startswith("dafre_fast")]
    assert records == ["500", "1,000", "2,000"]
    assert not [*tmp_path.iterdir()], "files were left behind"
