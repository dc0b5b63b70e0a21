"""A small model, trained once for all tests that use one."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.learning.drawn import TINY, draw_classes


class Made(NamedTuple):
    """A dataset, and the folder of a model that was trained on it and tells its classes apart."""

    dataset: Path
    model: Path


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    from dafre_fast.learning.models import Computer
    from dafre_fast.train.group import Group
    from dafre_fast.train.run import train
    from dafre_fast.train.settings import Figures, TrainRun

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    dataset = draw_classes(folder / "ds")
    run = TrainRun(output=dataset, into=folder / "run")
    figures = Figures(**(TINY | {"epochs": 12, "erase": 0.0, "operations": 0, "crop": 0.8}))
    train(run, figures, Group(0, 1, Computer(torch.device("cpu"), 0)))
    return Made(dataset, folder / "run")
