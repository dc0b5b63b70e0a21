from pathlib import Path

import pytest

from tests.gallery.small_dataset import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Write one dataset for all tests that only read it."""
    return write_dataset(tmp_path_factory.mktemp("dataset"))
