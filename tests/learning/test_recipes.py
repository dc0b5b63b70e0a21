"""Recipes, how they suit a number of images, and flags that replace their figures."""

import re

import pytest
from msgspec import structs

from dafre_fast.core.errors import UsageError
from dafre_fast.learning.recipes import MODERN, ORIGINAL, RECIPES, fitted
from dafre_fast.learning.schedules import lr_at
from dafre_fast.train.__main__ import command
from dafre_fast.train.settings import Figures, TrainRun, resolve

NOTHING = frozenset[str]()


def test_every_figure_of_a_recipe_is_a_flag() -> None:
    fields = {field.name for field in structs.fields(Figures)}
    assert fields == {field.name for field in structs.fields(ORIGINAL)}


def test_a_flag_has_the_bounds_and_the_description_of_its_figure(capsys) -> None:
    for words, error in (
        (["--crop", "0.4"], "--crop '0.4': must be a number from 0.5 to 1"),
        (["--stem", "5x5"], "--stem '5x5': must be one of 3x3, 7x7"),
        (["--down-at", "0.5,2"], "--down-at ('0.5', '2'): must be a list, each a number from 0 to"),
    ):
        with pytest.raises(UsageError, match=re.escape(error)):
            command.main([*words, "--into", "nowhere"], standalone_mode=False)
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--clip FLOAT Largest norm of a gradient" in text
    assert "--flip / --no-flip Flip pictures at random" in text


def test_lists_and_switches_replace_figures_too() -> None:
    recipe, given = resolve(TrainRun(), Figures(down_at=(0.5,), mixed=False))
    assert given == {"down_at", "mixed"}
    assert (recipe.down_at, recipe.mixed) == ((0.5,), False)


def test_flags_replace_figures_and_leave_the_others() -> None:
    recipe, given = resolve(TrainRun(recipe="original"), Figures(lr=0.3, flip=False))
    assert given == {"lr", "flip"}
    assert recipe == structs.replace(ORIGINAL, lr=0.3, flip=False)


def test_a_large_dataset_gets_the_recipe_as_it_is() -> None:
    for recipe in RECIPES.values():
        assert fitted(recipe, 320_000, NOTHING) == recipe


def test_a_small_dataset_gets_small_batches_a_lower_rate_and_fewer_epochs() -> None:
    small = fitted(MODERN, 140, NOTHING)
    assert (small.batch_size, small.epochs) == (8, 14)
    assert 0 < small.lr < MODERN.lr


def test_what_was_given_stays_for_a_small_dataset_too() -> None:
    given = structs.replace(MODERN, batch_size=64, epochs=3)
    assert fitted(given, 140, frozenset({"batch_size", "epochs"})) == given


def test_the_learning_rate_goes_down_in_steps() -> None:
    rates = [round(lr_at(ORIGINAL, step, 100), 6) for step in (0, 39, 40, 69, 70, 90, 99)]
    assert rates == [0.1, 0.1, 0.01, 0.01, 0.001, 0.0001, 0.0001]


def test_steps_down_are_where_they_are_told_and_as_large() -> None:
    recipe = structs.replace(ORIGINAL, down_at=(0.5,), down_by=0.5)
    assert [lr_at(recipe, step, 100) for step in (49, 50, 99)] == [0.1, 0.05, 0.05]


def test_the_learning_rate_rises_then_follows_half_a_cosine() -> None:
    rates = [lr_at(MODERN, step, 1000) for step in range(1000)]
    top = rates.index(max(rates))
    assert 55 <= top <= 65
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.001 * MODERN.lr
