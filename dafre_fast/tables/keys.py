"""Give each image of a table an id by its key, which may be any text.

A key that is written as an id is one; any other gets an id of 18 digits from its SHA-256. So a path
is made of digits alone, whatever the key, and neither other rows nor their order change it. Of ten
million keys two get the same id with a probability of 0.00006.
"""

import hashlib

import polars as pl

_FIRST = 10**17
_IDS = 9 * _FIRST
"""Numbers of 18 digits."""


def id_of(key: str) -> int:
    """Return the id of a key that is not one itself."""
    digest = hashlib.sha256(key.encode()).digest()
    return _FIRST + int.from_bytes(digest[:16]) % _IDS


def ids_of(keys: pl.Series) -> pl.Series:
    """Return the id (int64) of each key, null for a null."""
    ids = keys.str.extract("^(0|[1-9][0-9]{0,17})$").cast(pl.Int64)
    others = (ids.is_null() & keys.is_not_null()).arg_true()
    return ids.scatter(others, [id_of(key) for key in keys.gather(others)]).alias("id")
