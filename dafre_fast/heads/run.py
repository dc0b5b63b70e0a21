"""Run `heads`: metadata, candidates, originals, detection, tables."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from dafre_fast.core.atomic import replacing, scratch
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.layout import (
    BAD_RECORDS,
    DETECTOR,
    FUNNEL,
    HEADS_TABLE,
    MANIFEST,
    ORIGINALS,
    STATE,
)
from dafre_fast.core.records import Box
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import HeadsSummary, Judged, Step, Work
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import write_manifest
from dafre_fast.dataset.outcomes import last_outcomes, status
from dafre_fast.dataset.parts import Plan, hash_of
from dafre_fast.engine import parts
from dafre_fast.engine.apart import refuse_source
from dafre_fast.engine.detection import Use, detect_all, find_model, outcomes_of
from dafre_fast.engine.inputs import open_metadata, open_originals
from dafre_fast.engine.observers import watching
from dafre_fast.engine.parts import Finishing, Share, own_rows, sharing
from dafre_fast.heads.candidates import choose
from dafre_fast.heads.evaluation import judge
from dafre_fast.heads.plot import draw_quality
from dafre_fast.heads.settings import Candidates, HeadsRun
from dafre_fast.heads.writing import single_heads, write_faces, write_tag_ids
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows
from dafre_fast.tables.faces import read_faces
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.heads import BOXES, Search, is_sure, write_heads
from dafre_fast.tables.marks import is_good
from dafre_fast.tables.taking import take_rows
from dafre_fast.tables.writing import write_csv

FACES, TAG_IDS = "faces.tsv", "tagIds.tsv"
SEARCH = "search.json"
"""The record of a search of a dataset that was made in parts."""
EVALUATION, QUALITY = "evaluation.csv", "evaluation.svg"


_TAGS = {"class_name": pl.String(), "tag_id": pl.Int64()}


class Within(NamedTuple):
    """The dataset that heads are searched for: originals and ledger are its own."""

    folder: Path
    keep_originals: bool = True
    identity: str | None = None
    """Stands for the fingerprint of a source that has another address in each run."""


def heads(
    run: HeadsRun,
    rules: Candidates,
    detecting: Detecting,
    selection: Selection,
    fetching: Fetching,
    bounds: Bounds,
    running: Running,
    tell: Tell = silent,
    within: Within | None = None,
) -> HeadsSummary:
    """Search the originals of the posts chosen for heads, and write the tables.

    Without `within`, originals and ledger go into the folder of the tables.

    Raises UsageError if a setting is missing, or the model cannot be used; InputError if metadata
    or a table cannot be read; OutputError, SourceError and WorkerError as `detect_all` does.
    """
    within = within or Within(run.output)
    rules_of_all = (rules, detecting, selection, fetching, bounds, running)
    return find_heads(run, *rules_of_all, within, tell).summary


class Found(NamedTuple):
    """The summary of a search, and whether it is that of all originals and not of a part."""

    summary: HeadsSummary
    whole: bool


def find_heads(
    run: HeadsRun,
    rules: Candidates,
    detecting: Detecting,
    selection: Selection,
    fetching: Fetching,
    bounds: Bounds,
    running: Running,
    within: Within,
    tell: Tell,
) -> Found:
    """Search originals as `heads` does. A part of a dataset whose parts have all been searched, and
    merged, is not searched again, if it is to resume.
    """
    if not fetching.metadata or not detecting.detector:
        raise UsageError(f"{'--detector' if fetching.metadata else '--metadata'} is needed")
    refuse_source(run.source, within.folder)
    with sharing(within.folder, running) as share:
        rules_of_all = (rules, detecting, selection, fetching, bounds, running)
        return _search(run, *rules_of_all, within, share, tell)


def _search(
    run: HeadsRun,
    rules: Candidates,
    detecting: Detecting,
    selection: Selection,
    fetching: Fetching,
    bounds: Bounds,
    running: Running,
    within: Within,
    share: Share | None,
    tell: Tell,
) -> Found:
    """Search all originals, or those of a part (`share`)."""
    model = find_model(detecting, within.folder, fetching, tell)
    tell(Doing("reading metadata"))
    with scratch(run.output, "posts") as folder:
        chosen = choose(fetching.metadata, rules, selection.max_bad_rows, folder)
    asked = take_rows(chosen.rows, selection).select(
        "id", "tag_id", key=pl.col("id").cast(pl.String)
    )
    settings: dict[str, object] = {
        "detector": model.recipe(),
        "count_threshold": model.count_threshold,
    }
    settings |= {"selection": selection} if selection.words else {}
    if share and running.resume and within.folder != run.output:
        plan = Plan("heads", to_builtins(settings), hash_of(asked))
        if merged := _read_merged(within.folder, run.output, plan):
            return Found(merged, whole=True)
    metadata = open_metadata(run.source, fetching, own_rows(asked, running), selection)
    bad_rows = write_bad_rows(chosen.bad_rows, run.output / BAD_RECORDS)
    tell(Notice(str(model.used)))
    model.record(run.output / DETECTOR)
    use = Use(model.count_threshold, selection.min_confidence)
    with watching("originals searched", tell) as watch:
        folder = within.folder / ORIGINALS
        originals = open_originals(run.source, folder, fetching, metadata, watch.tell)
        originals = originals._replace(
            keep=within.keep_originals, identity=within.identity or originals.identity
        )
        found, work = detect_all(
            asked, originals, model, use, bounds, running, within.folder, watch
        )
    facts = Facts(
        MANIFEST,
        [*chosen.funnel, *_taken(asked, selection)],
        *bad_rows,
        model=model.name,
        threshold=model.count_threshold,
        detector=Path((detecting.detector or "").partition("?")[0]).name,
        tags=chosen.tags.select("class_name", "tag_id").rows(),
        evaluate=None if run.evaluate is None else str(run.evaluate.absolute()),
        tables=os.path.relpath(run.output, within.folder),
    )
    if share:
        boxes = _boxes(found, model.name)
        manifest = _manifest(found, boxes, facts.threshold)
        summary = bad_rows.added_to(_summary(manifest, work, ()))
        share.record("heads", settings, asked, facts, summary)
        return Found(summary, whole=False)
    _forget_merged(within.folder)
    return Found(_finish(run.output, found, work, facts, tell), whole=True)


def _taken(asked: pl.DataFrame, selection: Selection) -> Sequence[Step]:
    if not selection.words:
        return ()
    single = asked["tag_id"].drop_nulls()
    return [Step(selection.words, len(single), single.n_unique())]


class Facts(parts.Facts, frozen=True):
    """Facts of `heads` about all images alike: the first digits of the model's SHA-256, the score
    from which a box counts, the name of the model's file, name and id of each tag, the known boxes
    to judge by, and the folder of the tables in that of the parts.
    """

    model: str = ""
    threshold: float = 0.0
    detector: str = ""
    tags: Sequence[tuple[str, int]] = ()
    evaluate: str | None = None
    tables: str = "."


class Merged(Struct, frozen=True):
    """The search of a dataset that was made in parts: what was asked, and its summary."""

    plan: Plan
    summary: HeadsSummary


def finish(output: Path, done: Finishing, tell: Tell = silent) -> HeadsSummary:
    """Write the tables of parts that are merged; return the summary of the whole."""
    found = outcomes_of(done.rows, last_outcomes(output / STATE / LEDGER, "detect"))
    facts = msgspec.convert(done.plan.facts, Facts)
    _forget_merged(output)
    summary = _finish(output / facts.tables, found, done.work, facts, tell)
    if Path(facts.tables) != Path():
        with replacing(output / STATE / SEARCH) as part:
            part.write_bytes(msgspec.json.encode(Merged(replace(done.plan, facts={}), summary)))
    return summary


def read_merged(dataset: Path) -> Merged | None:
    """Return the search of a dataset whose parts are merged, None if there is none."""
    try:
        return msgspec.json.decode((dataset / STATE / SEARCH).read_bytes(), type=Merged)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _read_merged(dataset: Path, tables: Path, plan: Plan) -> HeadsSummary | None:
    """Return the summary of a search whose parts are merged, if it is this one, and its tables are
    there.
    """
    found = read_merged(dataset)
    is_it = found and found.plan == plan and (tables / FACES).exists()
    return found.summary if found and is_it else None


def _forget_merged(dataset: Path) -> None:
    """Delete the record of the tables that are written next. Raises OutputError."""
    try:
        (dataset / STATE / SEARCH).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{dataset / STATE / SEARCH}: {error.strerror}") from error


def _finish(
    output: Path, found: pl.DataFrame, work: Work, facts: Facts, tell: Tell
) -> HeadsSummary:
    """Write the tables of heads, and judge them if boxes are known; return the summary."""
    tell(Doing("writing tables of heads"))
    boxes = _boxes(found, facts.model)
    manifest = _manifest(found, boxes, facts.threshold)
    write_manifest(manifest, output / MANIFEST)
    funnel = _write(output, facts, found, boxes)
    summary = _summary(manifest, work, funnel)
    if facts.evaluate:
        tell(Doing("judging the heads found"))
        summary = replace(summary, judged=_evaluate(Path(facts.evaluate), output, found, boxes))
    return BadRows(facts.bad_rows, facts.bad_rows_list).added_to(summary)


def _evaluate(
    faces: Path, output: Path, found: pl.DataFrame, boxes: pl.DataFrame
) -> Sequence[Judged]:
    """Judge boxes by those of faces.tsv, for the images that were searched; write table and plot.

    Raises InputError if the table cannot be read, or has none of these images.
    """
    searched = found.filter(pl.col("reason").is_null()).select("id")
    known = read_faces(faces).filter(is_good).join(searched, on="id", how="semi")
    if known.is_empty():
        raise InputError(f"{faces}: has a box of none of the {searched.height:,} images searched")
    judged = judge(boxes, known)
    write_csv(pl.DataFrame(map(to_builtins, judged)), output / EVALUATION)
    draw_quality(judged, output / QUALITY)
    return judged


def _boxes(found: pl.DataFrame, model: str) -> pl.DataFrame:
    """Return a row per box; columns are `tables.heads.BOXES`."""
    box = pl.col("heads")
    edges = {name: box.list.get(place) for place, name in enumerate((*Box._fields, "score"))}
    rows = found.select("id", "tag_id", "heads").explode("heads").drop_nulls("heads")
    return rows.with_columns(**edges, model=pl.lit(model)).select(*BOXES).cast(pl.Schema(BOXES))


def _write(output: Path, facts: Facts, found: pl.DataFrame, boxes: pl.DataFrame) -> Sequence[Step]:
    """Write the tables of heads; return the funnel."""
    single = single_heads(boxes, facts.threshold)
    readable = found.filter(pl.col("reason").is_null(), pl.col("tag_id").is_not_null())
    funnel = [
        *facts.funnel,
        Step("readable", readable.height, readable["tag_id"].n_unique()),
        Step("exactly one head", single.height, single["tag_id"].n_unique()),
    ]
    write_faces(single, output / FACES)
    write_tag_ids(pl.DataFrame(facts.tags, _TAGS, orient="row"), output / TAG_IDS)
    write_heads(boxes, output / HEADS_TABLE, Search(facts.detector, facts.threshold))
    write_funnel(funnel, output / FUNNEL)
    return funnel


def _manifest(found: pl.DataFrame, boxes: pl.DataFrame, threshold: float) -> pl.DataFrame:
    counts = boxes.filter(is_sure(threshold)).group_by("id").agg(heads=pl.len())
    rows = found.drop("heads").join(counts, on="id", how="left", maintain_order="left")
    return rows.select(
        "id",
        "tag_id",
        status(),
        pl.col("detail").alias("error_message"),
        "original_width",
        "original_height",
        pl.when(pl.col("reason").is_null()).then(pl.col("heads").fill_null(0)).alias("heads"),
    )


def _summary(manifest: pl.DataFrame, work: Work, funnel: Sequence[Step]) -> HeadsSummary:
    refused = Counter(manifest.filter(pl.col("heads").is_null())["status"].to_list())
    counts = manifest["heads"].drop_nulls()
    return HeadsSummary(
        images=manifest.height,
        single=int((counts == 1).sum()),
        none=int((counts == 0).sum()),
        several=int((counts > 1).sum()),
        refused=dict(refused.most_common()),
        work=work,
        funnel=funnel,
    )
