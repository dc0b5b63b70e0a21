"""The datasets for PyTorch, in a DataLoader with workers; only where PyTorch is installed."""

import json
import pickle
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.datasets_drawn import SPLITS, draw_dataset

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

from dafre_fast.torch import Images, Shards, Square  # noqa: E402

TRAIN = [1000 + number for number in SPLITS["train"]]


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Path:
    ds = draw_dataset(tmp_path_factory.mktemp("drawn") / "ds")
    pack(PackRun(output=ds, shard_size=3))
    return ds


def loaded(ds: Path, script: str) -> object:
    """Run a script in its own process and return the JSON that it prints. It can use `ds`,
    `shards`, `DataLoader`, `Images`, `Shards`, `Square` and `read_tag_names`.
    """
    head = (
        "import json, sys, torch\n"
        "from torch.utils.data import DataLoader\n"
        "from dafre_fast.torch import Images, Shards, Square, read_tag_names\n"
        "if __name__ == '__main__':\n"
        "    ds, shards = sys.argv[1], sys.argv[1] + '/packs/webdataset-both/train'\n"
    )
    lines = "".join(f"    {line}\n" for line in script.strip().splitlines())
    path = Path(tempfile.mkdtemp(dir=ds.parent)) / "script.py"  # spawned workers read it, too
    path.write_text(head + lines)
    command = [sys.executable, str(path), str(ds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lists_choose_images_and_samples_and_unknown_ones_are_warned_of(ds, tmp_path) -> None:
    (tmp_path / "marks.csv").write_text("id,mark\n1000,a\n1003,b\n77,a\n")
    with pytest.warns(UserWarning, match="1 of 3 images are not in the dataset, such as 77"):
        images = Images(ds, "train", only=tmp_path / "marks.csv")
    assert (images.ids.tolist(), images.excluded) == ([1000, 1003], len(TRAIN) - 2)
    folder = ds / "packs/webdataset-both/train"
    shards = Shards(folder, exclude=tmp_path / "marks.csv", mark="b")
    assert sorted(item["id"] for item in shards) == [one for one in TRAIN if one != 1003]
    assert (len(shards), shards.excluded) == (len(TRAIN) - 1, 1)


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_images_come_in_batches_through_workers(ds, context) -> None:
    script = f"""
images = Images(ds, "train", images="both", transform=Square(16), tag_names=read_tag_names(ds))
loader = DataLoader(images, 4, num_workers=2, multiprocessing_context="{context}")
batches = [*loader]
print(json.dumps({{
    "ids": [int(i) for batch in batches for i in batch["id"]],
    "classes": [int(i) for batch in batches for i in batch["class_id"]],
    "full": [[*batch["full"].shape] for batch in batches],
    "face": str(batches[0]["face"].dtype),
    "tags": int(batches[0]["tags"].sum()),
}}))
"""
    assert loaded(ds, script) == {
        "ids": TRAIN,
        "classes": [image % 2 for image in TRAIN],
        "full": [[4, 3, 16, 16], [3, 3, 16, 16]],
        "face": "torch.uint8",
        "tags": 16,
    }


def test_workers_of_shards_lose_no_sample_and_take_none_twice(ds) -> None:
    script = """
data = Shards(shards, transform=Square(16), seed=1)
loaders = (DataLoader(data, 2, num_workers=workers) for workers in (0, 1, 2, 5))
print(json.dumps([sorted(int(i) for batch in loader for i in batch["id"]) for loader in loaders]))
"""
    assert loaded(ds, script) == [TRAIN] * 4


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_that_persist_are_told_of_the_epoch(ds, context) -> None:
    script = f"""
data = Shards(shards, transform=Square(16), seed=1)
loader = DataLoader(
    data, 1, num_workers=1, persistent_workers=True, multiprocessing_context="{context}"
)
orders = []
for epoch in (0, 1, 0):
    data.set_epoch(epoch)
    orders.append([int(batch["id"]) for batch in loader])
print(json.dumps(orders))
"""
    first, second, third = loaded(ds, script)
    assert first == third != second
    assert sorted(second) == TRAIN


def of_ranks(ds: Path, script: str) -> list:
    """Return what two processes print for the same script, in which RANK is 0 and 1."""
    with ThreadPoolExecutor(2) as threads:
        return [*threads.map(lambda rank: loaded(ds, script.replace("RANK", rank)), "01")]


GROUP = """
import torch.distributed
torch.distributed.init_process_group(
    "gloo", init_method="file://{store}", rank=RANK, world_size=2
)
"""
READ = """
loader = DataLoader(data, 1, num_workers=2, multiprocessing_context="{context}")
print(json.dumps([int(batch["id"]) for batch in loader]))
"""
MADE = "data = Shards(shards, transform=Square(16))\n"
LAUNCHED = "import os\nos.environ |= dict(zip(['RAN' 'K', 'WORLD_SIZE'], ['RANK', '2']))\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "context"),
    [
        pytest.param(GROUP + MADE, "fork", id="group first, fork"),
        pytest.param(GROUP + MADE, "spawn", id="group first, spawn"),
        pytest.param(GROUP + MADE, "forkserver", id="group first, forkserver"),
        pytest.param(MADE + GROUP, "spawn", id="group later, spawn"),
        pytest.param(LAUNCHED + MADE, "spawn", id="launched, no group, spawn"),
    ],
)
def test_ranks_and_their_workers_share_the_samples(ds, tmp_path, begin, context) -> None:
    script = begin.replace("{store}", str(tmp_path / "store")) + READ.format(context=context)
    told = of_ranks(ds, script)
    assert sorted(told[0] + told[1]) == TRAIN
    assert {len(told[0]), len(told[1])} == {3, 4}


SPAWNED = """
import json, sys, torch.distributed, torch.multiprocessing
from torch.utils.data import DataLoader
from dafre_fast.torch import Images, Shards, Square

def rank_main(rank, data, store, context, told):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    loader = DataLoader(data, 1, num_workers=2, multiprocessing_context=context)
    told.put([int(batch["id"]) for batch in loader])

if __name__ == "__main__":
    folder, store, context = sys.argv[1:]
    told = torch.multiprocessing.get_context("spawn").Queue()
    data = Shards(folder, transform=Square(16))
    arguments = (data, store, context, told)
    ranks = torch.multiprocessing.spawn(rank_main, arguments, nprocs=2, join=False)
    print(json.dumps([told.get(), told.get()]))
    ranks.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_ranks_that_are_spawned_with_the_dataset_share_its_samples(ds, tmp_path, context) -> None:
    path = tmp_path / "script.py"
    path.write_text(SPAWNED)
    folder = ds / "packs/webdataset-both/train"
    command = [sys.executable, str(path), str(folder), str(tmp_path / "store"), context]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(one for told in json.loads(done.stdout) for one in told) == TRAIN


@pytest.mark.slow
@pytest.mark.parametrize("even", ["drop", "pad"])
def test_ranks_that_train_together_come_to_the_end_of_an_epoch(ds, tmp_path, even) -> None:
    script = f"""
data = Shards(shards, transform=Square(16), even="{even}")
loader = DataLoader(data, 2, num_workers=1, drop_last=True, multiprocessing_context="fork")
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 1))
steps = 0
for batch in loader:
    model(batch["full"].float().mean((2, 3))).sum().backward()
    steps += 1
print(json.dumps(steps))
"""
    told = of_ranks(ds, GROUP.replace("{store}", str(tmp_path / "store")) + script)
    assert told == {"drop": [1, 1], "pad": [2, 2]}[even]


def ids(items) -> list[int]:
    return [int(number) for item in items for number in torch.as_tensor(item["id"]).reshape(-1)]


@pytest.mark.parametrize(("even", "lengths"), [(None, [3, 4]), ("drop", [3, 3]), ("pad", [4, 4])])
def test_the_length_is_the_number_of_samples_of_the_rank(ds, even, lengths) -> None:
    folder = ds / "packs/webdataset-both/train"
    parts = [Shards(folder, even=even, rank=rank, world_size=2) for rank in (0, 1)]
    assert [len(part) for part in parts] == [len(ids(part)) for part in parts] == lengths
    taken = ids(parts[0]) + ids(parts[1])
    order = ids(Shards(folder))
    assert taken == {None: order, "drop": order[:6], "pad": order + order[:1]}[even]


def test_workers_that_take_batches_give_as_many_as_the_loader_counts(ds) -> None:
    data = Shards(ds / "packs/webdataset-both/train", transform=Square(8), batch_size=3)
    order = ids(data)
    loader = DataLoader(data, 3, num_workers=2, multiprocessing_context="fork")
    batches = [batch["id"].tolist() for batch in loader]
    assert (batches, len(loader)) == ([order[:3], order[3:6], order[6:]], 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"even": "cut"}, "even='cut': must be 'drop', 'pad' or None"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"rank": 1}, "rank=1, world_size=None: both are needed"),
        ({"rank": 2, "world_size": 2}, "rank=2, world_size=2"),
    ],
)
def test_arguments_out_of_their_bounds_are_named(ds, arguments, message) -> None:
    with pytest.raises(UsageError, match=message):
        Shards(ds / "packs/webdataset-both/train", **arguments)


def test_dropping_is_refused_where_nothing_would_be_left(ds) -> None:
    data = Shards(ds / "packs/webdataset-both/train", even="drop", rank=0, world_size=8)
    with pytest.raises(UsageError, match="7 samples are too few for 8 ranks"):
        iter(data)


@pytest.mark.parametrize("variables", [("0", "zero"), ("2", "2")])
def test_a_rank_of_the_launcher_that_is_none_is_named(ds, monkeypatch, variables) -> None:
    for name, value in zip(("RANK", "WORLD_SIZE"), variables, strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="are no rank of a job"):
        Shards(ds / "packs/webdataset-both/train")


def shuffled(ds: Path, **arguments) -> "Shards":
    return Shards(ds / "packs/webdataset-both/train", transform=Square(8), seed=3, **arguments)


@pytest.mark.parametrize("read", range(5))
def test_an_epoch_goes_on_where_its_state_was_taken(ds, read) -> None:
    first = shuffled(ds, rank=0, world_size=2, even="pad")
    first.set_epoch(5)
    reading = iter(first)
    before = ids(next(reading) for _ in range(read - (read > 4)))
    then = shuffled(ds, rank=0, world_size=2, even="pad")
    then.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert before + ids(then) == ids(first)
    assert ids(then) == ids(first)  # the next epoch begins at its beginning


def test_another_epoch_than_that_of_the_state_begins_at_its_beginning(ds) -> None:
    first, then = shuffled(ds), shuffled(ds)
    next(iter(first))
    then.load_state_dict(first.state_dict())
    then.set_epoch(1)
    assert sorted(ids(then)) == TRAIN


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 0, "world_size": 3}, "world_size=2, here it is 3"),
        ({"rank": 1, "world_size": 2, "even": "drop"}, "even=None, here it is drop"),
        ({"rank": 1, "world_size": 2, "batch_size": 2}, "batch_size=None, here it is 2"),
    ],
)
def test_a_state_of_samples_divided_otherwise_is_refused(ds, arguments, message) -> None:
    first, then = shuffled(ds, rank=0, world_size=2), shuffled(ds, **arguments)
    next(iter(first))
    then.load_state_dict(first.state_dict())
    with pytest.raises(UsageError, match=message):
        iter(then)


def test_a_state_that_is_none_or_is_not_there_is_refused(ds) -> None:
    data = shuffled(ds)
    with pytest.raises(UsageError, match="nothing was read in this process"):
        data.state_dict()
    with pytest.raises(UsageError, match="is no state of Shards"):
        data.load_state_dict({"epoch": 1})


def test_a_copy_for_a_worker_knows_the_rank_of_its_process(ds, monkeypatch) -> None:
    data = Shards(ds / "packs/webdataset-both/train")
    order = ids(data)
    with monkeypatch.context() as group:
        group.setattr(torch.distributed, "is_initialized", lambda: True)
        group.setattr(torch.distributed, "get_rank", lambda: 1)
        group.setattr(torch.distributed, "get_world_size", lambda: 2)
        sent = pickle.dumps(data)
    assert ids(pickle.loads(sent)) == order[3:]


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated", "ignore:This DataLoader will")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_loader_goes_on_within_an_epoch(ds, workers) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason="no torchdata here")

    def loader() -> torch.utils.data.DataLoader:
        given = {"multiprocessing_context": "fork", "persistent_workers": True} if workers else {}
        return stateful.StatefulDataLoader(shuffled(ds), 2, num_workers=workers, **given)

    whole = [batch["id"].tolist() for batch in loader()]
    for read in range(len(whole)):
        first, then = loader(), loader()
        reading = iter(first)
        before = [next(reading)["id"].tolist() for _ in range(read)]
        then.load_state_dict(first.state_dict())
        assert before + [batch["id"].tolist() for batch in then] == whole
        assert [batch["id"].tolist() for batch in then] == whole
