"""`python -m bench.training`, on a few images."""

import subprocess
import sys

import msgspec
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

from bench.training import Measured

pytestmark = pytest.mark.slow  # it trains a network


def test_an_epoch_from_shards_and_steps_without_loading_are_measured(tmp_path) -> None:
    words = ("--device", "cpu", "--threads", "1", "--images", "24", "--batch-size", "8")
    more = ("--steps", "1", "--side", "64", "--folder", str(tmp_path / "ds"))
    done = subprocess.run(
        [sys.executable, "-m", "bench.training", *words, *more],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=Measured)
    assert (found.images, found.batch_size, found.workers) == (24, 8, 0)
    assert 0 < found.waiting < 1
    assert not (tmp_path / "ds/faces").exists()  # it was read from shards
