from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web_app

from dafre_fast.gallery import matching, queries
from tests.gallery.small_dataset import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Write one dataset for all tests that only read it."""
    return write_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(autouse=True)
def _let_indexes_go() -> Iterator[None]:
    """Close the files of an index after its test: answers and handlers that are kept (by us, and by
    aiohttp) keep their index, too.
    """
    yield
    for module in (matching, queries, web_app):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
