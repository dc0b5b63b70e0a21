from bench.labels import compare, draw_tables, same_files


def test_the_labels_benchmark_runs_and_both_sides_write_the_same_files(tmp_path) -> None:
    tables = draw_tables(tmp_path, rows=2000, classes=40)
    ours, theirs = compare(*tables, tmp_path, runs=1)
    assert len(ours) == 1
    assert theirs.cpu_seconds > 0
    assert same_files(tmp_path)
