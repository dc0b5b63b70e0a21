"""The `stats` command: count a table of images and their tags, write and plot the counts."""

from pathlib import Path

import msgspec
import polars as pl
from msgspec.structs import replace

from dafre_fast.core.atomic import replacing, scratch
from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, FUNNEL, TAGS_FUNNEL
from dafre_fast.core.summaries import Funnel, TagFunnel
from dafre_fast.stats.counting import Counts, count, spread, write_counts
from dafre_fast.stats.records import (
    Classes,
    ClassSize,
    Level,
    Statistics,
    Used,
    Vocabulary,
)
from dafre_fast.stats.settings import Plotting, StatsRun
from dafre_fast.stats.show import lines
from dafre_fast.stats.tagged import read_tagged
from dafre_fast.tables.bad_rows import write_bad_rows
from dafre_fast.tables.unreadable import reading
from dafre_fast.views.show import to_json


def stats(run: StatsRun, plotting: Plotting, tell: Tell = silent) -> Statistics:
    """Write the statistics of the tables `run.input` into the folder `run.output`, and return them.

    Raises InputError for a table that cannot be read or has too many bad rows, or a file that is
    not a funnel, and OutputError if the folder cannot be written.
    """
    funnel, tag_funnel = _read_funnels(run)
    tell(Doing("counting tags"))
    with scratch(run.output, "rows") as folder:
        table = read_tagged(run.input, run.max_bad_rows, folder)
        counts = count(table.rows, words=plotting.words)
    bad_rows = write_bad_rows(table.bad_rows, run.output / BAD_ROWS)
    write_counts(counts, run.output)
    found = _statistics(counts, plotting.title or run.input[0].stem, plotting.top_k)
    found = bad_rows.added_to(found)
    if plotting.plots:
        tell(Doing("drawing plots"))
        found = _draw(found, counts, (funnel, tag_funnel), run.output, plotting.format)
    _write(run.output / "stats.json", to_json(found))
    _write(run.output / "stats.txt", "\n".join(lines(found)))
    return found


def _write(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(f"{text}\n", encoding="utf-8")


def _statistics(counts: Counts, title: str, top: int) -> Statistics:
    found = Statistics(title=title, images=counts.images, vocabularies=_vocabularies(counts, top))
    if not counts.extensions.is_empty():
        found = replace(found, extensions=dict(counts.extensions.rows()))
    if not counts.sizes.is_empty():
        width, height, images = counts.sizes
        found = replace(found, width=spread(width, images), height=spread(height, images))
    if not counts.classes.is_empty():
        images = counts.classes["images"]
        classes = Classes(
            images=int(images.sum()),
            classes=images.len(),
            per_class=spread(images),
            largest=images[0],
            smallest=images[-1],
            top=[ClassSize(*row) for row in counts.classes.head(top).rows()],
        )
        found = replace(found, classes=classes)
    return found


def _vocabularies(counts: Counts, top: int) -> list[Vocabulary]:
    """Return the vocabularies that the table has: category 0, its words, then the others."""
    found = []
    for category in CATEGORY_NAMES:
        for level in Level:
            own = (pl.col("category") == category) & (pl.col("level") == level.value)
            numbers, tags = counts.per_image.filter(own), counts.tags.filter(own)
            if numbers.is_empty():
                continue
            found.append(
                Vocabulary(
                    category=category,
                    level=level,
                    images=int(numbers["images"].sum()),
                    unique=tags.height,
                    uses=int(tags["uses"].sum()),
                    per_use=spread(tags["uses"]),
                    per_image=spread(numbers["number"], numbers["images"]),
                    top=[Used(*row) for row in tags.select("tag", "uses").head(top).rows()],
                )
            )
    return found


def _draw(
    found: Statistics,
    counts: Counts,
    funnels: tuple[Funnel | None, TagFunnel | None],
    output: Path,
    format: str,
) -> Statistics:
    from dafre_fast.stats.plots import MOST_NAMES, Data, Sizes, draw

    data = Data(
        title=found.title,
        vocabularies=_vocabularies(counts, MOST_NAMES),
        class_images=counts.classes["images"].to_list(),
        extensions=found.extensions or {},
        sizes=Sizes(*(column.to_numpy() for column in counts.sizes)),
        funnel=funnels[0],
        tag_funnel=funnels[1],
    )
    drawn = draw(data, output, format)
    return replace(found, drawn=drawn.files, not_drawn=drawn.not_drawn)


def _read_funnels(run: StatsRun) -> tuple[Funnel | None, TagFunnel | None]:
    """Return the last funnel of each kind that has steps."""
    beside = (run.input[0].with_name(name) for name in (FUNNEL, TAGS_FUNNEL))
    paths = run.funnel or tuple(path for path in beside if path.is_file())
    funnel, tag_funnel = None, None
    for path in paths:
        match _read_funnel(path):
            case Funnel(steps) as found if steps:
                funnel = found
            case TagFunnel(steps) as found if steps:
                tag_funnel = found
    return funnel, tag_funnel


def _read_funnel(path: Path) -> Funnel | TagFunnel:
    with reading(path):
        text = path.read_bytes()
    try:
        return msgspec.json.decode(text, type=Funnel)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            return msgspec.json.decode(text, type=TagFunnel)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InputError(f"{path}: is not a funnel: {error}") from error
