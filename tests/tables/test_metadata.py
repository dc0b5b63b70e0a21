import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import InputError
from dafre_fast.tables.metadata import Metadata, read_metadata

MD5, OTHER = "0123456789abcdef" * 2, "f" * 32
GOOD = {"id": 5, "md5": MD5, "file_ext": "png", "file_size": 900}
KNOWN = {"key": "5", "extension": "png", "known_bytes": 900, "md5": MD5}


def lines(path: Path, *records: object) -> Path:
    """JSON lines; a record of text stands as it is."""
    texts = (one if isinstance(one, str) else json.dumps(one) for one in records)
    path.write_text("".join(text + "\n" for text in texts))
    return path


def read(*paths: Path, keys: tuple[str, ...] = ("5", "6"), at_most: float = 1.0) -> Metadata:
    return read_metadata(paths, pl.Series(keys, dtype=pl.String), at_most)


def known(*paths: Path, keys: tuple[str, ...] = ("5", "6")) -> list[dict[str, object]]:
    return read(*paths, keys=keys).known.collect().to_dicts()


def problems(*paths: Path) -> list[tuple[str, int, str]]:
    return read(*paths).bad_rows.rows()


def test_lines_of_json_tell_extension_size_and_md5_of_what_is_wanted(tmp_path) -> None:
    path = lines(tmp_path / "a.json", GOOD, GOOD | {"id": 7}, GOOD | {"tags": [{"id": 6}], "id": 6})
    assert known(path) == [KNOWN, KNOWN | {"key": "6"}]


def test_numbers_may_be_text_and_letters_upper_case(tmp_path) -> None:
    text = {"id": "0005", "md5": MD5.upper(), "file_ext": "PNG", "file_size": "900"}
    assert known(lines(tmp_path / "a.json", text)) == [KNOWN]


@pytest.mark.parametrize("nothing", [{}, dict.fromkeys(("md5", "file_ext", "file_size"), "")])
def test_all_but_the_id_may_be_missing(tmp_path, nothing) -> None:
    unknown = {"key": "5", "extension": None, "known_bytes": None, "md5": None}
    assert known(lines(tmp_path / "a.json", {"id": 5} | nothing)) == [unknown]


def test_parquet_tells_the_same(tmp_path) -> None:
    pl.DataFrame([GOOD, GOOD | {"id": 7}]).write_parquet(tmp_path / "a.parquet")
    assert known(tmp_path / "a.parquet") == [KNOWN]


def test_parquet_may_have_text_numbers_with_holes_and_fewer_columns(tmp_path) -> None:
    table = pl.DataFrame({"id": ["5", "6"], "file_size": [900.0, float("nan")]})
    table.write_parquet(tmp_path / "a.parquet")
    unknown = {"extension": None, "md5": None}
    assert known(tmp_path / "a.parquet") == [
        {"key": "5", "known_bytes": 900} | unknown,
        {"key": "6", "known_bytes": None} | unknown,
    ]


def test_a_column_of_another_type_makes_bad_rows(tmp_path) -> None:
    pl.DataFrame({"id": [[5]]}).write_parquet(tmp_path / "a.parquet")
    assert problems(tmp_path / "a.parquet") == [("a.parquet", 1, "bad_id")]


@pytest.mark.parametrize("own", [{}, {"md5": None, "file_ext": None}])
def test_what_a_record_lacks_is_looked_for_in_its_media_asset(tmp_path, own) -> None:
    asset = {"id": 9, "md5": MD5, "file_ext": "png", "file_size": 900, "variants": [{"x": 1}]}
    record = {"id": 5, "media_asset": asset} | own
    assert known(lines(tmp_path / "a.json", record)) == [KNOWN]
    if not own:
        pl.DataFrame([record]).write_parquet(tmp_path / "a.parquet")
        assert known(tmp_path / "a.parquet") == [KNOWN]


@pytest.mark.parametrize("asset", [None, "x", [], 5, {}])
def test_a_media_asset_that_knows_nothing_does_not_matter(tmp_path, asset) -> None:
    assert known(lines(tmp_path / "a.json", GOOD | {"media_asset": asset})) == [KNOWN]


def test_columns_of_parquet_may_be_null_throughout(tmp_path) -> None:
    pl.DataFrame([{"id": 5, "md5": None, "media_asset": None}]).write_parquet(
        tmp_path / "a.parquet"
    )
    unknown = {"key": "5", "extension": None, "known_bytes": None, "md5": None}
    assert known(tmp_path / "a.parquet") == [unknown]


def test_lines_may_be_compressed_whatever_the_file_is_called(tmp_path) -> None:
    path = lines(tmp_path / "plain", GOOD)
    (tmp_path / "zipped").write_bytes(gzip.compress(path.read_bytes()))
    assert known(tmp_path / "zipped") == [KNOWN]
    if not shutil.which("zstd"):
        pytest.skip("zstd is not here to compress")
    subprocess.run(["zstd", "-q", path, "-o", tmp_path / "standard"], check=True)
    assert known(tmp_path / "standard") == [KNOWN]


BAD = {
    "bad_json": ["{", "5", '"text"', '{"id": 5} 6', '{"id": "\\ud800"}'],
    "bad_id": [{"md5": MD5}, *({"id": id} for id in ("x", -5, 5.5, 10**18, [5], {"a": 5}))],
    "bad_md5": [GOOD | {"md5": md5} for md5 in ("f", MD5 + "0", "g" * 32, 5, f"{MD5}\n", {})],
    "bad_extension": [
        GOOD | {"file_ext": text} for text in (".png", "../x", "a b", "toolong", 1.5, ["png"])
    ],
    "bad_size": [GOOD | {"file_size": size} for size in (-1, 0, "many", 1.5, True)],
}


@pytest.mark.parametrize(
    ("problem", "line"), [(problem, line) for problem, rows in BAD.items() for line in rows]
)
def test_a_row_that_cannot_be_read_is_set_aside_with_file_line_and_problem(
    tmp_path, problem, line
) -> None:
    path = lines(tmp_path / "a.json", GOOD | {"id": 6}, "", line)
    assert problems(path) == [("a.json", 3, problem)]
    assert known(path) == [KNOWN | {"key": "6"}]


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path) -> None:
    pl.DataFrame([GOOD, GOOD | {"id": 6, "md5": "f"}]).write_parquet(tmp_path / "a.parquet")
    assert problems(tmp_path / "a.parquet") == [("a.parquet", 2, "bad_md5")]


def test_the_first_good_row_counts_where_tables_have_several_of_an_image(tmp_path) -> None:
    one = lines(tmp_path / "one", GOOD | {"md5": "bad"}, GOOD, GOOD, GOOD | {"md5": OTHER})
    other = lines(tmp_path / "other", GOOD | {"file_size": 1}, GOOD | {"id": 6})
    assert known(one, other) == [KNOWN, KNOWN | {"key": "6"}]
    assert problems(one, other) == [
        ("one", 1, "bad_md5"),
        ("one", 3, "duplicate_row"),
        ("one", 4, "duplicate_id"),
        ("other", 1, "duplicate_id"),
    ]


def test_more_bad_rows_than_allowed_end_the_run_with_the_worst(tmp_path) -> None:
    path = lines(tmp_path / "a.json", GOOD, "{", "[")
    assert read(path, at_most=2 / 3).known.collect().height == 1
    with pytest.raises(InputError, match=r"a\.json: 2 of 3 rows.*bad_json, first in line 2"):
        read(path, at_most=0.6)


def write_cut_array(path: Path) -> None:
    path.write_text(json.dumps([GOOD])[:-1])


def write_cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode() * 100)[:-20])


def write_cut_parquet(path: Path) -> None:
    pl.DataFrame([GOOD]).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])


def write_parquet_without_id(path: Path) -> None:
    pl.DataFrame([{"md5": MD5}]).write_parquet(path)


@pytest.mark.parametrize(
    "write",
    [
        Path.touch,
        Path.mkdir,
        lambda path: path.write_text("\n\n"),
        lambda path: path.write_text("<html>"),
        lambda path: path.write_bytes(b"\x28\xb5\x2f\xfdno frame"),
        write_cut_array,
        write_cut_gzip,
        write_cut_parquet,
        write_parquet_without_id,
    ],
)
def test_a_file_that_is_no_such_table_is_refused_by_name(tmp_path, write) -> None:
    write(tmp_path / "table")
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / 'table'))}: "):
        read(tmp_path / "table")


def test_many_rows_come_in_batches_and_lead_to_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.tables.record_files._BATCH_ROWS", 3)
    monkeypatch.setattr("dafre_fast.tables.blocks.BLOCK_BYTES", 200)
    rows = [GOOD | {"id": number} for number in range(20)]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    expected = [KNOWN, KNOWN | {"key": "6"}, KNOWN | {"key": "19"}]
    for path in (lines(tmp_path / "a.json", *rows), tmp_path / "a.parquet"):
        assert known(path, keys=("19", "6", "5")) == expected


IDS = st.one_of(
    st.integers(-3, 12), st.sampled_from(["5", "007", "+5", "5 ", "٥", "1" * 18, "1" * 19, None])
)
HASHES = st.one_of(
    st.sampled_from([MD5, OTHER, MD5.upper(), "", None, MD5[1:], 7]), st.text(max_size=3)
)
EXTENSIONS = st.one_of(st.sampled_from(["jpg", "PNG", "", None, ".jpg"]), st.text(max_size=6))
SIZES = st.one_of(st.integers(-2, 3), st.sampled_from(["12", "0", "-1", "", None, "1.5", 2.5]))
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"id": IDS}, optional={"md5": HASHES, "file_ext": EXTENSIONS, "file_size": SIZES}
    ),
    min_size=1,
    max_size=12,
)


def model(
    records: list[dict[str, object]], wanted: set[int]
) -> tuple[list[tuple[object, ...]], list[tuple[int, str]]]:
    """A model of `read_metadata`: the known rows, and the lines with their problems."""
    first: dict[int, tuple[object, ...]] = {}
    seen: set[tuple[object, ...]] = set()
    bad = []
    for line, record in enumerate(records, 1):
        number, md5, extension, size = (
            "" if record.get(name) is None else str(record[name])
            for name in ("id", "md5", "file_ext", "file_size")
        )
        if not re.fullmatch("0*[0-9]{1,18}", number, re.ASCII):
            bad.append((line, "bad_id"))
        elif md5 and not re.fullmatch("[0-9a-fA-F]{32}", md5):
            bad.append((line, "bad_md5"))
        elif extension and not re.fullmatch("[0-9a-zA-Z]{1,5}", extension):
            bad.append((line, "bad_extension"))
        elif size and (not re.fullmatch("[0-9]{1,18}", size) or int(size) == 0):
            bad.append((line, "bad_size"))
        elif int(number) in wanted:
            key = str(int(number))
            row = (key, extension.lower() or None, int(size) if size else None, md5.lower() or None)
            if row in seen:
                bad.append((line, "duplicate_row"))
            elif int(number) in first:
                bad.append((line, "duplicate_id"))
            seen.add(row)
            first.setdefault(int(number), row)
    return [*first.values()], bad


@given(RECORDS, st.sets(st.integers(0, 12)))
def test_rows_are_read_as_one_by_one(tmp_path_factory, records, wanted) -> None:
    path = lines(tmp_path_factory.mktemp("metadata") / "a.json", *records)
    found = read(path, keys=tuple(map(str, wanted)))
    rows, bad = model(records, wanted)
    assert found.known.collect().rows() == rows
    assert found.bad_rows.drop("table").rows() == bad
