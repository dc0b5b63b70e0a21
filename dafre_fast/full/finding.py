"""Find the heads of a dataset, from which it is then made like one with a faces.tsv."""

from pathlib import Path
from typing import NamedTuple

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import InputError, SourceError
from dafre_fast.core.events import Tell
from dafre_fast.core.layout import HEADS, MANIFEST, STATE
from dafre_fast.core.reasons import SUCCESS, Reason
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import HeadsSummary
from dafre_fast.dataset.ledger import NAME
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.engine.discarding import discard_all
from dafre_fast.engine.originals import Originals
from dafre_fast.full.settings import FullRun, Search
from dafre_fast.heads.run import FACES, TAG_IDS, Found, Within, find_heads
from dafre_fast.heads.settings import HeadsRun


class Finding(NamedTuple):
    """The posts whose heads are to be found, and how."""

    search: Search
    detecting: Detecting


def find(
    finding: Finding,
    run: FullRun,
    selection: Selection,
    fetching: Fetching,
    bounds: Bounds,
    running: Running,
    tell: Tell,
    within: Within,
) -> Found:
    """Find heads, and write their tables into the folder `heads` of the dataset. A part finds its
    own; once the parts are merged, it has those of all.

    Raises as `heads` does, SourceError if no original could be searched, and InputError if none has
    exactly one head.
    """
    assert run.source
    job = HeadsRun(source=run.source, output=run.output / HEADS)
    rules = (finding.search, finding.detecting, selection, fetching, bounds, running)
    searched = find_heads(job, *rules, within, tell)
    if searched.whole:
        _refuse_nothing(searched.summary)
    return searched


def _refuse_nothing(found: HeadsSummary) -> None:
    """Raise SourceError or InputError if no image can be made."""
    refused = sum(found.refused.values())
    if refused == found.images:
        reason, number = max(found.refused.items(), key=lambda item: item[1])
        raise SourceError(
            f"none of {found.images:,} originals could be searched for heads: {number:,} {reason};"
            f" {Reason(reason).advice}"
        )
    if not found.single:
        raise InputError(
            f"no original has exactly one head: {found.none:,} have none, {found.several:,} have"
            f" several, {refused:,} were refused; try another --detect-side, --count-threshold or"
            " --detector"
        )


def with_tables(run: FullRun) -> FullRun:
    """Return settings with the tables of the heads that were found."""
    folder = run.output / HEADS
    return replace(run, faces=folder / FACES, tag_ids=folder / TAG_IDS)


def discard_unlabelled(originals: Originals, asked: pl.DataFrame, output: Path) -> None:
    """Remove the originals that were searched and make no row of `asked`, unless originals stay."""
    if originals.keep:
        return
    searched = pl.scan_parquet(output / HEADS / MANIFEST, glob=False).filter(status=SUCCESS)
    unlabelled = searched.select(key=pl.col("id").cast(pl.String)).join(
        asked.lazy(), on="key", how="anti"
    )
    discard_all(originals, last_outcomes(output / STATE / NAME, "fetch"), unlabelled)
