from bench.corpus import draw_tables
from bench.labels import contenders, same_files


def test_the_labels_command_and_the_originals_scripts_write_the_same_files(tmp_path) -> None:
    for contender in contenders(*draw_tables(tmp_path, rows=2000), tmp_path, rows=2000):
        assert contender.take().cpu_seconds > 0
    assert same_files(tmp_path)
