"""The table of sources: an address leads to its source, and an unknown one to the list of kinds."""

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import KINDS, choose, finds_only
from dafre_fast.sources.interface import Check, Source
from tests.sources.fetching import ignore

CHECK = Check(head=sniff, whole=check_end)


def chosen(spec: str, folder) -> Source:
    return choose(spec, folder, Fetching(), CHECK, ignore)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_row_names_something_that_can_be_called(kind) -> None:
    if kind.name in {"s3://", "gs://"}:
        pytest.importorskip("obstore")
    assert callable(resolve_name(kind.opener))


def test_no_two_rows_are_about_the_same_address() -> None:
    prefixes = [prefix for kind in KINDS for prefix in kind.prefixes]
    assert not [one for one in prefixes for other in prefixes if one != other if one in other]
    assert len({*prefixes}) == len(prefixes)


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("http://host/{id}.{ext}", "Template"),
        ("https://host/{bucket}/{id}.{ext}", "Template"),
        ("https://host/{bucket}.tar", "Archives"),
        ("https://host/all.zip?signed=1", "Archives"),
        ("hf:someone/set", "Archives"),
        ("hf://datasets/someone/set/{id}.{ext}", "Template"),
    ],
)
def test_an_address_leads_to_the_source_of_its_kind(tmp_path, spec, source) -> None:
    assert type(chosen(spec, tmp_path)).__name__ == source
    assert not finds_only(spec)


def test_a_folder_of_originals_is_read_where_it_is(tmp_path) -> None:
    (tmp_path / "0007").mkdir()
    (tmp_path / "0007/7.jpg").write_bytes(b"x")
    assert type(chosen(str(tmp_path), tmp_path)).__name__ == "Tree"
    assert finds_only(str(tmp_path))


@pytest.mark.parametrize("archive", ["8.zip", "0001008.zip"])
def test_an_original_that_is_an_archive_does_not_make_a_source_of_archives(
    tmp_path, archive
) -> None:
    (tmp_path / archive).write_bytes(b"x")
    assert not finds_only(str(tmp_path))
    (tmp_path / "7.JPG").write_bytes(b"x")
    assert finds_only(str(tmp_path))


@pytest.mark.parametrize("name", ["all.zip", "shards/00000.tar.gz"])
def test_a_folder_that_holds_archives_is_a_source_of_archives(tmp_path, name) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    assert type(chosen(str(tmp_path), tmp_path)).__name__ == "Archives"
    assert not finds_only(str(tmp_path))


def test_archives_among_the_originals_of_a_bucket_do_not_make_a_source_of_archives(
    tmp_path,
) -> None:
    (tmp_path / "0007").mkdir()
    (tmp_path / "0007/7.zip").write_bytes(b"x")
    assert finds_only(str(tmp_path))


def test_an_address_of_no_known_kind_is_answered_with_all_kinds(tmp_path) -> None:
    with pytest.raises(UsageError) as raised:
        chosen("ftp://host/{id}.jpg", tmp_path)
    assert all(kind.name in str(raised.value) for kind in KINDS)
    assert "ftp://host/{id}.jpg" in str(raised.value)


def test_a_folder_is_read_without_any_library_for_downloads(tmp_path) -> None:
    code = (
        "import sys; from dafre_fast.sources.choose import choose\n"
        f"choose({str(tmp_path)!r}, None, None, None, None)\n"
        "assert not {'aiohttp', 'obstore'} & {*sys.modules}, sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
