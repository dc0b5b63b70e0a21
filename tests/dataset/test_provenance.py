from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.images import Encoding, Recipe
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.provenance import (
    CHOICE,
    NAME,
    File,
    SplitRule,
    choice,
    makings,
    record_choice,
    record_making,
)

OTHER = Recipe(encoding=Encoding(quality=75))


def test_settings_and_versions_are_remembered_once_each(tmp_path) -> None:
    for recipe in (Recipe(), OTHER, Recipe()):
        record_making(tmp_path, recipe, resume=True)
    other, last = makings(tmp_path)
    assert (other.settings, last.settings) == (OTHER, Recipe())
    assert (last.pixels, last.bounded) == Recipe().hashes()
    assert {"Python", "polars", "pyvips", "PyTurboJPEG"} <= last.versions.keys()


def test_the_format_of_files_is_that_of_the_last_run(tmp_path) -> None:
    png = Recipe(encoding=Encoding(encode_format="png"))
    for recipe in (Recipe(), png, Recipe()):
        record_making(tmp_path, recipe, resume=True)
    assert read_outputs(tmp_path)[0].extension == "jpg"


def test_other_versions_are_another_making(tmp_path) -> None:
    record_making(tmp_path, Recipe(), resume=True)
    path = tmp_path / STATE / NAME
    (known,) = makings(tmp_path)
    older = msgspec.structs.replace(known, versions={**known.versions, "pyvips": "1.0"})
    path.write_bytes(msgspec.json.encode([older]))
    record_making(tmp_path, Recipe(), resume=True)
    assert makings(tmp_path) == [older, known]


def test_what_is_made_anew_forgets_how_it_was_made_before(tmp_path) -> None:
    record_making(tmp_path, OTHER, resume=True)
    record_making(tmp_path, Recipe(), resume=False)
    assert [one.settings for one in makings(tmp_path)] == [Recipe()]


def test_where_nothing_is_remembered_there_is_nothing(tmp_path) -> None:
    assert makings(tmp_path) == []


@pytest.mark.parametrize("text", [b"", b"{", b"[{}]", b"\xff"])
def test_a_damaged_file_is_told_and_the_next_run_begins_it_anew(tmp_path, text) -> None:
    path = tmp_path / STATE / NAME
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(InputError, match=f"^{path}: is damaged: "):
        makings(tmp_path)
    record_making(tmp_path, Recipe(), resume=True)
    assert [one.settings for one in makings(tmp_path)] == [Recipe()]


def two_tables(folder: Path) -> list[Path]:
    (folder / "faces.tsv").write_text("0001\\1.jpg\t7\t0.2, 0.2, 0.8, 0.8 0.9\n")
    (folder / "tagIds.tsv").write_text("cirno\t7\n")
    return [folder / "faces.tsv", folder / "tagIds.tsv"]


def test_what_decides_rows_and_tags_is_remembered_as_the_last_run_had_it(tmp_path) -> None:
    made_from = (tmp_path, two_tables(tmp_path), "/data/danbooru")
    record_choice(*made_from, Selection(), [], TagSteps(min_uses=5))
    record_choice(*made_from, Selection(min_images=3), [tmp_path / "posts.json"], None)
    found = choice(tmp_path)
    assert (found.source, found.selection) == ("/data/danbooru", Selection(min_images=3))
    assert (found.metadata, found.tags) == (["posts.json"], None)
    assert [table.path for table in found.tables] == ["faces.tsv", "tagIds.tsv"]
    data = (tmp_path / "tagIds.tsv").read_bytes()
    assert (found.tables[1].bytes, found.tables[1].sha256) == (len(data), sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://me:secret@host:8080/o/{id}.{ext}?key=k", "https://host:8080/o/{id}.{ext}"),
        ("https://host/{bucket}/{id}@2.{ext}", "https://host/{bucket}/{id}@2.{ext}"),
        ("hf:owner/name@main", "hf:owner/name@main"),
        ("http://127.0.0.1:45947/{id}.{ext}", "http://127.0.0.1/{id}.{ext}"),
    ],
)
def test_of_a_source_nothing_secret_and_nothing_passing_is_remembered(
    tmp_path, source, shown
) -> None:
    record_choice(tmp_path, [], source, Selection(), [], None)
    assert choice(tmp_path).source == shown


def test_a_damaged_choice_is_told(tmp_path) -> None:
    assert choice(tmp_path) is None
    (tmp_path / STATE).mkdir()
    (tmp_path / STATE / CHOICE).write_text("{")
    with pytest.raises(InputError, match=f"^{tmp_path / STATE / CHOICE}: is damaged: "):
        choice(tmp_path)


def test_the_record_says_how_the_split_was_made(tmp_path) -> None:
    def rule(**settings: object) -> SplitRule:
        splitting = Splitting(**settings)
        record_choice(tmp_path, [], "originals", Selection(), [], None, splitting)
        found = choice(tmp_path)
        assert found
        assert found.split
        return found.split

    assert rule() == SplitRule("shares", [])
    drawn = rule(split_seed=3, val_images=5, test_images=7)
    assert drawn == SplitRule("drawn", [], 3, 5, 7)
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}Split.tsv").write_text(f"{len(split)}\n")
    listed = rule(splits=tmp_path)
    digest = sha256(b"5\n").hexdigest()
    assert (listed.protocol, len(listed.files)) == ("files", 3)
    assert listed.files[0] == File("trainSplit.tsv", 2, digest)
