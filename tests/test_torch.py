"""The datasets for PyTorch, in a DataLoader with workers; only where PyTorch is installed."""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from tests.datasets_drawn import SPLITS, draw_dataset

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

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


@pytest.mark.parametrize("context", ["fork", "spawn"])
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


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_workers_of_shards_lose_no_sample_and_take_none_twice(ds, workers) -> None:
    script = f"""
data = Shards(shards, transform=Square(16), seed=1)
ids = [int(i) for batch in DataLoader(data, 2, num_workers={workers}) for i in batch["id"]]
print(json.dumps(sorted(ids)))
"""
    assert loaded(ds, script) == TRAIN


def test_workers_that_persist_are_told_of_the_epoch(ds) -> None:
    script = """
data = Shards(shards, transform=Square(16), seed=1)
loader = DataLoader(data, 1, num_workers=1, persistent_workers=True)
orders = []
for epoch in (0, 1, 0):
    data.set_epoch(epoch)
    orders.append([int(batch["id"]) for batch in loader])
print(json.dumps(orders))
"""
    first, second, third = loaded(ds, script)
    assert first == third != second
    assert sorted(second) == TRAIN


def test_ranks_and_their_workers_share_the_samples(ds, tmp_path) -> None:
    script = f"""
import torch.distributed
torch.distributed.init_process_group(
    "gloo", init_method="file://{tmp_path}/store", rank=RANK, world_size=2
)
loader = DataLoader(Shards(shards, transform=Square(16)), 1, num_workers=2)
print(json.dumps([int(batch["id"]) for batch in loader]))
torch.distributed.destroy_process_group()
"""
    with ThreadPoolExecutor(2) as threads:
        told = [*threads.map(lambda rank: loaded(ds, script.replace("RANK", rank)), "01")]
    assert sorted(told[0] + told[1]) == TRAIN
    assert {len(told[0]), len(told[1])} == {3, 4}
