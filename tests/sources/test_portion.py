"""Planning a portion of originals from an rsync daemon: pure, without a daemon."""

from pathlib import Path

import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.sources.rsync.names import Names
from dafre_fast.sources.rsync.portion import Portion, plan_portion

SOURCE = "rsync://host/module/original"
EXTENSIONS = ("jpg", "png")


def planned(sizes: dict[str, int], *sought: Sought, source: str = SOURCE) -> Portion:
    names = Names(source, Path("out"), EXTENSIONS)
    return plan_portion(sought, sizes, names, max_bytes=100)


def test_an_original_is_wanted_by_the_name_that_exists() -> None:
    portion = planned({"original/0007/7.png": 10}, Sought("7"))
    ((name, wanted),) = portion.wanted.items()
    assert (name, wanted.place.address) == ("original/0007/7.png", f"{SOURCE}/0007/7.png")
    assert wanted.place.path == "out/0007/7.png"


def test_the_first_extension_is_wanted_where_two_names_exist() -> None:
    sizes = {"original/0007/7.png": 10, "original/0007/7.jpg": 10}
    assert {*planned(sizes, Sought("7")).wanted} == {"original/0007/7.jpg"}


def test_an_original_without_a_file_is_refused_with_the_last_address_tried() -> None:
    (refused,) = planned({}, Sought("7")).refused
    assert (refused.refusal.reason, refused.address) == (Reason.NOT_FOUND, f"{SOURCE}/0007/7.png")


def test_an_original_whose_name_needs_an_unknown_md5_is_refused_without_an_address() -> None:
    (refused,) = planned({}, Sought("7"), source="rsync://host/module/{md5}.{ext}").refused
    assert (refused.refusal.reason, refused.address) == (Reason.MISSING_ORIGINAL, None)


@pytest.mark.parametrize(("size", "reasons"), [(100, []), (101, [Reason.TOO_MANY_BYTES])])
def test_a_file_over_the_limit_is_refused_before_it_is_fetched(size, reasons) -> None:
    portion = planned({"original/0007/7.jpg": size}, Sought("7"))
    assert [one.refusal.reason for one in portion.refused] == reasons
    assert len(portion.wanted) == 1 - len(reasons)


def test_two_originals_of_one_file_are_fetched_one_after_the_other() -> None:
    one, other = (Sought(key, "jpg", md5="f" * 32) for key in ("7", "8"))
    source = "rsync://host/module/{md5}.{ext}"
    portion = planned({f"{'f' * 32}.jpg": 10}, one, other, source=source)
    assert [wanted.sought for wanted in portion.wanted.values()] == [one]
    assert portion.again == [other]


def test_an_address_outside_of_a_module_is_refused() -> None:
    with pytest.raises(UsageError, match="rsync://host/module"):
        Names("rsync://host/{id}/7.{ext}", Path("out"), EXTENSIONS)
