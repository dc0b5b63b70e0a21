import json

import pytest

from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Advanced, Asked, Began, Ended, Notice
from dafre_fast.core.settings.fetching import Watching
from dafre_fast.views.terminal import terminal


def test_the_log_has_events_and_notices_and_not_the_counting_of_progress(tmp_path, capsys) -> None:
    log = tmp_path / "log/events.jsonl"
    with terminal(Watching(log_json=log)) as tell:
        for event in (
            Began("images", 2),
            Asked(2, 0),
            Notice("a line"),
            Advanced((None,)),
            Ended(),
        ):
            tell(event)
    asked, notice = (json.loads(line) for line in log.read_text().splitlines())
    assert (asked["event"], asked["images"], asked["standing"]) == ("asked", 2, 0)
    assert (notice["event"], notice["text"]) == ("notice", "a line")
    assert "a line\n" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_an_output_error_before_any_event(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"), terminal(Watching(log_json=tmp_path / "file/l")):
        pytest.fail("no event can be told")
