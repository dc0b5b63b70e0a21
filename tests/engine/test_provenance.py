import msgspec
import pytest

from dafre_fast.engine.provenance import NAME, makings, remember_making
from dafre_fast.model.errors import InputError
from dafre_fast.model.files import STATE
from dafre_fast.model.settings import Encoding, Recipe

OTHER = Recipe(encoding=Encoding(quality=75))


def test_settings_and_versions_are_remembered_once_each(tmp_path) -> None:
    for recipe in (Recipe(), OTHER, Recipe()):
        remember_making(tmp_path, recipe, anew=False)
    first, second = makings(tmp_path)
    assert (first.settings, second.settings) == (Recipe(), OTHER)
    assert (first.pixels, first.bounded) == Recipe().hashes()
    assert {"Python", "polars", "pyvips", "PyTurboJPEG"} <= first.versions.keys()


def test_other_versions_are_another_making(tmp_path) -> None:
    remember_making(tmp_path, Recipe(), anew=False)
    path = tmp_path / STATE / NAME
    (known,) = makings(tmp_path)
    older = msgspec.structs.replace(known, versions={**known.versions, "pyvips": "1.0"})
    path.write_bytes(msgspec.json.encode([older]))
    remember_making(tmp_path, Recipe(), anew=False)
    assert makings(tmp_path) == [older, known]


def test_what_is_made_anew_forgets_how_it_was_made_before(tmp_path) -> None:
    remember_making(tmp_path, OTHER, anew=False)
    remember_making(tmp_path, Recipe(), anew=True)
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
    remember_making(tmp_path, Recipe(), anew=False)
    assert [one.settings for one in makings(tmp_path)] == [Recipe()]
