"""Addresses of object stores, and the settings that take them."""

from pathlib import Path

import pytest

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.build import build
from dafre_fast.core.settings.groups import Group
from dafre_fast.full.settings import FullRun
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.pack.settings import PackRun
from dafre_fast.report.settings import ReportRun
from dafre_fast.verify.settings import VerifyRun


def test_an_address_is_told_from_a_folder_also_as_a_path() -> None:
    for text in ("s3://bucket/a/b/", Path("s3://bucket/a/b")):
        assert store_address(text) == "s3://bucket/a/b"
    assert store_address(Path("gs://bucket")) == "gs://bucket"
    for folder in (Path("s3"), Path("data/s3:/b"), "/s3://b", "https://host/a"):
        assert store_address(folder) is None


@pytest.mark.parametrize(
    ("group", "name"),
    [(FullRun, "into"), (PackRun, "into"), (VerifyRun, "output"), (GalleryRun, "output")],
)
def test_some_settings_take_an_object_store(group: type[Group], name: str) -> None:
    built = build(group, {name: "s3://bucket/a"}, str, strict=False)
    assert store_address(getattr(built, name)) == "s3://bucket/a"


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (FullRun, "output"),
        (FullRun, "faces"),
        (PackRun, "output"),
        (PackRun, "exclude"),
        (PackRun, "only"),
        (ReportRun, "output"),
        (ReportRun, "into"),
        (GalleryRun, "index"),
        (VerifyRun, "manifest"),
    ],
)
@pytest.mark.parametrize("value", ["s3://bucket/a", Path("s3://bucket/a")])
def test_the_others_say_so_and_make_no_folder_of_that_name(group, name, value) -> None:
    with pytest.raises(UsageError, match=f"--{name} s3://bucket/a: must be a folder or file"):
        build(group, {name: value}, lambda text: f"--{text}", strict=False)


def test_text_that_is_no_path_is_left_alone() -> None:
    assert build(FullRun, {"source": "s3://bucket/{id}"}, str, strict=False).source
