"""Commands that only read a dataset, on one that lies on a read-only file system."""

from pathlib import Path

import pytest

from dafre_fast.audit.run import audit
from dafre_fast.audit.settings import AuditRun
from dafre_fast.core.atomic import check_writable
from dafre_fast.core.errors import InputError, OutputError
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.running import Workers
from dafre_fast.dataset.items import Items, Making
from dafre_fast.dataset.ledger import LOCK
from dafre_fast.gallery.index import index_dataset, open_index
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.report.run import write_report
from dafre_fast.report.settings import ReportRun
from dafre_fast.verify.run import verify
from dafre_fast.verify.settings import VerifyRun
from tests.commands import dafre
from tests.conftest import Disk
from tests.datasets_drawn import IMAGES, draw_dataset

pytestmark = pytest.mark.slow


@pytest.fixture
def writable(small_disk) -> tuple[Path, Disk]:
    """A dataset with the lock of its runs, and its file system, which is not yet read-only."""
    small_disk.remount("size=16m")
    ds = draw_dataset(small_disk.folder / "ds")
    (ds / STATE).mkdir()
    (ds / STATE / LOCK).touch()
    return ds, small_disk


@pytest.fixture
def ds(writable) -> Path:
    dataset, disk = writable
    disk.remount("ro")
    return dataset


ONE = Workers(workers=1)


def test_an_audit_and_a_report_with_it_are_written_elsewhere(ds, tmp_path) -> None:
    found = audit(AuditRun(output=ds, into=tmp_path / "audit"), ONE)
    assert found.compared == IMAGES - 1
    assert (tmp_path / "audit/exclude.csv").is_file()
    run = ReportRun(output=ds, into=tmp_path / "report", audit=tmp_path / "audit")
    page = Path(write_report(run).index)
    assert page == tmp_path / "report/index.html"
    assert 'id="duplicates"' in page.read_text()


def test_a_pack_is_written_elsewhere(ds, tmp_path) -> None:
    assert pack(PackRun(output=ds, into=tmp_path / "pack", workers=1)).packed == IMAGES - 1


def test_it_is_verified_and_read_in_place(ds) -> None:
    verify(VerifyRun(output=ds), ONE)
    assert len([*Items(ds, "train", Making("full"))]) == 7


def test_the_index_of_the_gallery_is_built_elsewhere_or_taken_as_it_is(writable, tmp_path) -> None:
    dataset, disk = writable
    inside, began = dataset / STATE / "gallery", []
    index_dataset(dataset, inside, begin=lambda: None)
    disk.remount("ro")
    index_dataset(dataset, inside, begin=lambda: began.append(1))
    assert (len(open_index(inside).ids), began) == (IMAGES, [])
    index_dataset(dataset, tmp_path / "index", begin=lambda: None)
    assert len(open_index(tmp_path / "index").ids) == IMAGES


@pytest.mark.parametrize(
    ("command", "flag"),
    [("audit", "--into"), ("report", "--into"), ("pack", "--into"), ("gallery", "--index")],
)
def test_a_command_that_would_write_in_it_names_the_flag_for_another_folder(
    ds, tmp_path, command, flag
) -> None:
    done = dafre(command, "--output", ds, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert str(ds) in line
    assert f"is read-only, or is not yours to write in; name another folder with {flag}" in line


def test_a_folder_that_can_be_made_is_writable_and_nothing_is_made(tmp_path) -> None:
    check_writable(tmp_path / "a/b", "--into")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_is_asked_for_before_images_are_read(ds) -> None:
    with pytest.raises(OutputError, match="--into"):
        audit(AuditRun(output=ds), ONE, tell=pytest.fail)


def test_a_report_replaces_an_empty_folder_or_a_report_and_nothing_else(tmp_path) -> None:
    dataset, into = draw_dataset(tmp_path / "ds"), tmp_path / "into"
    into.mkdir()
    for _ in range(2):
        write_report(ReportRun(output=dataset, into=into))
    (into / "index.html").write_text("<html>my own pages")
    with pytest.raises(OutputError, match="is there and is no report"):
        write_report(ReportRun(output=dataset, into=into))
    assert (into / "index.html").read_text() == "<html>my own pages"


def test_an_audit_that_is_named_and_not_there_is_an_error(tmp_path) -> None:
    dataset = draw_dataset(tmp_path / "ds")
    with pytest.raises(InputError, match="no audit is there"):
        write_report(ReportRun(output=dataset, audit=tmp_path / "none"))
