"""Draw metadata like Danbooru's: any number of posts as lines of JSON, in one of two shapes.

The fields, their order and their types are those of the archives of 2018 to 2020, and of the API's
answers to `/posts.json` without the addresses of thumbnails.
"""

import gzip
import lzma
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from dafre_fast.core.atomic import replacing
from dafre_fast.sample.vocabulary import Category, Vocabulary, listed, vocabulary

SEED = 2018
LARGEST_ID = 5_000_000
_BATCH = 20_000
_FIRST, _LAST = (datetime(year, 5, 24, tzinfo=UTC).timestamp() for year in (2005, 2024))
_LONG_AGO = "1970-01-01 00:00:00 UTC"


class Shape(StrEnum):
    """Forms of a post."""

    OLD = "old"
    """The archives of 2018 to 2020: numbers as strings, `tags` as a list of objects."""
    NEW = "new"
    """The API: numbers as numbers, and a string of names for each category."""


class Posts(NamedTuple):
    """Posts as two tables."""

    rows: pl.DataFrame
    """One row per post: id, created_at, rating (g, s, q, e), image_width, image_height, file_ext,
    md5, file_size, four flags and more.
    """
    tags: pl.DataFrame
    """One row per tag of a post: owner (number of the post's row), id, name, category; sorted by
    owner and name.
    """


def write_posts(
    path: Path,
    records: int,
    *,
    seed: int = SEED,
    shape: Shape = Shape.OLD,
    ids: Sequence[int] | NDArray[np.int64] = (),
) -> None:
    """Write posts in ascending order of their ids, `ids` among them.

    A post has about 2 kB; `.gz`, `.zst` and `.xz` are compressed. Memory grows by 8 bytes per post.
    Raises ValueError for more ids than records, OutputError if the file cannot be written.
    """
    rng = np.random.default_rng(seed)
    everyone = choose_ids(rng, records, ids)
    batches = (everyone[start : start + _BATCH] for start in range(0, records, _BATCH))
    write(path, (shaped(draw_posts(rng, batch), shape) for batch in batches))


def write(path: Path, frames: Iterable[pl.DataFrame]) -> None:
    """Write rows as lines of JSON, compressed by the extension of `path`. Raises OutputError."""
    zstandard = path.suffix == ".zst"
    with replacing(path) as part, _opened(part, path.suffix) as file:
        for frame in frames:
            # Several frames of Zstandard one after the other are a valid file.
            frame.write_ndjson(file, compression="zstd" if zstandard else "uncompressed")


@contextmanager
def _opened(path: Path, suffix: str) -> Iterator[IO[bytes]]:
    with path.open("wb") as raw:
        match suffix:
            case ".gz":
                with gzip.GzipFile("", "wb", 1, raw, mtime=0) as file:
                    yield cast("IO[bytes]", file)
            case ".xz":
                with lzma.open(raw, "wb", preset=0) as file:
                    yield cast("IO[bytes]", file)
            case _:
                yield raw


def choose_ids(rng: np.random.Generator, count: int, given: ArrayLike = ()) -> NDArray[np.int64]:
    """Return `count` distinct ids in ascending order, those given among them. Raises ValueError."""
    given = np.unique(np.asarray(given, np.int64))
    if len(given) > count:
        raise ValueError(f"{len(given)} ids do not fit in {count} posts")
    largest = max(LARGEST_ID, 2 * count)
    others = np.setdiff1d(np.arange(1, largest + 1), given, assume_unique=True)
    return np.sort(np.concatenate([given, rng.choice(others, count - len(given), replace=False)]))


def draw_posts(rng: np.random.Generator, ids: NDArray[np.int64]) -> Posts:
    """Return a post for each id."""
    return Posts(_rows(rng, ids), _tags(rng, len(ids), vocabulary()))


def _rows(rng: np.random.Generator, ids: NDArray[np.int64]) -> pl.DataFrame:
    count = len(ids)
    seconds = _FIRST + (_LAST - _FIRST) * np.minimum(ids / LARGEST_ID, 1)
    jitter = rng.uniform(0, 3600, count)
    width, height = np.clip(rng.lognormal(7.0, 0.4, (2, count)), 200, 10_000).astype(int)
    digits = rng.bytes(16 * count).hex()
    up, down = rng.poisson(rng.gamma(0.8, 6.0, count)), -rng.poisson(0.1, count)
    fans = rng.poisson(rng.gamma(0.7, 9.0, count))
    return pl.DataFrame(
        {
            "id": ids,
            "created_at": _time(seconds + jitter),
            "updated_at": _time(seconds + jitter + rng.exponential(3e7, count)),
            "uploader_id": rng.integers(1, 700_000, count),
            "approver_id": rng.integers(1, 500_000, count) * (rng.random(count) < 0.3),
            "parent_id": (ids - rng.integers(1, 50, count)).clip(1) * (rng.random(count) < 0.08),
            "pixiv_id": rng.integers(1_000_000, 99_000_000, count) * (rng.random(count) < 0.6),
            "has_children": rng.random(count) < 0.07,
            "up_score": up,
            "down_score": down,
            "md5": [digits[start : start + 32] for start in range(0, 32 * count, 32)],
            "rating": rng.choice([*"gsqe"], count, p=[0.40, 0.52, 0.05, 0.03]),
            "image_width": width,
            "image_height": height,
            "file_ext": rng.choice(["jpg", "png", "gif"], count, p=[0.72, 0.276, 0.004]),
            "file_size": (width * height * rng.lognormal(-1.0, 0.5, count)).astype(int),
            "is_pending": rng.random(count) < 0.002,
            "is_flagged": rng.random(count) < 0.002,
            "is_deleted": rng.random(count) < 0.04,
            "is_banned": rng.random(count) < 0.004,
            "favs": _lists(count, fans, rng.integers(1, 700_000, fans.sum())),
            "pools": _lists(
                count, pools := rng.binomial(1, 0.03, count), 1 + np.arange(pools.sum())
            ),
        }
    )


def _time(seconds: NDArray[np.float64]) -> pl.Series:
    return pl.Series((seconds * 1e6).astype(np.int64)).cast(pl.Datetime("us"))


def _lists(count: int, lengths: NDArray[np.int64], values: NDArray[np.int64]) -> pl.Series:
    owners = np.repeat(np.arange(count), lengths)
    texts = pl.DataFrame({"owner": owners, "value": values}).with_columns(
        pl.col("value").cast(pl.String)
    )
    return _per_post(count, texts, pl.col("value")).fill_null([])


def _per_post(count: int, owned: pl.DataFrame, gathered: pl.Expr) -> pl.Series:
    """Aggregate the rows owned by each of `count` posts; null for a post without rows."""
    groups = owned.group_by("owner", maintain_order=True).agg(gathered.alias("gathered"))
    posts = pl.DataFrame({"owner": np.arange(count)})
    return posts.join(groups, on="owner", how="left", maintain_order="left")["gathered"]


def _tags(rng: np.random.Generator, count: int, words: Vocabulary) -> pl.DataFrame:
    """Draw tags for `count` posts: about 24 general ones each, and the series of each character."""
    numbers = {
        Category.GENERAL: rng.poisson(rng.gamma(5.0, 5.4, count)),
        Category.ARTIST: rng.binomial(1, 0.97, count),
        Category.CHARACTER: rng.choice(4, count, p=[0.15, 0.65, 0.15, 0.05]),
        Category.META: rng.poisson(1.1, count),
    }
    numbers[Category.SERIES] = np.where(numbers[Category.CHARACTER] == 0, 1, 0)
    owners = {category: np.repeat(np.arange(count), many) for category, many in numbers.items()}
    places = {category: words.pick(rng, category, len(own)) for category, own in owners.items()}
    series = words.series_of[places[Category.CHARACTER]]
    owner = np.concatenate([*owners.values(), owners[Category.CHARACTER]])
    place = np.concatenate([*places.values(), series])
    once = np.unique(owner * words.tags.height + place)
    owner, place = np.divmod(once, words.tags.height)
    return words.tags[place].insert_column(0, pl.Series("owner", owner))


def shaped(posts: Posts, shape: Shape) -> pl.DataFrame:
    """Return the fields of each post in the order and types of a shape."""
    return _old(posts) if shape is Shape.OLD else _new(posts)


def _old(posts: Posts) -> pl.DataFrame:
    rows, tags = posts
    when = "%Y-%m-%d %H:%M:%S%.6f UTC"
    fields = pl.struct("id", "name", "category")
    texts = tags.with_columns(pl.col("id", "category").cast(pl.String))
    lists = _per_post(rows.height, texts, fields).fill_null([]).alias("tags")
    return rows.with_columns(
        pl.col("created_at", "updated_at").dt.strftime(when),
        pl.col(pl.Int64).cast(pl.String),
        _SOURCE,
        score=(pl.col("up_score") + pl.col("down_score")).cast(pl.String),
        rating=pl.col("rating").replace("g", "s"),
        last_commented_at=pl.lit(_LONG_AGO),
        last_noted_at=pl.lit(_LONG_AGO),
        tags=lists,
        **_LOCKS,
    ).select(_OLD_FIELDS)


_SOURCE = (
    pl.when(pl.col("pixiv_id") > 0)
    .then(pl.format("https://i.pximg.net/img-original/img/{}_p0.jpg", "pixiv_id"))
    .otherwise(pl.lit(""))
    .alias("source")
)
_LOCKS = {f"is_{what}_locked": pl.lit(value=False) for what in ("note", "rating", "status")}
_OLD_FIELDS = listed("""
    id created_at uploader_id score source md5 last_commented_at rating image_width
    image_height is_note_locked file_ext last_noted_at is_rating_locked parent_id
    has_children approver_id file_size is_status_locked up_score down_score is_pending
    is_flagged is_deleted updated_at is_banned pixiv_id tags pools favs
""")


def _new(posts: Posts) -> pl.DataFrame:
    rows, tags = posts
    when = "%Y-%m-%dT%H:%M:%S%.3f-04:00"
    names = pl.col("name").str.join(" ")
    strings = [_per_post(rows.height, tags, names).fill_null("").alias("tag_string")]
    counts = [_per_post(rows.height, tags, pl.len()).fill_null(0).alias("tag_count")]
    for category, word in _CATEGORIES.items():
        own = tags.filter(category=category.value)
        strings.append(_per_post(rows.height, own, names).fill_null("").alias(f"tag_string_{word}"))
        counts.append(_per_post(rows.height, own, pl.len()).fill_null(0).alias(f"tag_count_{word}"))
    known = pl.col("approver_id", "parent_id", "pixiv_id")
    return rows.with_columns(
        pl.col("created_at", "updated_at").dt.strftime(when),
        pl.when(known != 0).then(known),
        _SOURCE,
        *strings,
        *counts,
        _FILE_URL,
        score=pl.col("up_score") + pl.col("down_score"),
        fav_count=pl.col("favs").list.len(),
        last_comment_bumped_at=None,
        last_noted_at=None,
        last_commented_at=None,
        bit_flags=0,
        media_asset=_MEDIA_ASSET,
    ).select(_NEW_FIELDS)


_CATEGORIES = {
    Category.GENERAL: "general",
    Category.CHARACTER: "character",
    Category.SERIES: "copyright",
    Category.ARTIST: "artist",
    Category.META: "meta",
}
_FILE_URL = pl.format("https://cdn.donmai.us/original/{}.{}", "md5", "file_ext").alias("file_url")
_MEDIA_ASSET = pl.struct(
    "id",
    "md5",
    "file_ext",
    "file_size",
    "image_width",
    "image_height",
    duration=None,
    status=pl.lit("active"),
    is_public=pl.lit(value=True),
)
_NEW_FIELDS = listed("""
    id created_at uploader_id score source md5 last_comment_bumped_at rating
    image_width image_height tag_string fav_count file_ext last_noted_at parent_id
    has_children approver_id tag_count_general tag_count_artist tag_count_character
    tag_count_copyright file_size up_score down_score is_pending is_flagged is_deleted
    tag_count updated_at is_banned pixiv_id last_commented_at bit_flags tag_count_meta
    media_asset tag_string_general tag_string_character tag_string_copyright
    tag_string_artist tag_string_meta file_url
""")
