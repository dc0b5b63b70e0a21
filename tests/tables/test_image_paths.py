import polars as pl
import pytest

from dafre_fast.core.layout import image_path
from dafre_fast.tables.image_paths import image_paths


@pytest.mark.parametrize("image_id", [0, 7, 99, 999, 1000, 332446, 5_000_010, 10**18 - 1])
def test_a_column_of_ids_has_the_paths_that_single_ids_have(image_id):
    found = pl.DataFrame({"id": [image_id]}).select(image_paths()).item()
    assert found == image_path(image_id)


def test_the_folder_is_the_rest_of_the_id_by_a_thousand_in_four_digits():
    assert image_path(332446) == "0446/332446.jpg"
    assert image_path(5, "png") == "0005/5.png"
