import polars as pl
import pytest

from dafre_fast.core.errors import OutputError
from dafre_fast.core.summaries import Problem, Summary
from dafre_fast.tables.bad_rows import summed_up, write_bad_rows

SCHEMA = {"table": pl.String, "line": pl.UInt32, "problem": pl.String}


def bad_rows(*rows: tuple[str, int, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA, orient="row")


FOUR = bad_rows(
    ("faces.tsv", 2, "bad_path"),
    ("faces.tsv", 3, "too_long"),
    ("faces.tsv", 9, "bad_path"),
    ("tagIds.tsv", 1, "too_long"),
)


def test_bad_rows_are_summed_up_by_table_and_problem_with_their_lines():
    assert summed_up(FOUR) == [
        Problem("faces.tsv", "bad_path", 2, [2, 9]),
        Problem("faces.tsv", "too_long", 1, [3]),
        Problem("tagIds.tsv", "too_long", 1, [1]),
    ]


@pytest.mark.parametrize("rows", [9, 10, 11])
def test_the_first_ten_of_many_lines_are_named(rows):
    (problem,) = summed_up(bad_rows(*(("t", line, "too_long") for line in range(1, rows + 1))))
    assert problem.rows == rows
    assert problem.lines == [*range(1, min(rows, 10) + 1)]


def test_the_list_has_a_line_for_every_one(tmp_path):
    write_bad_rows(FOUR, tmp_path / "new/bad_rows.csv")
    assert (tmp_path / "new/bad_rows.csv").read_text() == (
        "table,line,problem\n"
        "faces.tsv,2,bad_path\nfaces.tsv,3,too_long\nfaces.tsv,9,bad_path\ntagIds.tsv,1,too_long\n"
    )
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["bad_rows.csv"]


def test_the_name_of_a_table_may_have_commas_and_quotes(tmp_path):
    odd = bad_rows(('a,"b".tsv', 1, "too_long"))
    write_bad_rows(odd, tmp_path / "bad_rows.csv")
    assert pl.read_csv(tmp_path / "bad_rows.csv", schema=SCHEMA).equals(odd)


def test_without_bad_rows_an_earlier_list_goes_and_no_folder_is_made(tmp_path):
    write_bad_rows(FOUR, tmp_path / "bad_rows.csv")
    write_bad_rows(bad_rows(), tmp_path / "bad_rows.csv")
    write_bad_rows(bad_rows(), tmp_path / "new/bad_rows.csv")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("rows", [FOUR, bad_rows()])
def test_a_list_that_cannot_be_written_or_removed_is_an_output_error(tmp_path, rows):
    (tmp_path / "bad_rows.csv").mkdir()
    with pytest.raises(OutputError, match=r"bad_rows\.csv: "):
        write_bad_rows(rows, tmp_path / "bad_rows.csv")


def test_the_summary_tells_where_they_are_listed_and_nothing_where_there_are_none(tmp_path):
    summary = Summary(images=1, success=1, refused={})
    assert write_bad_rows(bad_rows(), tmp_path / "list").added_to(summary) == summary
    told = write_bad_rows(FOUR, tmp_path / "list").added_to(summary)
    assert told.bad_rows == summed_up(FOUR)
    assert told.bad_rows_list == str(tmp_path / "list")
