"""Settings of `train` alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, get_args, get_origin

from msgspec import Meta, defstruct, structs

from dafre_fast.core.settings.groups import ExcludeList, Group, MarkNames, OnlyList
from dafre_fast.learning.recipes import RECIPES, Recipe

Images = Literal["faces", "full", "both"]


class TrainRun(Group, frozen=True):
    """Dataset and model."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    into: Annotated[Path, Meta(description="Folder of the model.")] = Path("run")
    recipe: Annotated[
        Literal["modern", "original"],
        Meta(description="Figures of the training; those of the source, or better ones."),
    ] = "modern"
    images: Annotated[
        Images, Meta(description="What the model looks at: head crops, full images, or both.")
    ] = "faces"
    only: OnlyList = None
    exclude: ExcludeList = None
    mark: MarkNames = ()
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="Seed of all that is random.")] = 1
    resume: Annotated[bool, Meta(description="Resume an earlier run, or start over.")] = True
    export: Annotated[
        Literal["onnx"] | None, Meta(description="Write the model in another format, too.")
    ] = None


def _flag(field: structs.FieldInfo) -> tuple[str, Any, Any]:
    """Return name, type and default of the flag of a figure, which may be left out."""
    kind, *metas = get_args(field.type)
    described = Meta(description=next(one.description for one in metas if one.description))
    if get_origin(kind) is tuple:
        return field.name, Annotated[kind, described], ()
    return field.name, Annotated[Optional[field.type], described], None  # noqa: UP045  (a value)


if TYPE_CHECKING:

    class Figures(Group, frozen=True):
        """Figures that replace those of the recipe."""

else:
    Figures = defstruct(
        "Figures",
        [_flag(field) for field in structs.fields(Recipe)],
        bases=(Group,),
        namespace={"__doc__": "Figures that replace those of the recipe."},
        module=__name__,
        frozen=True,
        kw_only=True,
    )


def resolve(run: TrainRun, figures: Figures) -> tuple[Recipe, frozenset[str]]:
    """Return the recipe with the figures that were given, and their names."""
    given = {
        name: value for name, value in structs.asdict(figures).items() if value not in (None, ())
    }
    return structs.replace(RECIPES[run.recipe], **given), frozenset(given)
