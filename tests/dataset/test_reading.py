from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.dataset.reading import LISTS, open_dataset

MANIFEST = {
    "id": [5, 3, 9],
    "path": ["0005/5.jpg", "0003/3.jpg", "0009/9.jpg"],
    "class_id": [0, 0, 1],
    "class_name": ["a", "a", "b"],
    "split": ["train", "val", "train"],
    "status": ["success", "success", "not_found"],
}


@pytest.fixture
def folder(tmp_path) -> Path:
    pl.DataFrame(MANIFEST).write_parquet(tmp_path / "manifest.parquet")
    return tmp_path


def write_tags(folder: Path, split: str, **lists: list[list[str]]) -> None:
    rows = {"id": lists.pop("id"), **{name: lists.get(name, [[]]) for name in LISTS}}
    (folder / "labels").mkdir(exist_ok=True)
    types = dict.fromkeys(LISTS, pl.List(pl.String))
    table = pl.DataFrame(rows, schema_overrides=types)
    table.write_parquet(folder / f"labels/{split}_tags.parquet")


def test_the_tags_of_every_split_stand_beside_the_rows_of_the_manifest(folder) -> None:
    write_tags(folder, "train", id=[5], tags_cat0=[["solo", "smile"]])
    write_tags(folder, "val", id=[3], tags_cat4=[["cirno"]])
    rows = open_dataset(folder).collect()
    assert rows["id"].to_list() == [5, 3, 9]
    assert rows["tags_cat0"].to_list() == [["solo", "smile"], [], None]
    assert rows["tags_cat4"].to_list() == [[], ["cirno"], None]


def test_without_tables_of_tags_there_are_none(folder) -> None:
    rows = open_dataset(folder).collect()
    assert rows.select(LISTS).null_count().row(0) == (3, 3, 3)
    assert rows.schema["tags_cat0"] == pl.List(pl.String)


@pytest.mark.parametrize("columns", [["id"], ["id", "path", "class_id", "class_name", "split"]])
def test_a_table_that_is_no_manifest_of_full_is_refused_by_name(folder, columns) -> None:
    path = folder / "manifest.parquet"
    pl.DataFrame(MANIFEST).select(columns).write_parquet(path)
    with pytest.raises(InputError, match=f"^{path}: has no column .*status"):
        open_dataset(folder)


def test_a_folder_without_a_manifest_is_refused_by_name(tmp_path) -> None:
    with pytest.raises(InputError, match=r"manifest\.parquet: "):
        open_dataset(tmp_path)
