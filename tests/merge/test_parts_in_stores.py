"""Parts into an object store, on machines that share no disk, become the dataset of one run."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import InputError, OutputError, PartsError, UsageError
from dafre_fast.core.layout import BOXES, LABELS, MANIFEST, SHARDS, STATE
from dafre_fast.dataset.ledger import NAME
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.dataset.parts import DONE
from dafre_fast.full.storing import put_dataset
from dafre_fast.merge.run import folder_of, merge
from tests.merge.small import IMAGES, contents, draw, make
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores

pytestmark = [*needs_stores, pytest.mark.slow]
PARTS = f"{STATE}/parts"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory) -> dict[str, object]:
    """The dataset as one run makes it in a folder."""
    output = tmp_path_factory.mktemp("whole") / "ds"
    make(inputs, output, pack="webdataset")
    return contents(output)


class Machine:
    """A machine with a disk of its own, which makes parts."""

    def __init__(self, inputs: Path, store: ObjectStore, disk: Path) -> None:
        self.inputs, self.store, self.disk = inputs, store, disk

    def make(self, part: str | None, **more: object):
        more = {"workers": 1, **more}  # workers have the environment of the first run of a test
        into = {"pack": "webdataset", "into": Path(self.store.address), **more}
        return make(self.inputs, self.disk / "ds", part, **into)


@pytest.fixture
def machine(inputs, store, tmp_path):
    """Start a machine whose disk is empty."""
    names = iter(range(100))
    return lambda: Machine(inputs, store, tmp_path / f"machine{next(names)}")


def merged(store: ObjectStore):
    with folder_of(Path(store.address)) as folder:
        found = merge(folder)
        put_dataset(folder, lambda _: None)
    return found.summary


def fetched(store: ObjectStore, folder: Path) -> dict[str, object]:
    for name in store.names():
        store.fetch(name, folder / name)
    return contents(folder)


def test_parts_on_machines_of_their_own_end_in_the_bytes_of_one_run(
    machine, store, proxy, whole, tmp_path
) -> None:
    for number in (3, 1, 2):
        machine().make(f"{number}/3")
    archives = [path for path in proxy.puts() if path.endswith(".tar")]
    summary = merged(store)
    assert fetched(store, tmp_path / "all") == whole
    assert (summary.images, summary.success, summary.work.images) == (IMAGES, IMAGES - 1, IMAGES)
    again = [path for path in proxy.puts() if path.endswith(".tar")]
    assert again == archives
    assert len(archives) == len({*archives}) == summary.packed.kept


def test_an_empty_disk_goes_on_from_the_store_and_what_is_finished_costs_nothing(
    machine, store, proxy, whole, tmp_path
) -> None:
    machine().make("1/2")
    proxy.forget()
    summary = machine().make("1/2")
    assert summary.work.images == 0
    assert (summary.packed.written, summary.packed.kept) == (0, 4)
    assert [path for path in proxy.puts() if path.endswith((".tar", ".parquet", NAME))] == []
    machine().make("2/2")
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_a_part_that_is_lost_between_two_puts_keeps_the_shards_that_arrived(
    machine, store, proxy, whole, tmp_path
) -> None:
    proxy.plan(faults.status(403), "PUT", "/train/00002.tar")
    with pytest.raises(OutputError, match=r"train/00002\.tar"):
        machine().make("1/2")
    with pytest.raises(PartsError, match=r"of 2 parts, part 2 is missing and part 1 is unfinished"):
        merged(store)
    proxy.forget()
    summary = machine().make("1/2")
    assert (summary.work.images, summary.packed.written, summary.packed.kept) == (7, 3, 1)
    assert len([path for path in proxy.puts() if path.endswith("/train/00000.tar")]) == 0
    machine().make("2/2")
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_parts_that_are_made_twice_at_the_same_time_write_the_same_bytes(
    machine, store, proxy, whole, tmp_path
) -> None:
    def race(*_: object) -> None:
        """Make the part a second time while the first has a shard on its way."""
        machine().make("1/2")

    proxy.plan(lambda _, body: race() or body, "PUT", "/train/00000.json")
    machine().make("1/2")
    machine().make("2/2")
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500),
        faults.status(503),
        faults.cut_in_the_middle,
        faults.answer_lost,
        faults.half_stored,
        faults.other_bytes_stored,
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_faulty_store_loses_nothing(machine, store, proxy, whole, tmp_path, fault) -> None:
    for text in (".tar", ".parquet", "_stats.json", NAME, "labels", "rows-"):
        proxy.plan(fault, "PUT", text, times=2)
    for number in (1, 2):
        machine().make(f"{number}/2")
    for text in (NAME, MANIFEST, "SHA256SUMS"):
        proxy.plan(fault, "PUT", text, times=2)
    for text in (NAME, DONE, "list-type"):
        proxy.plan(faults.half_of_the_answer, "GET", text, times=2)
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_a_shard_that_somebody_replaced_is_found_with_the_part_that_makes_it(
    machine, store, whole, tmp_path
) -> None:
    for number in (1, 2):
        machine().make(f"{number}/2")
    store.put(f"{SHARDS}/train/00001.tar", b"other bytes")
    with pytest.raises(PartsError, match=r"1 shard is not as the ledger has it; run part 2 of 2 a"):
        merged(store)
    assert machine().make("2/2").packed.written == 1
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_more_parts_than_shards_leave_some_with_nothing_to_do(
    machine, store, whole, tmp_path
) -> None:
    made = [machine().make(f"{number}/11").images for number in range(1, 12)]
    assert made[-1] == 0
    assert sum(made) == IMAGES
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_after_a_merge_parts_and_whole_runs_find_everything_done(
    machine, store, whole, tmp_path
) -> None:
    for number in (1, 2):
        machine().make(f"{number}/2")
    merged(store)
    assert not [name for name in store.names(PARTS) if name.endswith(NAME)]
    assert machine().make(None).work.images == 0
    assert store.names(PARTS) == {}
    for number in (1, 2, 3):
        assert machine().make(f"{number}/3").work.images == 0
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_a_whole_run_takes_over_what_parts_have_done(machine, store, whole, tmp_path) -> None:
    made = machine().make("1/2").images
    whole_run = machine()
    assert whole_run.make(None).work.images == IMAGES - made
    put_dataset(whole_run.disk / "ds", lambda _: None)
    assert store.names(PARTS) == {}
    assert fetched(store, tmp_path / "all") == whole


def test_a_part_that_starts_over_makes_its_images_anew(machine, store, whole, tmp_path) -> None:
    for number in (1, 2):
        machine().make(f"{number}/2")
    merged(store)
    again = machine().make("1/2", resume=False)
    assert 0 < again.work.images == again.images < IMAGES
    machine().make("2/2")
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_a_part_beside_unmerged_parts_of_another_number_is_refused(machine) -> None:
    machine().make("1/2")
    with pytest.raises(UsageError, match=r"s3://.* has part 1/2, which is not merged; go on with"):
        machine().make("1/3")


def test_a_merge_deletes_shards_of_an_earlier_size_and_nothing_that_is_not_ours(
    machine, store, whole, tmp_path
) -> None:
    for number in (1, 2):
        machine().make(f"{number}/2", shard_size=2)
    strange = {"mine.txt", f"{SHARDS}/mine.tar", f"{LABELS}-mine/a"}
    for name in strange:
        store.put(name, b"mine")
    for number in (1, 2):
        machine().make(f"{number}/2")
    merged(store)
    found = fetched(store, tmp_path / "all")
    assert {name: found.pop(name) for name in strange} == dict.fromkeys(strange, b"mine")
    assert found == whole


def test_a_merge_that_is_killed_while_it_joins_ledgers_ends_in_the_same(
    machine, store, proxy, whole, tmp_path
) -> None:
    for number in (1, 2):
        machine().make(f"{number}/2")
    proxy.plan(faults.status(403), "PUT", "SHA256SUMS")
    with pytest.raises(OutputError, match="SHA256SUMS"):
        merged(store)
    proxy.forget()
    merged(store)
    assert fetched(store, tmp_path / "all") == whole


def test_a_bucket_that_refuses_ends_a_part_and_a_merge_before_anything(
    machine, store, proxy
) -> None:
    proxy.plan(faults.status(403), "PUT", times=2)
    one = machine()
    with pytest.raises(UsageError, match=r"--into s3://.*: cannot be written"):
        one.make("1/2")
    with pytest.raises(UsageError, match=r"--output s3://.*: cannot be written"):
        merged(store)
    assert store.names() == {}
    assert not [path for path in one.disk.rglob("*") if path.name == NAME]


def test_a_store_without_parts_is_named(store) -> None:
    with pytest.raises(InputError, match=r"s3://.*: has no parts to merge; --part I/N"):
        merged(store)


def test_head_boxes_of_parts_are_those_of_the_whole(machine, store, tmp_path) -> None:
    for number in (1, 2):
        machine().make(f"{number}/2")
    merged(store)
    store.fetch(f"{STATE}/{BOXES}", tmp_path / BOXES)
    assert pl.read_parquet(tmp_path / BOXES).height == IMAGES
    other = machine()
    other.inputs = shutil.copytree(other.inputs, tmp_path / "inputs")
    faces = other.inputs / "faces.tsv"
    faces.write_text(faces.read_text().replace("0.2, 0.2, 0.8", "0.1, 0.2, 0.8"))
    with pytest.raises(UsageError, match="13 crops have another box than in an earlier run"):
        other.make("1/2")
