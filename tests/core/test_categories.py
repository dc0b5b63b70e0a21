from dafre_fast.core.categories import (
    ALL_CATEGORIES,
    CATEGORIES,
    CATEGORY_NAMES,
    TAG_KINDS,
    column,
)


def test_every_name_of_a_category_follows_from_one_table():
    assert dict(CATEGORIES) == {0: "general", 3: "copyright", 4: "character"}
    assert dict(CATEGORY_NAMES) == {0: "general", 3: "series", 4: "character"}
    assert dict(TAG_KINDS) == {"general": 0, "series": 3, "character": 4}
    assert {str(number) for number in CATEGORIES} < set(ALL_CATEGORIES)
    assert [column(number) for number in CATEGORIES] == ["tags_cat0", "tags_cat3", "tags_cat4"]
