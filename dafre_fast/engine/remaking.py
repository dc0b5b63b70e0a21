"""Decide which finished images stand under the settings of a run, and refuse to replace others.

An image stands if it was made with the settings of this run, by whichever revision of the program.
One that was made with other settings would be lost by making it anew, which is therefore done on
demand alone. What was refused is tried again under other settings, other bounds and a new revision.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Notice
from dafre_fast.core.parts import Part
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.images import Output, Recipe
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.dataset.ledger import whole_lines
from dafre_fast.dataset.outcomes import last_outcomes, settled
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.parts import ledgers
from dafre_fast.dataset.provenance import makings_in


def refuse_remaking(output: Path, asked: pl.DataFrame, recipe: Recipe, running: Running) -> None:
    """Raise UsageError if this run would replace images that were made with other settings, before
    anything is written.
    """
    remaking = Remaking(output, recipe, part_of(running))
    if running.resume and remaking.may_concern_images:
        lines = b"".join(map(whole_lines, ledgers(output, part_of(running))))
        made = last_outcomes(lines, "make", recipe.outputs)
        remaking.refuse(asked, made.collect().lazy())


class Remaking:
    """The settings of a run, beside those of earlier runs on the same output."""

    def __init__(self, output: Path, recipe: Recipe, part: Part | None = None) -> None:
        self._output, self._recipe = output, recipe
        self._recorded: dict[str, Recipe] = {}
        for state in ledgers(output, part):
            with suppress(InputError):  # the record is damaged: other settings cannot be named
                self._recorded |= {
                    text: one.settings
                    for one in makings_in(state)
                    for text in (one.pixels, one.bounded)
                }
        self._own = {*recipe.hashes()}
        alike = [one for one in self._recorded.values() if _pixels(one) == _pixels(recipe)]
        alike += [replace(recipe, revision=number) for number in range(1, recipe.revision)]
        self._same_pixels = {recipe.hashes().pixels, *(one.hashes().pixels for one in alike)}
        self._other_bounds = {one.hashes().bounded for one in alike}
        truncated = recipe.bounds.truncated
        self._kept = {one.hashes().bounded for one in alike if one.bounds.truncated == truncated}

    @property
    def may_concern_images(self) -> bool:
        """False if all earlier runs had the settings of this one."""
        return not self._recorded or not self._recorded.keys() <= self._own

    def standing(self, made: pl.LazyFrame, *, retry_failed: bool) -> pl.LazyFrame:
        """Return those of the last outcomes `made` that need not be repeated."""
        finished = settled(made, recipes=None, retry_failed=retry_failed)
        return finished.filter(self._stands())

    def _stands(self) -> pl.Expr:
        recipe, success = pl.col("recipe"), pl.col("reason").is_null()
        made_alike = recipe.is_in([*self._same_pixels]) & self._was_made()
        kept_truncated = recipe.is_in([*self._kept]) & success
        return recipe.is_in([*self._own]) | made_alike | kept_truncated

    def _was_made(self) -> pl.Expr:
        """Return the test for any output; a row whose head is refused may have a full image."""
        return _have(self._recipe.outputs)

    def _comes_out_the_same(self) -> pl.Expr:
        """Return the test for rows whose outputs are all made in the same way by this run, which
        makes further ones.
        """
        found = pl.lit(value=False)
        alike = {
            text: other
            for text, other in self._recorded.items()
            if other.revision == self._recipe.revision
        }
        for text, other in alike.items():
            changed = [output for output in self._recipe.outputs if output not in other.outputs]
            if len(changed) < len(self._recipe.outputs):
                found |= (pl.col("recipe") == text) & ~_have(changed)
        return found

    def refuse(self, asked: pl.DataFrame, made: pl.LazyFrame) -> None:
        """Raise UsageError if any of the images asked for was made with other settings."""
        refused = pl.col("reason").is_not_null() & pl.col("recipe").is_in([*self._other_bounds])
        same = pl.col("recipe").is_in([*self._same_pixels]) | self._stands() | refused
        same |= self._comes_out_the_same() & ~pl.col("recipe").is_in([*self._other_bounds])
        lost = made.filter(self._was_made() & ~same).join(asked.lazy(), on="key", how="semi")
        found = lost.group_by("recipe").len("images").sort("images", "recipe", descending=True)
        if rows := found.collect().rows():
            images = sum(count for _, count in rows)
            raise UsageError(
                f"{self._output}: {_images_were(images)} made with"
                f" {'; '.join(self._told(text, count, len(rows)) for text, count in rows)}, and"
                " would be lost: --no-resume makes all anew in this place, another --output keeps"
                " both"
            )

    def _told(self, text: str, images: int, of: int) -> str:
        other = self._recorded.get(text)
        settings = "settings that are not recorded"
        if other:
            pairs = [*_differences(other, self._recipe)]
            settings = (
                f"{_joined(old for old, _ in pairs)} (now {_joined(new for _, new in pairs)})"
            )
        return settings if of == 1 else f"{settings}: {images:,}"

    def notices(self, asked: pl.DataFrame, made: pl.LazyFrame) -> Iterator[Notice]:
        """Say how many images of another revision stay, how many get further outputs, and how many
        refusals of other settings are tried again.
        """
        rows = made.join(asked.lazy(), on="key", how="semi")
        finished = settled(rows, recipes=None, retry_failed=False)
        others = finished.filter(~pl.col("recipe").is_in([*self._own]))
        stay = pl.col("recipe").is_in([*self._same_pixels]) & self._stands()
        left = ~self._stands()
        refused = pl.col("reason").is_not_null()
        counts = stay.sum(), (left & ~refused).sum(), (left & refused).sum()
        named = dict(zip(("stays", "more", "again"), counts, strict=True))
        stays, more, again = others.select(**named).collect().row(0)
        if stays:
            yield Notice(
                f"{_images_were(stays)} made by another revision of this program and stay;"
                " --no-resume makes all anew"
            )
        if more:
            are = "is" if more == 1 else "are"
            yield Notice(f"{_images_were(more)} made with other settings and {are} remade")
        if again:
            are = "is" if again == 1 else "are"
            yield Notice(f"{_images_were(again)} refused with other settings and {are} tried again")


def _have(outputs: Sequence[Output]) -> pl.Expr:
    columns = (pl.col(f"{prefix_of(output.name)}bytes") for output in outputs)
    return pl.any_horizontal(pl.lit(value=False), *(column.is_not_null() for column in columns))


def _pixels(recipe: Recipe) -> tuple[Group | tuple[Output, ...], ...]:
    return recipe.full, recipe.face, recipe.encoding, recipe.others


def _differences(one: Recipe, other: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the settings in which two recipes differ, as flags of the one and of the other."""
    groups = zip(*((each.full, each.face, each.encoding) for each in (one, other)), strict=True)
    for this, that in groups:
        for name in this.__struct_fields__:
            if getattr(this, name) != getattr(that, name):
                yield _flag(name, getattr(this, name)), _flag(name, getattr(that, name))
    if one.others != other.others:
        yield "other further outputs", "others"
    if one.bounds.truncated != other.bounds.truncated:
        yield f"--truncated {one.bounds.truncated}", f"--truncated {other.bounds.truncated}"


def _flag(name: str, value: object) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"no --{flag}" if value is None else f"--{flag} {value}"


def _joined(flags: Iterator[str]) -> str:
    return " ".join(flags)


def _images_were(images: int) -> str:
    return "1 image was" if images == 1 else f"{images:,} images were"
