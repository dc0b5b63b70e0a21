"""Metadata of the sample: posts like Danbooru's for its images, and for some that it has not."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from dafre_fast.sample.cast import SEED, Portrait, heads, tag_names
from dafre_fast.sample.drawing import describe
from dafre_fast.sample.posts import Posts, Shape, choose_ids, draw_posts, shaped, write
from dafre_fast.sample.vocabulary import Category, vocabulary

_SERIES = ("sample", "momo's_planetarium", "original", "iro:_the_colours", "original", "sample")
"""Series of each character that is drawn; all other characters are of the first one."""
_ARTIST = "dafre_(artist)"
_UNRELATED = 300
_LAST_OF_OLD = 2_000_000
_FIRST_NEW_TAG = 2_000_000
_FLAGGED = 0.03
# Without md5, size and address, so that the planted faults are found by reading the files.
_LEFT_OUT = ("md5", "file_size", "file_url", "media_asset")


def write_metadata(drawn: list[Portrait], folder: Path) -> tuple[Path, Path]:
    """Write `danbooru2018.jsonl` (old shape, lower ids) and `api.jsonl` (new shape, higher ids).

    Returns both paths. Files that exist are left as they are: outputs made from them depend on
    their modification time.

    Every row of faces.tsv has a post. The post of an original has the size, extension and tags of
    the drawn picture, no flags, and a safe rating. Some of the other posts are flagged or not safe.
    """
    old, new = folder / "danbooru2018.jsonl", folder / "api.jsonl"
    if old.exists() and new.exists():
        return old, new
    rng = np.random.default_rng(SEED + 2)
    tag_ids = {head.id: head.tag_id for head in heads(drawn)}
    ids = choose_ids(rng, len(tag_ids) + _UNRELATED, [*tag_ids])
    posts = draw_posts(rng, ids)
    owners = {int(id): owner for owner, id in enumerate(ids)}
    rows, tags = _rows(rng, posts.rows, drawn), _tags(posts.tags, owners, tag_ids, drawn)
    split = int(np.searchsorted(ids, _LAST_OF_OLD, side="right"))
    of_old = pl.col("owner") < split
    parts = (
        (old, Shape.OLD, Posts(rows[:split], tags.filter(of_old))),
        (
            new,
            Shape.NEW,
            Posts(rows[split:], tags.filter(~of_old).with_columns(pl.col("owner") - split)),
        ),
    )
    for path, shape, part in parts:
        write(path, [shaped(part, shape).drop(_LEFT_OUT, strict=False)])
    return old, new


def _rows(rng: np.random.Generator, rows: pl.DataFrame, drawn: list[Portrait]) -> pl.DataFrame:
    """Set flags at random; give originals their own size and extension, no flag, a safe rating."""
    flags = [f"is_{flag}" for flag in ("pending", "flagged", "deleted", "banned")]
    rows = rows.with_columns(pl.Series(flag, rng.random(rows.height) < _FLAGGED) for flag in flags)
    known = pl.DataFrame(
        {
            "id": [one.id for one in drawn],
            "image_width": [one.width for one in drawn],
            "image_height": [one.height for one in drawn],
            "file_ext": [one.kind.extension for one in drawn],
        }
    ).with_columns(pl.lit(value=False).alias(flag) for flag in flags)
    safe = pl.col("rating").replace(["q", "e"], "g")
    kept = pl.col("id").is_in(known["id"].to_list())
    return rows.update(known, on="id").with_columns(
        rating=pl.when(kept).then(safe).otherwise("rating")
    )


def _tags(
    tags: pl.DataFrame,
    owners: Mapping[int, int],
    tag_ids: Mapping[int, int],
    drawn: list[Portrait],
) -> pl.DataFrame:
    """Replace tags: originals get those of their picture, rows of faces.tsv their character."""
    originals = [owners[one.id] for one in drawn]
    rows = [owners[id] for id in tag_ids]
    who = pl.col("category").is_in([Category.SERIES.value, Category.CHARACTER.value])
    left = tags.filter(~pl.col("owner").is_in(originals), ~(pl.col("owner").is_in(rows) & who))
    own_tags = [
        *((owners[id], *tag) for id, tag_id in tag_ids.items() for tag in _of_character(tag_id)),
        *((owners[one.id], *tag) for one in drawn for tag in _of_picture(one)),
    ]
    names = pl.DataFrame(own_tags, schema=["owner", "name", "category"], orient="row")
    ids = {name: id for id, name in tag_names().items()} | _ids_of_others(names["name"])
    own = names.select("owner", pl.col("name").replace_strict(ids).alias("id"), "name", "category")
    return pl.concat([left, own]).sort("owner", "name")


def _of_character(tag_id: int) -> Iterator[tuple[str, int]]:
    character = tag_id // 10
    series = _SERIES[character] if character < len(_SERIES) else _SERIES[0]
    yield tag_names()[tag_id], Category.CHARACTER.value
    yield series, Category.SERIES.value


def _of_picture(portrait: Portrait) -> Iterator[tuple[str, int]]:
    for tag in describe(portrait):
        yield tag, Category.GENERAL.value
    yield _ARTIST, Category.ARTIST.value
    if portrait.width >= 1600 or portrait.height >= 1200:
        yield "highres", Category.META.value
    if portrait.width >= 3200 or portrait.height >= 2400:
        yield "absurdres", Category.META.value


def _ids_of_others(names: pl.Series) -> dict[str, int]:
    """Return tag ids for names other than the sample's characters, by name."""
    words = dict(vocabulary().tags.select("name", "id").iter_rows())
    others = sorted({*names} - {*tag_names().values()})
    return {name: words.get(name, _FIRST_NEW_TAG + place) for place, name in enumerate(others)}
