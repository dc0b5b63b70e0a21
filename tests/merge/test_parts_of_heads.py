"""Parts of `heads` become the tables of one run."""

import pytest

from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Dividing
from dafre_fast.core.settings.tables import Selection
from dafre_fast.heads.run import heads
from dafre_fast.heads.settings import Candidates, HeadsRun
from dafre_fast.merge.run import merge
from tests.heads.drawn import write_inputs
from tests.merge.small import contents


def search(folder, output, part=None):
    run = HeadsRun(source=str(folder / "originals"), output=output)
    fetching = Fetching(metadata=(folder / "posts.json",))
    detecting = Detecting(detector=str(folder / "model.onnx"))
    rules = Candidates(), detecting, Selection(), fetching, Bounds()
    return heads(run, *rules, Dividing(part=part, workers=1))


@pytest.mark.slow
def test_parts_of_heads_end_in_the_tables_of_one_run(tmp_path) -> None:
    write_inputs(tmp_path)
    whole = search(tmp_path, tmp_path / "whole")
    for part in ("1/3", "2/3", "3/3"):
        search(tmp_path, tmp_path / "parts", part)
    summary = merge(tmp_path / "parts").summary
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    counts = ("images", "single", "none", "several", "refused", "funnel")
    assert all(getattr(summary, name) == getattr(whole, name) for name in counts)
