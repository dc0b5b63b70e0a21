"""Parts of a run become the dataset of one run."""

import shutil

import pytest

from dafre_fast.core.errors import InputError, PartsError, UsageError
from dafre_fast.core.layout import MANIFEST, STATE
from dafre_fast.core.parts import Part
from dafre_fast.core.settings.images import Encoding, Recipe
from dafre_fast.dataset.ledger import NAME, Ledger
from dafre_fast.dataset.locks import undisturbed
from dafre_fast.dataset.parts import open_part
from dafre_fast.merge.run import merge
from tests.merge.small import IMAGES, contents, draw, make


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """The dataset as one run makes it."""
    output = tmp_path_factory.mktemp("whole") / "ds"
    make(inputs, output)
    return output


@pytest.fixture(scope="module")
def in_shards(inputs, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "ds"
    make(inputs, output, pack="webdataset")
    return output


@pytest.fixture(scope="module")
def finished(inputs, tmp_path_factory):
    """Two parts that are not merged yet."""
    output = tmp_path_factory.mktemp("parts") / "ds"
    for part in ("2/2", "1/2"):
        make(inputs, output, part)
    return output


@pytest.fixture
def parts(finished, tmp_path):
    """A copy of the two parts for a test that changes them."""
    return shutil.copytree(finished, tmp_path / "ds")


def lines(output) -> int:
    return len((output / STATE / NAME).read_text().splitlines())


def test_two_parts_end_in_the_bytes_of_one_run(parts, whole) -> None:
    assert not (parts / MANIFEST).exists()
    summary = merge(parts).summary
    assert contents(parts) == contents(whole)
    assert (summary.images, summary.success, summary.work.images) == (IMAGES, IMAGES - 1, IMAGES)


def test_ten_parts_end_in_the_bytes_of_one_run(inputs, whole, tmp_path) -> None:
    for number in range(1, 11):
        make(inputs, tmp_path / "ds", f"{number}/10")
    merge(tmp_path / "ds")
    assert contents(tmp_path / "ds") == contents(whole)


def test_parts_into_shards_end_in_the_bytes_of_one_run(inputs, in_shards, tmp_path) -> None:
    for number in (1, 2, 3):
        make(inputs, tmp_path / "ds", f"{number}/3", pack="webdataset")
    merge(tmp_path / "ds")
    assert contents(tmp_path / "ds") == contents(in_shards)
    assert make(inputs, tmp_path / "ds", pack="webdataset").work.images == 0


def test_merging_again_changes_nothing(parts, whole) -> None:
    merge(parts)
    first = lines(parts)
    assert merge(parts).summary.work.images == IMAGES
    assert (contents(parts), lines(parts)) == (contents(whole), first)


def test_an_ordinary_run_after_merging_finds_everything_done(inputs, parts, whole) -> None:
    merge(parts)
    assert make(inputs, parts).work.images == 0
    assert contents(parts) == contents(whole)
    with pytest.raises(InputError, match="has no parts to merge"):
        merge(parts)


def test_an_ordinary_run_takes_over_what_parts_have_done(inputs, parts, whole) -> None:
    shutil.rmtree(parts / STATE / "parts/2-2")
    assert make(inputs, parts).work.images == IMAGES / 2
    assert contents(parts) == contents(whole)


def test_a_part_counts_what_an_ordinary_run_has_done(inputs, whole, tmp_path) -> None:
    output = shutil.copytree(whole, tmp_path / "ds")
    assert [make(inputs, output, part).work.images for part in ("1/2", "2/2")] == [0, 0]
    merge(output)
    assert contents(output) == contents(whole)


def test_a_part_that_starts_over_makes_its_images_anew_and_no_others(inputs, parts, whole) -> None:
    merge(parts)
    summary = make(inputs, parts, "1/2", resume=False)
    assert 0 < summary.work.images == summary.images < IMAGES
    assert make(inputs, parts, "2/2").work.images == 0
    merge(parts)
    assert contents(parts) == contents(whole)


def test_missing_and_unfinished_parts_are_named_as_ranges(inputs, tmp_path) -> None:
    for number in (2, 5):
        make(inputs, tmp_path / "ds", f"{number}/9")
    (tmp_path / "ds" / STATE / "parts/5-9/done.json").unlink()
    with pytest.raises(
        PartsError, match=r"of 9 parts, parts 1, 3-4, 6-9 are missing and part 5 is unf.*run them"
    ):
        merge(tmp_path / "ds")
    assert not (tmp_path / "ds" / MANIFEST).exists()


def test_a_part_that_was_begun_again_is_unfinished(inputs, parts, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dafre_fast.engine.run.record_making", stop)
    with pytest.raises(KeyboardInterrupt):
        make(inputs, parts, "1/2")
    with pytest.raises(PartsError, match="of 2 parts, part 1 is unfinished; run it again"):
        merge(parts)


def test_a_part_that_is_at_work_is_refused_a_second_time(inputs, parts) -> None:
    with Ledger(parts / STATE / "parts/1-2"), pytest.raises(UsageError, match="another run"):
        make(inputs, parts, "1/2")


def test_parts_of_different_settings_are_refused_with_both_named(inputs, parts) -> None:
    with pytest.raises(UsageError, match="would be lost"):
        make(inputs, parts, "2/2", recipe=Recipe(encoding=Encoding(quality=50)))
    make(inputs, parts, "2/2", recipe=Recipe(encoding=Encoding(quality=50)), resume=False)
    with pytest.raises(UsageError, match=r"part 1 and part 2 differ: --quality is 90 and 50; run"):
        merge(parts)


def test_parts_of_different_tables_are_refused(inputs, parts, tmp_path) -> None:
    other = shutil.copytree(inputs, tmp_path / "inputs")
    with (other / "faces.tsv").open("a") as faces:
        faces.write("0099\\99.jpg\t7\t0.2, 0.2, 0.8, 0.8 0.9\n")
    make(other, parts, "2/2")
    with pytest.raises(UsageError, match=r"part 1 and part 2 differ: faces\.tsv is"):
        merge(parts)


def test_a_part_beside_unmerged_parts_of_another_number_is_refused(inputs, parts) -> None:
    with pytest.raises(
        UsageError, match="has part 1/2, which is not merged; go on with parts of 2"
    ):
        make(inputs, parts, "3/3")
    merge(parts)
    for number in (1, 2, 3):
        assert make(inputs, parts, f"{number}/3").work.images == 0
    merge(parts)


def test_an_output_without_parts_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="has no parts to merge; --part I/N"):
        merge(tmp_path)


def test_a_damaged_record_of_a_part_is_named(parts) -> None:
    (parts / STATE / "parts/2-2/done.json").write_text("{")
    with pytest.raises(InputError, match=r"2-2/done.json: is damaged .*; run part 2/2 again"):
        merge(parts)


def test_while_a_part_is_at_work_nobody_else_begins(inputs, parts) -> None:
    with open_part(parts, Part(1, 2), resume=True):
        with pytest.raises(PartsError, match="of 2 parts, part 1 is unfinished; run it again"):
            merge(parts)
        with pytest.raises(UsageError, match="another run is at work"):
            make(inputs, parts)
        with pytest.raises(UsageError, match="part 1/2 is at work"), undisturbed(parts / STATE):
            pass


def test_a_merge_that_was_killed_while_it_joined_ledgers_ends_in_the_same(parts, whole) -> None:
    own = parts / STATE / "parts/1-2" / NAME
    with Ledger(parts / STATE) as ledger:  # one ledger is joined, and torn, but not yet removed
        with Ledger(own.parent) as part:
            ledger.add(part)
        with ledger.path.open("ab") as file:
            file.write(own.read_bytes()[:100])
    merge(parts)
    assert contents(parts) == contents(whole)
    assert not own.exists()
