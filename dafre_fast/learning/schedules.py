"""The learning rate, step by step."""

from math import cos, pi

from dafre_fast.learning.recipes import Recipe


def lr_at(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step (from 0) of a training of `steps` steps."""
    rising = recipe.warmup * steps
    if step < rising:
        return recipe.lr * (step + 1) / (int(rising) + 1)
    done = (step - rising) / max(steps - rising, 1)
    if recipe.schedule == "cosine":
        return recipe.lr * (1 + cos(pi * done)) / 2
    return recipe.lr * recipe.down_by ** sum(done >= share for share in recipe.down_at)
