"""`python -m dafre_fast.crop`: face crops from a tree of originals."""

from dafre_fast import cli
from dafre_fast.core.settings.groups import (
    Bounds,
    CropRun,
    Encoding,
    FaceImage,
    FacesTable,
    Recipe,
    Reporting,
    Running,
    Selection,
)


@cli.command(
    "crop", FacesTable, CropRun, Selection, FaceImage, Encoding, Bounds, Running, Reporting
)
def command(
    faces: FacesTable,
    run: CropRun,
    selection: Selection,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    running: Running,
    reporting: Reporting,
) -> int:
    """Cut the head of every kept row of faces.tsv out of its original."""
    from dafre_fast.engine import images

    recipe = Recipe(face=face, encoding=encoding, bounds=bounds)
    return cli.report(images.crop(faces.faces, run, selection, recipe, running), reporting)


if __name__ == "__main__":
    cli.run(command)
