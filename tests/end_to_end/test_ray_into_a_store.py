"""`full --executor ray --into s3://…`: parts on nodes that share nothing but a store."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.commands import tree
from tests.datasets_drawn import draw_inputs
from tests.end_to_end.test_full_into_a_store import TABLES, dataset, full, without_times
from tests.sources.stores import needs_stores

pytestmark = [
    *needs_stores,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    return draw_inputs(tmp_path_factory.mktemp("inputs"), 24)


def test_parts_on_ray_make_the_shards_of_one_run_in_the_store(
    inputs, store, tmp_path, short_tmpdir, monkeypatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", short_tmpdir)
    ray = ("--executor", "ray", "--ray-address", "local", "--parts", 3, "--into", store.address)
    summary = full(inputs, tmp_path / "on ray", *ray)
    full(inputs, tmp_path / "alone")
    made = tree(tmp_path / "alone/ds").items()
    expected = {name: data for name, data in made if name.startswith(TABLES)}
    assert without_times(dataset(store)) == without_times(expected)
    assert summary["work"]["images"] == 24
