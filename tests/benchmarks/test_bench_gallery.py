"""`python -m bench gallery`: the time until the first byte of each kind of question."""

import pytest
from click.testing import CliRunner

from bench import gallery

pytestmark = pytest.mark.slow


def test_every_question_has_its_time_and_slow_ones_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(gallery, "LIMIT", 60.0)
    flags = ["--rows", "1000", "--samples", "1", "--output", str(tmp_path)]
    done = CliRunner().invoke(gallery.main, flags, catch_exceptions=False)
    for name in gallery.questions(1000):
        assert name in done.output
    assert done.output.endswith("above 60000 ms: none\n")
