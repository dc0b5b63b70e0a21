"""Every kind of file that the project can draw: right pixels, or the right reason."""

import pytest

from tests.torture.drawn import everything
from tests.torture.examine import RIGHT, examine
from tests.torture.isolated import SECONDS, servers

FILES = [*everything()]
HONEST = [pytest.param(data, id=name) for name, data, reason in FILES if reason is None]
DISHONEST = [pytest.param(data, reason, id=name) for name, data, reason in FILES if reason]


@pytest.fixture(scope="module")
def server():
    with servers(1) as executor:
        yield executor


@pytest.fixture
def found(tmp_path, server):
    """A function that examines data as a file; the name is always `original.jpg`."""

    def look(data, **settings):
        path = tmp_path / "original.jpg"
        path.write_bytes(data)
        return server.submit(examine, str(path), **settings).result()

    return look


@pytest.mark.slow
@pytest.mark.parametrize("data", HONEST)
def test_honest_file_has_the_pixels_of_the_careful_reference(data, found):
    finding = found(data, tolerance=1.0)
    assert finding.outcome == RIGHT, finding
    assert finding.reference_reads


@pytest.mark.slow
@pytest.mark.parametrize(("data", "reason"), DISHONEST)
def test_dishonest_file_is_refused_for_its_reason_at_little_cost(data, reason, found):
    finding = found(data)
    assert finding.outcome == reason, finding
    assert finding.detail or reason == "empty_file"
    assert finding.seconds < SECONDS
    assert finding.bytes < 500_000_000
