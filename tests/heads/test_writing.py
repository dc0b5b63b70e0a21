"""The tables have the form of the published ones, and are read back by `labels`."""

import polars as pl

from dafre_fast.core.settings.tables import Selection
from dafre_fast.heads.writing import single_heads, write_faces, write_tag_ids
from dafre_fast.tables.catalogue import read_catalogue
from dafre_fast.tables.heads import BOXES

HEADS = pl.DataFrame(
    [
        (332446, 7, 0.448534, 0.441995, 0.584106, 0.654420, 0.937403, "abc"),
        (5, 9, 0.1, 0.2, 0.3, 0.4, 0.31, "abc"),
        (6, 9, 0.1, 0.2, 0.3, 0.4, 0.9, "abc"),
        (6, 9, 0.5, 0.5, 0.7, 0.7, 0.8, "abc"),
        (8, 9, 0.1, 0.2, 0.3, 0.4, 0.9, "abc"),
        (8, 9, 0.5, 0.5, 0.7, 0.7, 0.2, "abc"),
    ],
    BOXES,
    orient="row",
)


def test_exactly_one_box_of_the_threshold_makes_a_row() -> None:
    assert single_heads(HEADS, 0.3)["id"].to_list() == [332446, 5, 8]
    assert single_heads(HEADS, 0.85)["id"].to_list() == [332446, 6, 8]


def test_a_row_is_written_as_in_the_published_file(tmp_path) -> None:
    write_faces(HEADS.head(1), tmp_path / "faces.tsv")
    written = (tmp_path / "faces.tsv").read_text()
    assert written == "0446\\332446.jpg\t7\t0.448534, 0.441995, 0.584106, 0.654420 0.937403\n"


def test_the_tables_are_read_back_as_they_were(tmp_path) -> None:
    names = ['"nene"_neville_solstice', "fate/stay,_night"]
    tags = pl.DataFrame({"tag_id": [7, 9], "class_name": names})
    rows = single_heads(HEADS, 0.3)
    write_faces(rows, tmp_path / "faces.tsv")
    write_tag_ids(tags, tmp_path / "tagIds.tsv")
    selection = Selection(min_confidence=0.3, min_images=1)
    kept = read_catalogue(tmp_path / "faces.tsv", tmp_path / "tagIds.tsv", selection).kept
    assert kept.select("id", "class_name").rows() == [
        (332446, names[0]),
        (5, names[1]),
        (8, names[1]),
    ]
    assert kept["confidence"].to_list() == rows["score"].to_list()
