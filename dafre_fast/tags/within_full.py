"""Tables of tags and their statistics as part of `full`, made again only if something changed."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import LABELS, STATE, STATISTICS
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.splits import SPLITS
from dafre_fast.core.summaries import TagsSummary
from dafre_fast.stats.run import stats
from dafre_fast.stats.settings import Plotting, StatsRun
from dafre_fast.tables.posts import tells_tags
from dafre_fast.tables.record_files import tables_of
from dafre_fast.tags.receipt import fingerprint, read_receipt, write_receipt
from dafre_fast.tags.run import tags
from dafre_fast.tags.settings import TagsRun

_RECEIPT = "tags.json"


def tag_tables(
    metadata: Sequence[Path],
    output: Path,
    steps: TagSteps,
    plotting: Plotting,
    tell: Tell = silent,
    *,
    resume: bool,
) -> TagsSummary | None:
    """Write tables of tags beside the labels of the dataset `output`, and their statistics.

    Returns their summary, or None if no metadata has tags. If `resume`, tables that are up to date
    are kept. Raises the errors of `tags` and `stats`.
    """
    tell(Doing("reading tags"))
    tagged = (table for table in tables_of(metadata) if tells_tags(table))
    with_tags = tuple(file for table in tagged for file in table.files)
    if not with_tags:
        return None
    labels, receipt = output / LABELS, output / STATE / _RECEIPT
    of_splits = [labels / f"{split}.csv" for split in SPLITS]
    plotting = replace(plotting, title=plotting.title or output.absolute().name)
    made_from = fingerprint((steps, plotting), with_tags, of_splits)
    if resume and (summary := read_receipt(receipt, made_from)):
        return summary
    summary = tags(TagsRun(metadata=with_tags, labels=(labels,), output=labels), steps, tell)
    tables = tuple(
        path.with_name(f"{path.stem}_tags.parquet") for path in of_splits if path.stat().st_size
    )
    statistics = output / STATISTICS
    stats(StatsRun(input=tables, output=statistics), plotting, tell)
    made = (
        path for folder in (labels, statistics) for path in folder.rglob("[!.]*") if path.is_file()
    )
    write_receipt(receipt, made_from, made, summary)
    return summary
