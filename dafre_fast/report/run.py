"""Write the report of a finished dataset: a folder with one page and its pictures.

The page is put together from the records of the dataset (manifest, ledger, labels, statistics) and
a bounded number of its files, whatever the size of the dataset. Sections whose records are missing
or damaged are left out, and the page says so; only the manifest is required.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import polars as pl

from dafre_fast.audit.pairs import Pair, some_pairs
from dafre_fast.audit.records import Audit
from dafre_fast.core.atomic import check_writable, temporary
from dafre_fast.core.errors import InputError, OutputError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import (
    AUDIT,
    AUDIT_SUMMARY,
    EXCLUDE,
    FUNNEL,
    LABELS,
    MANIFEST,
    REPORT,
    STATISTICS,
    TAGS_FUNNEL,
    image_path,
)
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Funnel, TagFunnel
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.report.found import folder_of_heads, found_heads, is_search
from dafre_fast.report.inputs import Records
from dafre_fast.report.links import Links
from dafre_fast.report.overview import chosen, class_names, one_of_each, overview
from dafre_fast.report.page import INDEX, is_report, render, render_search
from dafre_fast.report.pictures import FIRST, ReportPictures
from dafre_fast.report.records import (
    Duplicates,
    Example,
    FoundHeads,
    Overview,
    Page,
    SearchPage,
    Twins,
    Written,
)
from dafre_fast.report.settings import ReportRun
from dafre_fast.stats.records import Statistics
from dafre_fast.tables.unreadable import reading


def write_report(run: ReportRun, tell: Tell = silent) -> Written:
    """Write the report of a dataset or of an output of `heads` into `run.into`, or else its folder
    `report`, in place of an earlier one, whole or not at all.

    Raises InputError if the manifest is missing or cannot be read, OutputError if the folder cannot
    be written or what is there is no report, and UsageError if the gallery's address is none.
    """
    Links(run.gallery)
    tell(Doing("writing the report"))
    final = run.into.resolve() if run.into else run.output / REPORT
    if not _may_be_replaced(final):
        raise OutputError(f"{final}: is there and is no report; move it away")
    check_writable(final.parent, "--into")
    manifest = None if is_search(run.output) else open_manifest(run.output)
    with reading(run.output / MANIFEST), _replacing_folder(final) as folder:
        page: Page | SearchPage
        if manifest is None:
            page = _search_page(run, folder)
            files, images = render_search(page, version("dafre_fast")), page.found.images
        else:
            page = _page(run, manifest, folder)
            files, images = render(page, version("dafre_fast")), page.overview.images
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return Written(
        index=str(final / INDEX),
        files=len(sizes),
        bytes=sum(sizes),
        images=images,
        left_out=page.left_out,
        unread=page.unread,
    )


def _may_be_replaced(folder: Path) -> bool:
    """Return True if nothing but a report or an empty folder is there."""
    try:
        return not any(folder.iterdir()) or is_report((folder / INDEX).read_bytes())
    except FileNotFoundError:
        return not folder.exists()
    except OSError:
        return False


def _page(run: ReportRun, manifest: pl.LazyFrame, folder: Path) -> Page:
    """Gather all that the page shows, and save its pictures in `folder`."""
    records, pictures = Records(run.output), ReportPictures(run.output, folder)
    found = overview(manifest, classes=run.classes, examples=run.examples, seed=run.seed)
    _note_absent(found, records)
    marked, recorded = records.marks(), records.choice()
    selection = recorded.selection if recorded else Selection()
    one_each = one_of_each(manifest, [one.class_id for one in found.classes], run.seed)
    return Page(
        title=run.title or run.output.absolute().name,
        description=run.description,
        gallery=run.gallery,
        seed=run.seed,
        first=pictures.first(chosen(manifest, None, FIRST, run.seed)),
        overview=found,
        funnel=records.decoded(f"{LABELS}/{FUNNEL}", Funnel, "funnel"),
        tag_funnel=records.decoded(f"{LABELS}/{TAGS_FUNNEL}", TagFunnel, "tags"),
        statistics=records.decoded(f"{STATISTICS}/stats.json", Statistics, "tags"),
        clouds=[*pictures.clouds()],
        sheets=[
            sheet
            for split in found.splits
            for sheet in pictures.sheets(
                split.name, chosen(manifest, split.name, run.sheet, run.seed), run.labelled
            )
        ],
        class_pictures=pictures.of_classes(one_each),
        refused=pictures.of_refused(found.refused),
        found=_found(run, selection, records, pictures),
        duplicates=_duplicates(run, manifest, records, pictures),
        throughput=records.throughput(marked),
        recipes=marked.recipes,
        makings=records.makings(marked),
        choice=recorded,
        in_shards=lies_in_shards(run.output),
        files=[*records.files(), *(recorded.tables if recorded else ())],
        left_out=records.left_out,
        unread=sorted(records.unread | pictures.unread),
    )


def _search_page(run: ReportRun, folder: Path) -> SearchPage:
    """Gather all that the page of a search for heads shows, and save its pictures in `folder`.

    Raises InputError as `found_heads` does.
    """
    records, pictures = Records(run.output), ReportPictures(run.output, folder)
    found = found_heads(run, run.output, Selection().min_confidence, records, pictures)
    return SearchPage(
        title=run.title or run.output.absolute().name,
        description=run.description,
        gallery=run.gallery,
        seed=run.seed,
        found=found,
        left_out=records.left_out,
        unread=sorted(records.unread | pictures.unread),
    )


def _found(
    run: ReportRun, selection: Selection, records: Records, pictures: ReportPictures
) -> FoundHeads | None:
    """Return the heads that were found for a dataset; None if they came with a faces.tsv."""
    folder = folder_of_heads(run.output)
    if folder is None:
        return None
    try:
        return found_heads(run, folder, selection.min_confidence, records, pictures)
    except InputError as error:
        records.left_out["heads found"] = str(error).removeprefix(f"{folder}/")
        return None


def _note_absent(found: Overview, records: Records) -> None:
    if found.heads is None:
        records.left_out["heads"] = "the manifest has no head boxes"
    if not found.sizes:
        records.left_out["sizes"] = "no image was made"


def _duplicates(
    run: ReportRun, manifest: pl.LazyFrame, records: Records, pictures: ReportPictures
) -> Duplicates | None:
    """Return the findings of an audit and some of its pairs; None if none was made."""
    folder = run.audit or run.output / AUDIT
    if not (folder / AUDIT_SUMMARY).exists():
        if run.audit:
            raise InputError(f"{folder}: no audit is there, which leaves {AUDIT_SUMMARY}")
        return None  # an audit is no part of `full`
    audit = records.decoded_at(
        folder / AUDIT_SUMMARY, f"{AUDIT}/{AUDIT_SUMMARY}", Audit, "duplicates"
    )
    if audit is None:
        return None
    try:
        pairs = some_pairs(folder, run.pairs)
    except InputError:
        records.unread.add(f"{AUDIT}/{EXCLUDE}")
        pairs = []
    names = class_names(manifest, [one for pair in pairs for one in pair.class_ids])
    return Duplicates(audit, [_twins(pair, names, pictures) for pair in pairs])


def _twins(pair: Pair, names: dict[int, str], pictures: ReportPictures) -> Twins:
    leaves, stays = (
        pictures.tile(Example(one, image_path(one), names.get(class_id, "")))
        for one, class_id in zip(pair.ids, pair.class_ids, strict=True)
    )
    return Twins(leaves, stays, pair.splits, pair.distance)


@contextmanager
def _replacing_folder(final: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `final` at the end; on an error nothing changes.

    A kill between the two renames leaves both folders beside `final` under hidden names. Raises
    OutputError if the folder cannot be written.
    """
    part = temporary(final)
    old = part.with_suffix(".old")
    try:
        for left in (part, old):
            if left.exists():
                shutil.rmtree(left)
        part.mkdir()
        yield part
        if final.exists():
            final.replace(old)
        part.replace(final)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise OutputError(f"{final}: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
