"""A run that has not one image ends with status 1 and says why; one with nothing to do does not."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import here
from tests.hosts import Host, host

pytestmark = pytest.mark.slow


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (90, 90, 90)).save(file, "png")
    return file.getvalue()


PNG = png()


@pytest.fixture
def folder(tmp_path) -> Path:
    rows = (f"{key:04}\\{key}.jpg\t7\t0.1, 0.1, 0.5, 0.5 0.9\n" for key in (1, 2))
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("seven\t7\n")
    (tmp_path / "pages").mkdir()
    for key in (1, 2):
        (tmp_path / f"pages/{key}.png").write_text("<html>")
    return tmp_path


@pytest.fixture
def served() -> Iterator[Host]:
    with host() as found:
        found.files = {f"/right/{key}.png": PNG for key in (1, 2)}
        yield found


TABLE = ("--faces", "faces.tsv", "--min-images", 1)
TABLES = (*TABLE, "--tag-ids", "tagIds.tsv", "--no-report", "--workers", 1)


@pytest.mark.parametrize(
    ("command", "flags", "reason"),
    [
        ("resize", ("--input", "pages"), "not_an_image"),
        ("crop", (*TABLE, "--input", "pages"), "not_an_image"),
        ("full", (*TABLES, "--source", "pages"), "not_an_image"),
        ("full", (*TABLES, "--source", "empty"), "missing_original"),
        ("download", (*TABLE, "--source", "{address}/rihgt/{{id}}.png"), "not_found"),
        ("full", (*TABLES, "--source", "{address}/rihgt/{{id}}.png"), "not_found"),
    ],
)
def test_a_run_without_a_single_success_is_status_1_and_says_why(
    folder, served, command, flags, reason
) -> None:
    (folder / "empty").mkdir()
    flags = [str(flag).format(address=served.address) for flag in flags]
    for _ in range(2):  # the second one, too, whether it tries again or not
        done = here(command, *flags, "--json", cwd=folder)
        assert done.returncode == 1
        assert json.loads(done.stdout)["refused"] == {reason: 2}
        assert f"none of 2 images succeeded: 2 {reason} (" in done.stderr.splitlines()[-1]


def test_a_run_with_nothing_left_to_do_is_status_0(folder, served) -> None:
    flags = (*TABLE, "--source", f"{served.address}/right/{{id}}.png")
    for images in (2, 2):
        done = here("download", *flags, "--json", cwd=folder)
        assert (done.returncode, json.loads(done.stdout)["success"]) == (0, images)
    assert len(served.asked) == 2


def test_older_refusals_are_told_of_with_the_way_to_try_them(folder, served) -> None:
    served.files.pop("/right/2.png")
    flags = (*TABLE, "--source", f"{served.address}/right/{{id}}.png")
    here("download", *flags, cwd=folder)
    again = here("download", *flags, cwd=folder)
    assert again.returncode == 0
    line = "1 of them was refused by earlier runs and not tried again; --retry-failed tries them"
    assert line in again.stdout.splitlines()
    as_json = here("download", *flags, "--json", cwd=folder)
    assert json.loads(as_json.stdout)["work"]["refused_before"] == 1


def test_a_proxy_that_wants_a_login_ends_the_run_and_with_it_all_come(
    folder, served, monkeypatch
) -> None:
    paths = [f"http://pictures.example/{key}.png" for key in (1, 2)]
    served.files = dict.fromkeys(paths, PNG)
    served.statuses = dict.fromkeys(paths, 407)
    monkeypatch.setenv("http_proxy", served.address)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    flags = (*TABLE, "--source", "http://pictures.example/{id}.png")
    done = here("download", *flags, cwd=folder)
    assert done.returncode == 1
    assert "put USER:PASSWORD@ before its host in http_proxy" in done.stderr.splitlines()[-1]
    served.statuses = {}
    monkeypatch.setenv("http_proxy", served.address.replace("//", "//me:secret@"))
    again = here("download", *flags, "--json", cwd=folder)
    assert (again.returncode, json.loads(again.stdout)["success"]) == (0, 2)


def test_a_host_on_which_nobody_listens_is_named_with_its_error(folder) -> None:
    done = here("download", *TABLE, "--source", "http://127.0.0.1:9/{id}.png", cwd=folder)
    assert done.returncode == 1
    assert "127.0.0.1:9: never answered (network_error: Cannot connect" in done.stderr
    assert "none of 2 images succeeded: 2 network_error" in done.stderr.splitlines()[-1]
