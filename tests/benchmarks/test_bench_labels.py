import pytest

from bench.benchmarks import Workload, labels


@pytest.mark.slow
def test_the_labels_command_and_the_originals_scripts_write_the_same_files(
    corpus, tmp_path
) -> None:
    with labels.contenders(Workload(corpus=corpus, folder=tmp_path, rows=1000)) as contenders:
        for contender in contenders:
            assert contender.take().cpu_seconds > 0
        (folder,) = tmp_path.iterdir()
        assert labels.same_files(folder)
