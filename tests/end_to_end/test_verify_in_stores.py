"""`verify` of a dataset in an object store: every object is compared, and named if it differs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.findings import Flaw
from dafre_fast.core.layout import LABELS, SHARDS, STATE
from dafre_fast.core.settings.running import Workers
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.verify.run import verify
from dafre_fast.verify.settings import VerifyRun
from tests.commands import dafre
from tests.end_to_end.test_full_into_a_store import IMAGES, full, inputs  # noqa: F401
from tests.sources import faulty_store as faults
from tests.sources.stores import needs_stores, new_store, use

pytestmark = [*needs_stores, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(proxy, inputs, tmp_path_factory) -> tuple[ObjectStore, Path]:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        use(proxy, patch)
        folder, store = tmp_path_factory.mktemp("made"), new_store(proxy)
        full(inputs, folder, "--into", store.address)
    return store, folder / "ds"


@pytest.fixture(autouse=True)
def environment(proxy, made, monkeypatch) -> None:  # noqa: ARG001  (made before)
    use(proxy, monkeypatch)


@pytest.fixture
def store(made) -> Iterator[ObjectStore]:
    """The store, for a test that damages it."""
    before = {name: made[0].read(name) for name in made[0].names()}
    yield made[0]
    made[0].delete(made[0].names().keys() - before.keys())
    for name, data in before.items():
        made[0].put(name, data)


def flaws(place: ObjectStore | Path, **settings: object) -> set[tuple[Flaw, str]]:
    output = Path(place.address) if isinstance(place, ObjectStore) else place
    found = verify(VerifyRun(output=output, **settings), Workers(workers=1))
    return {(one.flaw, one.where) for one in found.findings}


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_dataset_has_no_findings(made, deep) -> None:
    for place in made:
        assert flaws(place, deep=deep) == set()


def test_the_command_counts_the_images_of_the_store(made, tmp_path) -> None:
    done = dafre("verify", "--output", made[0].address, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == IMAGES - 1
    assert [*tmp_path.iterdir()] == []


def test_objects_that_are_missing_damaged_or_too_many_are_named(store) -> None:
    tar, index, table = (f"{SHARDS}/train/0000{n}" for n in ("0.tar", "1.json", "2.parquet"))
    store.put(tar, (data := store.read(tar))[:1000] + b"x" + data[1001:])
    store.delete([index])
    store.put(f"{SHARDS}/train/00099.tar", b"of somebody else")
    store.put(f"{SHARDS}/test/00000_stats.json", b"{}")
    assert flaws(store) == {
        (Flaw.WRONG_HASH, tar),
        (Flaw.MISSING, index),
        (Flaw.ORPHAN, f"{SHARDS}/train/00099.tar"),
        (Flaw.WRONG_SIZE, f"{SHARDS}/test/00000_stats.json"),
    }
    assert table


def test_a_missing_archive_is_named_with_its_images(store) -> None:
    name = f"{SHARDS}/val/00000.tar"
    store.delete([name])
    found = flaws(store)
    assert (Flaw.MISSING, name) in found
    assert len([one for one in found if one[0] is Flaw.MISSING]) > 1


def test_a_deep_look_reads_every_picture(store) -> None:
    name = f"{SHARDS}/train/00000.tar"
    data = store.read(name)
    begin = data.index(b"\xff\xd8")
    store.put(name, data[: begin + 300] + bytes(8) + data[begin + 308 :])
    found = {where for _, where in flaws(store, deep=True)}
    assert name in found
    assert [where for where in found if where.startswith(f"{name}/")]


def test_an_unfinished_pack_and_a_missing_label_file_are_named(store) -> None:
    store.delete([f"{SHARDS}/SHA256SUMS", f"{LABELS}/train.csv"])
    assert {(Flaw.MISSING, f"{SHARDS}/SHA256SUMS"), (Flaw.MISSING, f"{LABELS}/train.csv")} <= flaws(
        store
    )


def test_a_run_mends_what_was_found(store, inputs, made) -> None:  # noqa: F811
    name = f"{SHARDS}/train/00000.tar"
    store.put(name, store.read(name)[:-5])
    full(inputs, made[1].parent, "--into", store.address)
    assert flaws(store) == set()


def test_a_store_that_cannot_be_read_is_no_finding(store, proxy) -> None:
    proxy.plan(faults.status(403), "GET", "00000.tar")
    with pytest.raises(InputError, match=r"s3://.*00000.tar"):
        flaws(store)


def test_what_passes_is_no_finding(store, proxy) -> None:
    for fault in (faults.status(503), faults.half_of_the_answer):
        proxy.plan(fault, "GET", ".tar", times=2)
        proxy.plan(fault, "GET", ".parquet")
    assert flaws(store) == set()


def test_nothing_is_removed_from_a_store(made) -> None:
    for place in made:
        with pytest.raises(UsageError, match="--remove: shards lie in an object store"):
            flaws(place, remove=True)


def test_a_store_without_a_dataset_is_said(proxy) -> None:
    with pytest.raises(InputError, match=f"neither a manifest|{STATE}"):
        flaws(new_store(proxy))
