"""Make full images of a tree or list of originals."""

from msgspec.structs import replace

from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.settings.images import FULL_IMAGE, Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Taking
from dafre_fast.core.summaries import Summary
from dafre_fast.dataset.manifest import rows_of
from dafre_fast.dataset.outputs import asked_column
from dafre_fast.engine.apart import refuse_manifest, refuse_replacing, refuse_same, refuse_taken
from dafre_fast.engine.images import make_with_manifest
from dafre_fast.engine.input_files import originals_in
from dafre_fast.engine.inputs import summarize
from dafre_fast.engine.parts import Facts, sharing
from dafre_fast.engine.plan import ask_files, renamed
from dafre_fast.resize.settings import ResizeRun
from dafre_fast.tables.taking import take_rows

ALL = Taking()


def resize(
    run: ResizeRun,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
    taking: Taking = ALL,
) -> Summary:
    """Make a full image of every original in a folder or list, or of those that are to be taken, in
    the order of the alphabet or of the list; relative paths are kept.

    Raises UsageError if an output would take the place of an original.
    """
    refuse_same(run.input, "--input", run.output)
    if run.input.is_dir():
        refuse_taken(run.input, run.output)
    refuse_manifest(run.manifest, [run.input])
    tell(Doing(f"looking for originals in {run.input.name}"))
    found = originals_in(run.input, tell, run.manifest)
    asked = ask_files(found.files, FULL_IMAGE, run.output)
    outputs = asked[asked_column(FULL_IMAGE.name)]
    refuse_replacing(asked["original"].to_list(), found.links, outputs.to_list())
    _tell_renamed(asked["key"].to_list(), outputs.to_list(), len(f"{run.output}/"), tell)
    if not run.input.is_dir():
        lines = {key: line for line, (key, _) in enumerate(found.files)}
        asked = asked.with_columns(line=asked["key"].replace_strict(lines))
    asked = take_rows(asked, taking, "key").drop("line", strict=False)
    with sharing(run.output, running) as share:
        path = None if share else run.manifest
        done = make_with_manifest("images", asked, None, recipe, running, run.output, path, tell)
        summary = replace(summarize(*done), bad_rows=found.problems)
        if share:
            facts = Facts(share.place(run.manifest), bad_rows=found.problems)
            rows = rows_of(asked.lazy(), recipe.outputs).collect()
            share.record("resize", {"recipe": recipe, "taking": taking}, rows, facts, summary)
    return summary


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
