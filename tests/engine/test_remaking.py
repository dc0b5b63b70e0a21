"""Which images of earlier runs stand, which are asked about, and which are tried again."""

import json
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from dafre_fast.core.errors import UsageError
from dafre_fast.core.layout import STATE
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Made, MadeOutput
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    Output,
    Recipe,
)
from dafre_fast.core.settings.running import Running
from dafre_fast.dataset.ledger import NAME, Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.provenance import NAME as MAKINGS
from dafre_fast.dataset.provenance import record_making
from dafre_fast.engine.remaking import Remaking, refuse_remaking

FULL = (MadeOutput("full", 4, 4, 100, "ab"),)
BOTH = (*FULL, MadeOutput("face", 2, 2, 50, "cd"))
BUST = Output("bust", "busts")
ASKED = pl.DataFrame({"key": ["1", "2", "3"]})
LARGER = Recipe(bounds=Bounds(max_pixels=999_999_999))
OLDER = replace(Recipe(), revision=Recipe().revision - 1)


class Earlier:
    """An output with the outcomes of earlier runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        recipe: Recipe,
        *keys: str,
        reason: Reason | None = None,
        notes: tuple[Note, ...] = (),
        outputs: tuple[MadeOutput, ...] | None = None,
    ) -> None:
        """Record an outcome of each key."""
        record_making(self.folder, recipe, resume=True)
        outputs = (() if reason else FULL) if outputs is None else outputs
        hashed = recipe.hashes().of(reason, notes)
        with Ledger(self.folder / STATE) as ledger:
            for key in keys:
                made = Made(key, hashed, reason, notes=notes, outputs=outputs)
                ledger.append(made)

    def _made(self, recipe: Recipe) -> pl.LazyFrame:
        return last_outcomes(self.folder / STATE / NAME, "make", recipe.outputs)

    def refuse(self, recipe: Recipe) -> None:
        Remaking(self.folder, recipe).refuse(ASKED, self._made(recipe))

    def refuses(self, recipe: Recipe) -> str:
        """Return the message of the refusal."""
        with pytest.raises(UsageError) as raised:
            self.refuse(recipe)
        return str(raised.value)

    def stands(self, recipe: Recipe, *, retry_failed: bool = False) -> list[str]:
        """Return the keys of what stands, if nothing is refused."""
        self.refuse(recipe)
        remaking = Remaking(self.folder, recipe)
        standing = remaking.standing(self._made(recipe), retry_failed=retry_failed)
        return sorted(standing.collect()["key"])

    def notices(self, recipe: Recipe) -> list[str]:
        remaking = Remaking(self.folder, recipe)
        return [one.text for one in remaking.notices(ASKED, self._made(recipe))]


@pytest.fixture
def earlier(tmp_path) -> Earlier:
    return Earlier(tmp_path)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Recipe(full=FullImage(size=64)), "--size 64 (now --size 256)"),
        (Recipe(full=FullImage(exact=True)), "--exact (now --no-exact)"),
        (Recipe(face=FaceImage(face_margin=0.5)), "--face-margin 0.5 (now --face-margin 0.0)"),
        (Recipe(face=FaceImage(face_size=99)), "--face-size 99 (now no --face-size)"),
        (
            Recipe(encoding=Encoding(quality=50, subsampling="4:4:4")),
            "--quality 50 --subsampling 4:4:4 (now --quality 90 --subsampling 4:2:0)",
        ),
    ],
)
def test_images_made_with_another_setting_are_not_replaced_unasked(earlier, other, told) -> None:
    earlier.run(other, "1", "2", outputs=BOTH)
    assert earlier.refuses(Recipe()) == (
        f"{earlier.folder}: 2 images were made with {told}, and would be lost:"
        " --no-resume makes all anew in this place, another --output keeps both"
    )


def test_outputs_that_come_out_the_same_are_made_again_with_further_ones(earlier) -> None:
    earlier.run(Recipe(), "1", "2", outputs=BOTH)
    assert earlier.stands(Recipe(others=(BUST,))) == []
    assert earlier.notices(Recipe(others=(BUST,))) == [
        "2 images were made with other settings and are remade"
    ]


def test_full_images_alone_do_not_depend_on_settings_of_heads(earlier) -> None:
    earlier.run(Recipe(face=FaceImage(face_margin=0.5)), "1", outputs=FULL)
    assert earlier.stands(Recipe()) == []


def test_a_further_output_of_other_settings_is_not_replaced_unasked(earlier) -> None:
    earlier.run(Recipe(others=(BUST,)), "1", outputs=(MadeOutput("bust", 2, 2, 50, "cd"),))
    larger = Recipe(others=(replace(BUST, encoding=Encoding(quality=50)),))
    with pytest.raises(UsageError, match="other further outputs"):
        earlier.refuse(larger)


def test_nor_is_a_full_image_whose_head_was_refused(earlier) -> None:
    earlier.run(Recipe(full=FullImage(size=64)), "1", reason=Reason.BAD_BOX, outputs=FULL)
    assert "1 image was made with --size 64 " in earlier.refuses(Recipe())


def test_images_of_several_settings_are_counted_by_them(earlier) -> None:
    earlier.run(Recipe(full=FullImage(size=64)), "1", "2")
    earlier.run(Recipe(encoding=Encoding(quality=50)), "3")
    assert (
        "3 images were made with --size 64 (now --size 256): 2;"
        " --quality 50 (now --quality 90): 1, and" in earlier.refuses(Recipe())
    )


@pytest.mark.parametrize("record", [None, b"{"])
def test_settings_that_are_not_recorded_are_others(earlier, record) -> None:
    earlier.run(Recipe(full=FullImage(size=64)), "1")
    path = earlier.folder / STATE / MAKINGS
    path.write_bytes(record) if record else path.unlink()
    assert "1 image was made with settings that are not recorded, and" in earlier.refuses(Recipe())


def test_only_images_that_are_asked_for_count(earlier) -> None:
    earlier.run(Recipe(full=FullImage(size=64)), "7", "8")
    assert earlier.stands(Recipe()) == []


def test_what_was_only_refused_with_other_settings_is_tried_again(earlier) -> None:
    earlier.run(Recipe(full=FullImage(size=64)), "1", reason=Reason.CORRUPT)
    earlier.run(Recipe(), "2", reason=Reason.CORRUPT)
    assert earlier.stands(Recipe()) == ["2"]
    assert earlier.notices(Recipe()) == [
        "1 image was refused with other settings and is tried again"
    ]


def test_other_bounds_concern_what_was_refused_for_them_alone(earlier) -> None:
    earlier.run(Recipe(), "1", reason=Reason.TOO_MANY_PIXELS)
    earlier.run(Recipe(), "2", reason=Reason.NOT_AN_IMAGE)
    earlier.run(Recipe(), "3")
    assert earlier.stands(LARGER) == ["2", "3"]


def test_a_head_refused_for_a_bound_is_tried_again_with_its_full_image(earlier) -> None:
    earlier.run(Recipe(), "1", reason=Reason.OUTPUT_TOO_LARGE, outputs=FULL)
    assert earlier.stands(LARGER) == []


def test_an_image_kept_though_truncated_stands_under_other_bounds(earlier) -> None:
    keep = Recipe(bounds=Bounds(truncated="keep"))
    earlier.run(keep, "1", notes=(Note.TRUNCATED,))
    assert earlier.stands(replace(keep, bounds=Bounds(truncated="keep", max_pixels=9))) == ["1"]


def test_it_is_not_replaced_unasked_by_a_refusal(earlier) -> None:
    earlier.run(Recipe(bounds=Bounds(truncated="keep")), "1", notes=(Note.TRUNCATED,))
    assert "1 image was made with --truncated keep (now --truncated refuse), and" in (
        earlier.refuses(Recipe())
    )


@pytest.mark.parametrize("recorded", [True, False])
def test_images_of_an_earlier_revision_stay_and_its_refusals_are_tried_again(
    earlier, recorded
) -> None:
    earlier.run(OLDER, "1", "2")
    earlier.run(OLDER, "3", reason=Reason.UNSUPPORTED_FORMAT)
    if not recorded:
        (earlier.folder / STATE / MAKINGS).unlink()
    assert earlier.stands(Recipe()) == ["1", "2"]
    assert earlier.notices(Recipe()) == [
        (
            "2 images were made by another revision of this program and stay; --no-resume makes"
            " all anew"
        ),
        "1 image was refused with other settings and is tried again",
    ]


def test_a_head_refused_by_an_earlier_revision_stays_with_its_full_image(earlier) -> None:
    earlier.run(OLDER, "1", reason=Reason.BAD_BOX, outputs=FULL)
    assert earlier.stands(Recipe()) == ["1"]
    assert earlier.stands(Recipe(), retry_failed=True) == []


def test_other_settings_of_an_earlier_revision_are_other_settings(earlier) -> None:
    earlier.run(replace(OLDER, full=FullImage(size=64)), "1")
    assert "--size 64 (now --size 256)" in earlier.refuses(Recipe())


def test_it_is_known_before_a_run_begins(earlier) -> None:
    earlier.run(Recipe(full=FullImage(size=64)), "1")
    with pytest.raises(UsageError, match="--size 64"):
        refuse_remaking(earlier.folder, ASKED, Recipe(), Running())
    refuse_remaking(earlier.folder, ASKED, Recipe(), Running(resume=False))
    refuse_remaking(earlier.folder, ASKED, Recipe(full=FullImage(size=64)), Running())


def test_where_all_runs_had_the_same_settings_the_ledger_is_not_read(earlier) -> None:
    earlier.run(Recipe(), "1")
    (earlier.folder / STATE / NAME).write_text(json.dumps({"stage": "make", "key": "1"}))
    refuse_remaking(earlier.folder, ASKED, Recipe(), Running())
