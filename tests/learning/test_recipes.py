"""Recipes, how they suit a number of images, and flags that replace their figures."""

from msgspec import structs

from dafre_fast.learning.recipes import MODERN, ORIGINAL, RECIPES, fitted
from dafre_fast.learning.schedules import lr_at
from dafre_fast.train.settings import Figures, TrainRun, resolve

NOTHING = frozenset[str]()


def test_every_figure_of_a_recipe_is_a_flag() -> None:
    fields = {field.name for field in structs.fields(Figures)}
    assert fields == {field.name for field in structs.fields(ORIGINAL)}


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


def test_the_learning_rate_rises_then_follows_half_a_cosine() -> None:
    rates = [lr_at(MODERN, step, 1000) for step in range(1000)]
    top = rates.index(max(rates))
    assert 55 <= top <= 65
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.001 * MODERN.lr
