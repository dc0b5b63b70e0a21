import polars as pl

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.marks import mark_repeats

CLASH = RowProblem.DUPLICATE_ID
SCHEMA = ["table", "line", "id", "md5", "problem"]


def marked(*rows: tuple[int, int, int, str, str | None], **options: RowProblem) -> list[str | None]:
    table = pl.DataFrame(rows, SCHEMA, orient="row").cast({"problem": pl.String})
    found = mark_repeats(table, "id", CLASH, **options)
    assert found.drop("problem").equals(table.drop("problem"))
    return found["problem"].to_list()


def test_the_first_good_row_of_a_key_stays_good_and_later_ones_are_marked_by_what_differs():
    assert marked(
        (0, 1, 5, "a", None), (0, 2, 5, "a", None), (1, 1, 5, "b", None), (1, 2, 6, "a", None)
    ) == [None, "duplicate_row", "duplicate_id", None]


def test_bad_rows_keep_their_problem_and_do_not_count_as_the_first():
    assert marked((0, 1, 5, "a", "bad_md5"), (0, 2, 5, "a", None)) == ["bad_md5", None]


def test_equal_rows_may_be_marked_as_others_are():
    assert marked((0, 1, 5, "a", None), (0, 2, 5, "a", None), equal=CLASH) == [None, "duplicate_id"]
