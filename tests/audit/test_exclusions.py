from pathlib import Path

import polars as pl
import pytest

from dafre_fast.audit.pairs import some_pairs
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import AUDIT

HEAD = "id,path,split,class_id,why,kind,distance,group,kept_id,kept_split,kept_class_id"


def listed(dataset: Path, *rows: tuple[int, str, int | None, int]) -> Path:
    """A dataset whose audit leaves out images: id, why, distance, and id of what stays."""
    lines = [
        f"{one},p,train,3,{why},near,{'' if bits is None else bits},1,{kept},test,4"
        for one, why, bits, kept in rows
    ]
    (dataset / "audit").mkdir()
    (dataset / "audit/exclude.csv").write_text("\n".join([HEAD, *lines, ""]))
    return dataset


def shown(dataset: Path, at_most: int = 99) -> list[int]:
    return [pair.ids[0] for pair in some_pairs(dataset / AUDIT, at_most)]


def test_pairs_across_splits_come_first_and_equal_ones_in_turns_with_others(tmp_path) -> None:
    listed(
        tmp_path,
        (1, "same_split", 40, 91),
        (2, "other_split", 0, 92),
        (3, "other_split", 0, 93),
        (4, "other_split", 7, 94),
        (5, "other_split", 30, 95),
    )
    assert shown(tmp_path) == [2, 5, 3, 4, 1]
    assert shown(tmp_path, 2) == [2, 5]


def test_one_equal_and_the_least_alike_copies_of_an_image_are_enough(tmp_path) -> None:
    equal = ((image, "other_split", 0, 91) for image in range(1, 30))
    others = ((image, "other_split", image % 9 + 1, 91) for image in range(30, 60))
    listed(tmp_path, *equal, *others)
    assert shown(tmp_path) == [1, 35]


def test_a_picture_too_plain_for_a_hash_counts_as_equal(tmp_path) -> None:
    listed(tmp_path, (1, "other_split", 5, 91), (2, "other_split", None, 92))
    assert shown(tmp_path) == [2, 1]


def test_a_pair_tells_of_both(tmp_path) -> None:
    (pair,) = some_pairs(listed(tmp_path, (1, "other_split", 5, 9)) / AUDIT, 1)
    assert pair == ((1, 9), (3, 4), ("train", "test"), 5)


def test_a_list_without_a_column_is_an_error_that_names_it(tmp_path) -> None:
    path = listed(tmp_path, (1, "other_split", 5, 9)) / "audit/exclude.csv"
    pl.read_csv(path).drop("kept_id").write_csv(path)
    with pytest.raises(InputError, match=r"exclude\.csv"):
        some_pairs(tmp_path / AUDIT, 1)
