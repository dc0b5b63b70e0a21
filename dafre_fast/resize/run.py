"""Make full images of a tree or list of originals."""

import os
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, STATE
from dafre_fast.core.paths import from_text, to_text
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Output, Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import AnyTable, Selection, Taking
from dafre_fast.core.summaries import Summary
from dafre_fast.dataset.manifest import rows_of
from dafre_fast.dataset.outputs import asked_column
from dafre_fast.engine.apart import refuse_manifest, refuse_replacing, refuse_same, refuse_taken
from dafre_fast.engine.images import make_with_manifest
from dafre_fast.engine.input_files import originals_in
from dafre_fast.engine.inputs import summarize
from dafre_fast.engine.parts import Facts, sharing
from dafre_fast.engine.plan import ask_catalogue, ask_files, renamed
from dafre_fast.engine.rows import NO_TABLE, read_listed_rows, refuse_beside_table
from dafre_fast.resize.settings import ResizeRun
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows
from dafre_fast.tables.taking import take_rows

ALL = Selection()


def resize(
    run: ResizeRun,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
    selection: Selection = ALL,
    table: AnyTable = NO_TABLE,
) -> Summary:
    """Make a full image of every original in a folder or list, or of those that are to be taken, in
    the order of the alphabet or of the list; relative paths are kept. With a table, those of the
    folder that the table names, as `{bucket}/{id}.jpg`.

    Raises UsageError if an output would take the place of an original.
    """
    refuse_beside_table(table, None, selection, Fetching())
    refuse_same(run.input, "--input", run.output)
    if run.input.is_dir():
        refuse_taken(run.input, run.output)
    refuse_manifest(run.manifest, [Path(table.table)] if table.table else [run.input])
    output = recipe.outputs[0]
    asked = (
        _listed(run, output, table, selection, tell)
        if table.table
        else _found(run, output, selection, tell)
    )
    with sharing(run.output, running) as share:
        path = None if share else run.manifest
        done = make_with_manifest(
            "images", asked.rows, None, recipe, running, run.output, path, tell
        )
        bad_rows = asked.bad_rows
        if asked.listed is not None:
            bad_rows = write_bad_rows(asked.listed, run.output / STATE / BAD_ROWS)
        summary = bad_rows.added_to(summarize(*done))
        if share:
            facts = Facts(share.place(run.manifest), (), *bad_rows)
            rows = rows_of(asked.rows.lazy(), recipe.outputs).collect()
            share.record("resize", {"recipe": recipe, "selection": selection}, rows, facts, summary)
    return summary


class _Asked(NamedTuple):
    """The images to make (`engine.plan`), and what is wrong with rows of their table or list."""

    rows: pl.DataFrame
    bad_rows: BadRows = BadRows()
    listed: pl.DataFrame | None = None
    """The bad rows of a table."""


def _listed(
    run: ResizeRun, output: Output, table: AnyTable, selection: Selection, tell: Tell
) -> _Asked:
    """Ask for the originals that a table of paths names."""
    rows = read_listed_rows(table, str(run.input), selection, (output,), tell)
    assert rows.listed
    originals = rows.listed.originals.select("key", name="name")
    if (away := originals.filter(pl.col("name").str.contains("://", literal=True))).height:
        raise UsageError(
            f"{table.table}: {public(away['name'][0])} is not on this machine; `full --table`"
            " fetches originals"
        )
    asked = ask_catalogue(rows.catalogue.kept, {output: run.output})
    asked = asked.with_columns(
        original=originals["name"].map_elements(to_text, return_dtype=pl.String)
    )
    targets = asked[asked_column(output.name)]
    links = [one for one in asked["original"] if os.path.islink(from_text(one))]  # noqa: PTH114
    refuse_replacing(asked["original"].to_list(), links, targets.to_list())
    return _Asked(asked, listed=rows.catalogue.bad_rows)


def _found(run: ResizeRun, output: Output, taking: Taking, tell: Tell) -> _Asked:
    """Ask for the originals in a folder or list."""
    tell(Doing(f"looking for originals in {run.input.name}"))
    found = originals_in(run.input, tell, run.manifest)
    asked = ask_files(found.files, output, run.output)
    outputs = asked[asked_column(output.name)]
    refuse_replacing(asked["original"].to_list(), found.links, outputs.to_list())
    _tell_renamed(asked["key"].to_list(), outputs.to_list(), len(f"{run.output}/"), tell)
    if not run.input.is_dir():
        lines = {key: line for line, (key, _) in enumerate(found.files)}
        asked = asked.with_columns(line=asked["key"].replace_strict(lines))
    asked = take_rows(asked, taking, "key").drop("line", strict=False)
    return _Asked(asked, BadRows(found.problems))


def _tell_renamed(keys: list[str], outputs: list[str], prefix: int, tell: Tell) -> None:
    if several := renamed(keys, [output[prefix:] for output in outputs]):
        key, name = several[0]
        images = "1 original has" if len(several) == 1 else f"{len(several):,} originals have"
        tell(
            Notice(
                f"{images} the name of another but for the extension: {key} becomes {name}, so"
                " that both are kept"
            )
        )
