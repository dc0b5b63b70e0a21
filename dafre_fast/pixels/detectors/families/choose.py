"""The table of families, and how the family of a network is found."""

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.detecting import FamilyName
from dafre_fast.pixels.detectors.families import faceboxes, rtdetr, yolo3, yolo5, yolo8, yolo10
from dafre_fast.pixels.detectors.families.base import Family, Outputs

FAMILIES = {
    family.name: family
    for family in (
        faceboxes.FAMILY,
        yolo3.FAMILY,
        yolo10.FAMILY,
        rtdetr.FAMILY,
        yolo8.FAMILY,
        yolo5.FAMILY,
    )
}
"""Asked in this order: the first that fits the outputs counts."""


def family_of(outputs: Outputs, name: FamilyName | None) -> Family:
    """Return the family with this name, or the one that fits if `name` is None.

    Raises UsageError if the outputs are of no known family, or not of that one.
    """
    asked = FAMILIES.values() if name is None else [FAMILIES[name]]
    for family in asked:
        if family.fits(outputs):
            return family
    shapes = ", ".join(f"{one} {list(output.shape)}" for one, output in outputs.items())
    families = ", ".join(FAMILIES) if name is None else name
    raise UsageError(f"the outputs are {shapes}, which is none of the layouts known: {families}")
