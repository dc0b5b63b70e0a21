"""Make full images of a tree or list of originals."""

from msgspec.structs import replace

from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.settings.images import FULL_IMAGE, Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Summary
from dafre_fast.engine.images import make_with_manifest
from dafre_fast.engine.input_files import originals_in
from dafre_fast.engine.inputs import summarize
from dafre_fast.engine.plan import ask_files
from dafre_fast.resize.settings import ResizeRun


def resize(run: ResizeRun, recipe: Recipe, running: Running, tell: Tell = silent) -> Summary:
    """Make a full image of every original in a folder or list; relative paths are kept."""
    tell(Doing(f"looking for originals in {run.input.name}"))
    files, problems = originals_in(run.input)
    asked = ask_files(files, FULL_IMAGE, run.output)
    done = make_with_manifest(
        "images", asked, None, recipe, running, run.output, run.manifest, tell
    )
    return replace(summarize(*done), bad_rows=problems)
