"""Outputs and the hashes by which the ledger knows their settings."""

import msgspec
import pytest

from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    HeadBox,
    Output,
    Recipe,
    ShortSide,
    Whole,
)

BUST = Output("bust", "busts", HeadBox(0.5), ShortSide(128, at_most=True))


@pytest.mark.parametrize(
    ("recipe", "pixels", "bounded"),
    [
        (Recipe(), "2c002846275758f5", "37283498ee40b40d"),
        (Recipe(full=FullImage(size=128, exact=True)), "235532b26c7f38cb", "68198b5917d779e9"),
        (
            Recipe(face=FaceImage(face_margin=0.25, face_size=96)),
            "78c7783a52c0b916",
            "733c006a62210ff0",
        ),
        (
            Recipe(
                encoding=Encoding(quality=75, subsampling="4:4:4"), bounds=Bounds(max_pixels=100)
            ),
            "9748714617892bef",
            "d845a900dee4cd89",
        ),
    ],
)
def test_recipes_without_further_outputs_have_the_hashes_that_are_in_ledgers(
    recipe, pixels, bounded
) -> None:
    earlier = msgspec.structs.replace(recipe, revision=4)
    assert earlier.hashes() == (pixels, bounded)
    assert recipe.hashes().pixels != pixels


def test_every_setting_of_a_further_output_is_hashed() -> None:
    others = [
        BUST,
        Output("bust", "busts", HeadBox(0.6), BUST.size),
        Output("bust", "busts", BUST.region, ShortSide(129, at_most=True)),
        Output("bust", "busts", BUST.region, ShortSide(128)),
        Output("bust", "busts", BUST.region, BUST.size, Encoding(quality=80)),
        Output("bust", "busts", Whole(), BUST.size),
        Output("bust", "busts", Whole(), BUST.size, exact=True),
    ]
    recipes = [Recipe(), *(Recipe(others=(output,)) for output in others)]
    assert len({recipe.hashes() for recipe in recipes}) == len(recipes)


def test_outputs_are_the_full_image_the_head_crop_and_further_ones() -> None:
    settings = Recipe(
        full=FullImage(size=64, exact=True),
        face=FaceImage(face_margin=0.25, face_size=96),
        encoding=Encoding(quality=75),
        others=(BUST,),
    )
    encoding = Encoding(quality=75)
    assert settings.outputs == (
        Output("full", "fullMin256", Whole(), ShortSide(64), encoding, exact=True),
        Output("face", "faces", HeadBox(0.25), ShortSide(96, at_most=True), encoding),
        BUST,
    )


def test_a_recipe_is_read_back_from_json() -> None:
    recipe = Recipe(others=(BUST,))
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe


@pytest.mark.parametrize("name", ["", "Bust", "upper_body", "upper-body", "2", "original", "json"])
def test_a_name_that_tables_and_shards_cannot_have_is_refused(name) -> None:
    with pytest.raises(ValueError, match="an output cannot be named"):
        Output(name, "busts")


@pytest.mark.parametrize("tree", ["", ".", "..", "a/b", "/busts", ".hidden"])
def test_a_tree_that_is_no_folder_of_the_dataset_is_refused(tree) -> None:
    with pytest.raises(ValueError, match="is not the name of a folder"):
        Output("bust", tree)


@pytest.mark.parametrize(
    ("other", "kind"), [(Output("face", "heads"), "name"), (Output("bust", "faces"), "tree")]
)
def test_two_outputs_of_a_recipe_cannot_share_a_name_or_a_tree(other, kind) -> None:
    with pytest.raises(ValueError, match=f"two outputs of a recipe have the same {kind}"):
        Recipe(others=(other,))
