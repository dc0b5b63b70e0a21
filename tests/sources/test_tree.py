from pathlib import Path

import pytest

from dafre_fast.model.errors import InputError
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


def test_a_folder_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="nowhere"):
        Tree(Path("nowhere"))
