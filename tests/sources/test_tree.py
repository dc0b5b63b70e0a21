import os
from collections import Counter
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.sources.tree import Tree


@pytest.mark.parametrize("place", ["0446/332446.png", "original/0446/332446.gif", "332446.jpeg"])
def test_an_original_is_found_in_each_layout_whatever_its_extension(tmp_path, place) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(b"x")
    assert Tree(tmp_path).find("332446") == tmp_path / place


def test_another_image_of_the_bucket_is_not_taken_for_it(tmp_path) -> None:
    (tmp_path / "0446").mkdir()
    (tmp_path / "0446/1332446.jpg").write_bytes(b"x")
    assert Tree(tmp_path).find("332446") is None


def test_a_half_written_file_is_not_found(tmp_path) -> None:
    (tmp_path / "0446").mkdir()
    (tmp_path / "0446/.332446.jpg.part").write_bytes(b"x")
    assert Tree(tmp_path).find("332446") is None


def test_each_folder_is_listed_once_however_many_there_are(tmp_path, monkeypatch) -> None:
    listed, listdir = Counter[Path](), os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.update([folder]) or listdir(folder))
    tree = Tree(tmp_path)
    for key in [*range(1000), *range(1000)]:
        tree.find(str(key))
    assert set(listed.values()) == {1}


def test_a_folder_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="nowhere"):
        Tree(Path("nowhere"))
