"""No output takes the place of an original, whatever way leads from the one to the other."""

import os
from pathlib import Path

import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.dataset.ledger import LOCK, NAME
from dafre_fast.engine.apart import (
    refuse_manifest,
    refuse_pack,
    refuse_replacing,
    refuse_same,
    refuse_shared_buckets,
    refuse_source,
    refuse_tables,
    refuse_taken,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, with a folder `in`, links to it, and `real/in` below a linked parent."""
    (tmp_path / "in/0001").mkdir(parents=True)
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "real/in").mkdir(parents=True)
    (tmp_path / "parent").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")


@pytest.mark.parametrize(
    ("read", "output"),
    [
        ("in", "in"),
        ("in", "link"),
        ("link", "in"),
        ("in", "./real/../in/."),
        (".", "in/.."),
        ("parent/in", "real/in"),
        ("parent/new", "real/new"),  # neither is there yet
    ],
)
def test_the_folder_that_is_read_is_no_output_by_any_name(folder, read, output) -> None:
    with pytest.raises(UsageError) as raised:
        refuse_same(Path(read), "--input", Path(output))
    assert str(raised.value) == (
        f"--output {Path(output)} is the folder that --input {Path(read)} reads: outputs would lie"
        " among the originals, or take their place; give another --output"
    )
    refuse_same(folder / "in", "--input", folder / "real/in")


def test_an_output_within_the_input_must_be_new_or_empty_or_an_output_already(folder) -> None:
    put("in/full/1.jpg", "in/made/1.jpg", "in/fetched/1.jpg")
    for output, record in (("made", '{"stage":"make"}\n'), ("fetched", '{"stage":"fetch"}\n')):
        put(f"in/{output}/{STATE}/{NAME}")
        Path("in", output, STATE, NAME).write_text(record)
    (folder / "in/empty").mkdir()
    for output in ("in/new", "in/empty", "in/made", "link/made", "real", "in-beside"):
        refuse_taken(Path("in"), Path(output))
    for output in ("in/full", "link/full", "in/fetched"):
        with pytest.raises(UsageError, match=f"^--output {output} lies in --input in and holds"):
            refuse_taken(Path("in"), Path(output))


def replacing(originals: list[str], outputs: list[str], links: tuple[str, ...] = ()) -> str | None:
    try:
        refuse_replacing(originals, links, outputs)
    except UsageError as error:
        return str(error)
    return None


def test_an_output_that_is_an_original_is_refused_with_both_names() -> None:
    put("in/0001/1.jpg", "in/0001/2.png")
    originals = ["in/0001/2.png", "in/0001/1.jpg"]
    assert replacing(originals, ["link/0001/2.jpg", "link/0001/1.jpg"]) == (
        "the output link/0001/1.jpg would take the place of the original in/0001/1.jpg; give"
        " another --output"
    )
    assert replacing(originals, ["link/0001/2.jpg", "out/0001/1.jpg"]) is None


def test_a_linked_bucket_of_the_output_is_no_way_around() -> None:
    put("in/0001/1.jpg")
    Path("out").mkdir()
    Path("out/0001").symlink_to("../in/0001")
    assert "out/0001/1.jpg would take" in (replacing(["in/0001/1.jpg"], ["out/0001/1.jpg"]) or "")


def test_nor_is_an_original_that_is_a_link_into_the_output(folder) -> None:
    put("out/1.jpg")
    Path("in/2.png").symlink_to("../out/1.jpg")
    put("in/1.png")
    found = replacing(["in/1.png", "in/2.png"], ["out/1.jpg", "out/2.jpg"], ("in/2.png",))
    assert found == (
        f"the output out/1.jpg would take the place of the original {folder}/out/1.jpg; give"
        " another --output"
    )


def test_a_link_in_the_place_of_an_output_is_replaced_and_not_followed() -> None:
    put("in/1.jpg")
    Path("out").mkdir()
    Path("out/1.jpg").symlink_to("../in/1.jpg")
    assert replacing(["in/1.jpg"], ["out/1.jpg"]) is None


@pytest.mark.parametrize(
    ("read", "tree"),
    [
        ("in", "link"),
        ("in", "in/original"),
        ("in/0001", "in"),  # originals in the folder itself
        ("parent/in", "real/in"),
    ],
)
def test_a_folder_of_ids_is_not_written_where_originals_are_looked_for(read, tree) -> None:
    with pytest.raises(
        UsageError, match=f"^outputs would go to {tree}/000[01].*--input {read} finds"
    ):
        refuse_shared_buckets(Path(read), "--input", [Path("out"), Path(tree)], ["0000", "0001"])


def test_beside_and_between_originals_there_is_room_for_trees() -> None:
    for tree in ("in/faces", "out", "in/0001/small"):
        refuse_shared_buckets(Path("in"), "--input", [Path(tree)], ["0001"])


@pytest.mark.parametrize(
    ("source", "output"), [("out/fullMin256", "out"), ("out", "out"), ("./out/.", "link-out")]
)
def test_a_source_that_a_run_would_write_to_is_refused(source, output) -> None:
    put("out/fullMin256/0001/1.jpg")
    Path("link-out").symlink_to("out")
    with pytest.raises(UsageError, match=r"give another --output$"):
        refuse_source(source, Path(output), [Path(output, "fullMin256")], ["0001"])


def test_originals_that_a_run_only_reads_may_lie_in_its_output() -> None:
    put("out/original/0001/1.png", "out/mirror.tar")
    for source in ("out/original", "out/mirror.tar", "https://host/{id}.jpg", "in", "nowhere"):
        refuse_source(source, Path("out"), [Path("out/fullMin256")], ["0001"])


def test_a_folder_of_archives_is_no_output_and_shards_of_the_output_are_no_source() -> None:
    put("in/1.tar", f"out/{SHARDS}/train/00000.tar")
    with pytest.raises(UsageError, match=r"^--output in is the folder that --source in reads"):
        refuse_source("in", Path("in"))
    with pytest.raises(UsageError, match="holds the images of --output out themselves"):
        refuse_source(f"out/{SHARDS}", Path("out"))


@pytest.mark.parametrize("written", ["faces.tsv", "./link-faces.tsv", "hard.tsv"])
def test_a_table_that_is_read_is_not_written(written) -> None:
    put("faces.tsv")
    Path("link-faces.tsv").symlink_to("faces.tsv")
    os.link("faces.tsv", "hard.tsv")
    with pytest.raises(UsageError, match=r"^--manifest .* is the input faces.tsv; give another"):
        refuse_manifest(Path(written), [Path("other"), Path("faces.tsv")])
    refuse_manifest(Path("new"), [Path("faces.tsv")])
    refuse_manifest(None, [Path("faces.tsv")])


def test_tables_are_not_put_where_the_next_run_reads_metadata() -> None:
    put("metadata/posts.json")
    for output in ("metadata", "metadata/labels", "in/../metadata/new"):
        with pytest.raises(UsageError, match=r"^--output .* lies in --metadata metadata: "):
            refuse_tables([Path("in"), Path("metadata")], Path(output))
    refuse_tables([Path("metadata"), Path("metadata/posts.json")], Path("labels"))
    refuse_tables([Path("metadata/posts.json")], Path("metadata"))


def test_a_manifest_replaces_nothing_but_a_manifest() -> None:
    put("1.jpg")
    Path("old.parquet").write_bytes(b"PAR1...PAR1")
    with pytest.raises(UsageError, match=r"^--manifest 1.jpg is there and is no Parquet file;"):
        refuse_manifest(Path("1.jpg"))
    refuse_manifest(Path("old.parquet"))


@pytest.mark.parametrize("name", ["0001/1.png", "1.PNG", "0001/more"])
def test_a_pack_is_not_put_among_pictures(name) -> None:
    put(f"pictures/{name}", "repository/README.md")
    with pytest.raises(UsageError, match=r"^--into pictures holds pictures"):
        refuse_pack(Path("pictures"), Path("dataset"))
    with pytest.raises(UsageError, match=r"^--into link/\.\./pictures is the dataset itself"):
        refuse_pack(Path("link/../pictures"), Path("pictures"))
    for into in ("repository", "new"):
        refuse_pack(Path(into), Path("pictures"))


def test_a_pack_is_an_output_though_it_has_no_ledger() -> None:
    put(f"in/pack/{STATE}/{LOCK}", "in/pack/train/00000.tar")
    refuse_taken(Path("in"), Path("in/pack"))
