from pathlib import Path

import pytest

from tests.gallery.small_dataset import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """One for all tests that only look."""
    return write_dataset(tmp_path_factory.mktemp("dataset"))
