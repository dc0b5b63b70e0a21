import os
import socket
from pathlib import Path

import pytest

from dafre_fast.core.walk import Walk
from tests.permissions import as_nobody, unprivileged


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_files_are_found_in_all_folders_and_hidden_ones_are_not(tmp_path) -> None:
    put(*(tmp_path / name for name in ("a", "b/c", "b/d/e", ".f", ".g/h", "b/.i")))
    assert sorted(Walk(tmp_path)) == ["a", "b/c", "b/d/e"]


def test_folders_and_files_that_are_links_are_followed(tmp_path) -> None:
    put(tmp_path / "elsewhere/a", tmp_path / "tree/b")
    (tmp_path / "tree/linked").symlink_to("../elsewhere")
    (tmp_path / "tree/absolute").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "tree/file").symlink_to(tmp_path / "elsewhere/a")
    (tmp_path / "tree/broken").symlink_to("nowhere")
    walk = Walk(tmp_path / "tree")
    assert sorted(walk) == ["absolute/a", "b", "broken", "file", "linked/a"]
    assert sorted(walk.met.links) == ["broken", "file"]


@pytest.mark.parametrize("target", [".", "..", "../..", "../../a"])
def test_a_link_to_a_folder_that_it_lies_in_is_noticed(tmp_path, target) -> None:
    put(tmp_path / "a/b/c")
    (tmp_path / "a/b/up").symlink_to(target)
    walk = Walk(tmp_path)
    assert sorted(walk) == ["a/b/c"]
    assert walk.met.loops == ["a/b/up"]


def test_folders_that_link_to_each_other_are_walked_to_an_end(tmp_path) -> None:
    put(tmp_path / "a/1", tmp_path / "b/2")
    (tmp_path / "a/other").symlink_to("../b")
    (tmp_path / "b/other").symlink_to("../a")
    walk = Walk(tmp_path)
    assert sorted(walk) == ["a/1", "a/other/2", "b/2", "b/other/1"]
    assert sorted(walk.met.loops) == ["a/other/other", "b/other/other"]


def test_a_link_to_itself_is_a_file_that_cannot_be_read(tmp_path) -> None:
    (tmp_path / "a").symlink_to("a")
    assert [*Walk(tmp_path)] == ["a"]


def test_pipes_and_sockets_are_named_and_not_opened(short_tmpdir) -> None:
    os.mkfifo(Path(short_tmpdir, "pipe"))
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{short_tmpdir}/socket")
        assert sorted(Walk(Path(short_tmpdir))) == ["pipe", "socket"]


@unprivileged
def test_a_folder_that_cannot_be_listed_is_named_with_the_cause(public) -> None:
    put(public / "a/b", public / "c")
    (public / "a").chmod(0)
    walk = Walk(public)
    with as_nobody():
        assert [*walk] == ["c"]
    assert walk.met.unlisted == {"a": "Permission denied"}


def test_what_the_caller_wants_left_out_is_not_walked_but_for_the_folder_itself(tmp_path) -> None:
    put(tmp_path / "a/b", tmp_path / "c/a/d")
    walk = Walk(tmp_path, leave_out=lambda folder: folder.name == "a")
    assert [*walk] == []
    assert sorted(walk.met.left_out) == ["a", "c/a"]
    assert [*Walk(tmp_path / "a", leave_out=lambda folder: folder.name == "a")] == ["b"]
