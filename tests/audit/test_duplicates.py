import polars as pl
import pytest

from dafre_fast.audit.duplicates import count, exclusions, find_duplicates

HASH_BYTES = 32


def near(bits: int = 0) -> bytes:
    """A hash so many bits from the first."""
    return ((1 << bits) - 1).to_bytes(HASH_BYTES, "little")


FAR, FARTHER = bytes([0xF0]) * HASH_BYTES, bytes([0xFF]) * HASH_BYTES
"""Hashes at least 48 bits from these and from each other."""


def image(id: int, split: str, hash: bytes | None, **facts: object) -> dict[str, object]:
    known = {
        "id": id,
        "path": f"{id:04}/{id}.jpg",
        "split": split,
        "class_id": 0,
        "sha256": f"output {id}",
        "original_sha256": f"original {id}",
        "original_width": 300,
        "original_height": 400,
        "hash": hash,
    }
    return known | facts


def found(*images: dict[str, object], distance: int = 48, keep: str = "test"):
    types = {"hash": pl.Binary, "original_sha256": pl.String}
    table = pl.DataFrame(images, schema_overrides=types, infer_schema_length=None)
    return find_duplicates(table, distance=distance, keep=keep, threads=1)


def kept(*images: dict[str, object], **settings) -> dict[int, int]:
    rows = found(*images, **settings).rows
    return dict(zip(rows["id"], rows["kept_id"], strict=True))


def test_images_without_a_duplicate_are_not_in_the_table() -> None:
    duplicates = found(image(1, "train", near()), image(2, "test", FARTHER))
    assert duplicates.rows.is_empty()
    assert duplicates.rows.columns[:5] == ["group", "id", "path", "split", "class_id"]
    assert exclusions(duplicates.rows).is_empty()
    numbers = count(duplicates, 48)
    assert (numbers.groups, numbers.images, numbers.largest_distance) == (0, 0, 0)


def test_a_group_has_its_images_in_the_order_in_which_they_would_stay() -> None:
    images = (
        image(1, "train", near(11)),
        image(2, "test", near(3)),
        image(3, "val", near()),
        image(4, "train", near(), class_id=7),
    )
    assert found(*images).rows.rows(named=True) == [
        {
            "group": 1,
            "id": id,
            "path": f"{id:04}/{id}.jpg",
            "split": split,
            "class_id": class_id,
            "kind": "near",
            "distance": distance,
            "kept_id": 2,
            "group_distance": 11,
        }
        for id, split, class_id, distance in [
            (2, "test", 0, 0),
            (3, "val", 0, 3),
            (1, "train", 0, 8),
            (4, "train", 7, 3),
        ]
    ]


@pytest.mark.parametrize(("bits", "images"), [(48, 2), (49, 0)])
def test_hashes_up_to_the_distance_apart_are_duplicates(bits, images) -> None:
    assert len(kept(image(1, "train", near()), image(2, "train", near(bits)))) == images


@pytest.mark.parametrize(
    ("facts", "kind"),
    [({}, "near"), ({"sha256": "output 1"}, "exact"), ({"original_sha256": "original 1"}, "exact")],
)
def test_the_same_bytes_of_output_or_original_are_exact_and_the_same_hash_alone_is_near(
    facts, kind
) -> None:
    rows = found(image(1, "train", near()), image(2, "val", near(), **facts)).rows
    assert rows["kind"].to_list() == [kind, kind]


def test_originals_of_unknown_bytes_are_not_the_same() -> None:
    unknown = {"original_sha256": None}
    assert kept(image(1, "val", near(), **unknown), image(2, "val", FARTHER, **unknown)) == {}


def test_the_same_original_is_a_duplicate_however_far_apart_its_outputs_are() -> None:
    same = {"original_sha256": "original 1"}
    rows = found(image(1, "val", near()), image(2, "train", near(60), **same)).rows
    assert rows["distance"].to_list() == [0, 60]
    assert rows["kept_id"].to_list() == [1, 1]


def test_pictures_too_plain_for_a_hash_are_duplicates_by_their_bytes_alone() -> None:
    images = [image(1, "test", None), image(2, "test", None), image(3, "train", None)]
    assert kept(*images) == {}
    images[2]["sha256"] = images[0]["sha256"]
    assert kept(*images) == {1: 1, 3: 1}


# Choice of the image that stays


@pytest.mark.parametrize(("keep", "id"), [("test", 3), ("train", 1), ("largest", 2)])
def test_the_image_of_the_split_to_keep_stays_or_the_largest_original(keep, id) -> None:
    images = (
        image(1, "train", near()),
        image(2, "val", near(), original_width=900),
        image(3, "test", near()),
    )
    assert kept(*images, keep=keep) == {1: id, 2: id, 3: id}


def test_within_a_split_the_larger_original_stays_and_of_equal_ones_the_lower_id() -> None:
    images = (
        image(9, "train", near(), original_height=500),
        image(1, "train", near(), original_height=None),
        image(3, "train", near(), original_height=500),
    )
    assert set(kept(*images).values()) == {3}


def test_the_ends_of_a_chain_both_stay_where_they_are_no_duplicates_of_each_other() -> None:
    images = (
        image(1, "test", near()),
        image(2, "train", near(40)),
        image(3, "train", near(80)),
    )
    duplicates = found(*images)
    assert duplicates.rows["group"].to_list() == [1, 1, 1]
    assert dict(duplicates.rows.select("id", "kept_id").iter_rows()) == {1: 1, 2: 1, 3: 3}
    numbers = count(duplicates, 48)
    assert (numbers.largest_distance, numbers.chained) == (80, 1)


def test_each_excluded_image_is_listed_with_the_reason_and_the_image_that_stays() -> None:
    images = (
        image(1, "train", near(), class_id=5),
        image(2, "test", near(8)),
        image(3, "test", near(2)),
    )
    assert exclusions(found(*images).rows).rows(named=True) == [
        {
            "id": id,
            "path": f"{id:04}/{id}.jpg",
            "split": split,
            "class_id": class_id,
            "why": why,
            "kind": "near",
            "distance": distance,
            "group": 1,
            "kept_id": 2,
            "kept_split": "test",
            "kept_class_id": 0,
        }
        for id, split, class_id, why, distance in [
            (3, "test", 0, "same_split", 6),
            (1, "train", 5, "other_split", 8),
        ]
    ]


# Counts


def test_groups_are_counted_by_their_splits_and_classes() -> None:
    numbers = count(
        found(
            *(image(id, "train", near()) for id in (1, 2, 3)),
            *(image(id, "val", FAR) for id in (4, 5)),
            image(6, "train", FARTHER, class_id=1),
            image(7, "test", FARTHER, sha256="output 6"),
        ),
        48,
    )
    assert (numbers.groups, numbers.images, numbers.exact, numbers.other_class) == (3, 7, 2, 1)
    assert numbers.within == {"train": 1, "val": 1}
    assert numbers.across == {"test+train": 1}
    assert numbers.left_out == {"same_split": 3, "other_split": 1}


def test_an_image_is_leaked_where_it_makes_a_pair_with_one_of_the_other_split() -> None:
    leaked = found(
        image(1, "test", near()),
        image(2, "test", near(40)),
        image(3, "train", near(80)),
        image(4, "val", FAR),
        image(5, "val", FAR),
        image(6, "train", FAR),
        image(7, "test", FARTHER),
    ).leaked
    assert leaked == {"val in train": 2, "test in train": 1, "test in val": 0}
