"""Golden outputs: pixels change only together with `Recipe.revision`.

A dataset holds the revision that made it, and a later run says how many images an older one made.
A change of pixels without a new revision would leave old and new images side by side unnoticed.
"""

import json

import numpy as np
import pytest

from dafre_fast.core.settings.images import Recipe
from tests.pixels.golden_outputs import (
    HASHES,
    environment,
    hashes_of,
    originals,
    recorded_sheet,
    sheet,
    shown,
)

RECORD = json.loads(HASHES.read_text())
ORIGINALS = originals()
RAISE = (
    "raise Recipe.revision, then run `python -m tests.pixels.golden_outputs` (see its docstring)"
)
LARGEST, MEAN = 2, 0.02
"""Levels by which outputs of other library versions may differ: rounding, and nothing visible."""

each_original = pytest.mark.parametrize("name", ORIGINALS)


def test_the_record_is_of_the_current_revision():
    assert RECORD["revision"] == Recipe().revision, "record the new outputs"


@each_original
def test_pixels_are_those_recorded_up_to_rounding(name):
    """Holds on every machine, whatever the versions of its libraries."""
    found, recorded = sheet(shown(ORIGINALS[name])), recorded_sheet(name)
    assert found.shape == recorded.shape, RAISE
    difference = np.abs(found.astype(int) - recorded)
    assert difference.max() <= LARGEST, RAISE
    assert difference.mean() <= MEAN, RAISE


@each_original
def test_pixels_and_files_are_those_recorded_to_the_last_bit(name):
    """Skipped where no hashes are recorded for the versions of the libraries."""
    if environment() not in RECORD["hashes"]:
        pytest.skip(f"no hashes are recorded for {environment()}")
    assert hashes_of(ORIGINALS[name]) == RECORD["hashes"][environment()][name], RAISE
