import polars as pl
import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.tables.unreadable import reading


def test_a_file_that_is_not_there_is_named_once_with_the_reason_of_the_system(tmp_path):
    path = tmp_path / "none.parquet"
    for read in (path.read_bytes, lambda: pl.scan_parquet(path).collect()):
        with pytest.raises(InputError) as refused, reading(path):
            read()
        assert str(refused.value) == f"{path}: No such file or directory"


def test_damaged_data_is_named_with_what_failed_and_one_line_of_the_cause(tmp_path):
    path = tmp_path / "table.parquet"
    pl.DataFrame({"id": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    with pytest.raises(InputError) as refused, reading(path, "is no manifest"):
        pl.read_parquet(path)
    assert str(refused.value).startswith(f"{path}: is no manifest: ")
    assert "\n" not in str(refused.value)


def test_a_quoted_field_without_an_end_is_called_that(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('id,name\n1,"a\n')
    with pytest.raises(InputError, match="a quoted field does not end"), reading(path):
        pl.scan_csv(path).select("name").collect()


def test_a_panic_of_polars_ends_in_the_same_line(tmp_path):
    path = tmp_path / "table"
    with pytest.raises(InputError) as refused, reading(path):
        raise pl.exceptions.PanicException("index out of bounds\nnote: run with RUST_BACKTRACE=1")
    assert str(refused.value) == f"{path}: cannot be read: index out of bounds"


def test_errors_of_the_package_pass_through(tmp_path):
    with pytest.raises(InputError, match=r"^has no rows$"), reading(tmp_path):
        raise InputError("has no rows")
