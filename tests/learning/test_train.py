"""`train` on datasets drawn in a moment: what it leaves, how it goes on, and what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec import structs

from dafre_fast.core.errors import InputError, TrainingError, UsageError, WorkerError
from dafre_fast.core.events import Advanced, Notice
from dafre_fast.core.layout import FACES, FULL, MANIFEST, image_path
from dafre_fast.dataset.locks import alone
from tests.commands import dafre
from tests.learning.drawn import NAMES, TINY, draw_classes, edit_manifest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

pytestmark = pytest.mark.slow  # it trains networks

from torch.utils.data import get_worker_info  # noqa: E402

from dafre_fast.learning.feeding import Order  # noqa: E402
from dafre_fast.learning.models import Computer, load_model  # noqa: E402
from dafre_fast.learning.records import read_config, read_trained_on  # noqa: E402
from dafre_fast.train import loop  # noqa: E402
from dafre_fast.train import run as runs  # noqa: E402
from dafre_fast.train import tensorboard as log  # noqa: E402
from dafre_fast.train.group import Group  # noqa: E402
from dafre_fast.train.run import Trained, train  # noqa: E402
from dafre_fast.train.settings import Figures, TrainRun  # noqa: E402

torch.set_num_threads(1)  # threads that wait for each other are slow on a busy machine
HERE = Group(0, 1, Computer(torch.device("cpu"), 0))
TIMES = ("images_per_second", "waiting")


@pytest.fixture(scope="module")
def ds(tmp_path_factory) -> Path:
    return draw_classes(tmp_path_factory.mktemp("drawn") / "ds")


def trained(ds: Path, into: Path, tell=lambda _: None, **settings: object) -> Trained:
    """Train with the figures of `TINY`, but for those given."""
    fields = {field.name for field in structs.fields(TrainRun)}
    run = {name: settings.pop(name) for name in fields & settings.keys()}
    group = HERE._replace(computer=HERE.computer._replace(workers=settings.pop("workers", 0)))
    figures = Figures(**(TINY | settings))
    return train(TrainRun(output=ds, into=into, **run), figures, group, tell)


def lines(run: Path) -> list[dict[str, object]]:
    """The metrics of every epoch, but for times."""
    told = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in one.items() if name not in TIMES} for one in told]


@pytest.mark.parametrize("recipe", ["modern", "original"])
def test_classes_that_differ_are_learnt(ds, tmp_path, recipe) -> None:
    # In grey the classes differ by their brightness.
    found = trained(ds, tmp_path / "run", recipe=recipe, epochs=8, colours="colour")
    assert found.epochs[-1].top1 == 1.0


def test_the_folder_of_a_model_has_weights_config_metrics_page_and_card(ds, tmp_path) -> None:
    run = tmp_path / "run"
    found = trained(ds, run)
    names = {path.name for path in run.iterdir()}
    assert {
        *("model.safetensors", "config.json", "metrics.jsonl", "trained_on.npy"),
        *("report.html", "curves.svg", "card.md"),
    } <= names
    config, model = load_model(run, torch.device("cpu"))
    assert (config.classes, config.class_sizes) == ([*NAMES], [14, 14, 14])
    assert (config.epochs_done, config.training_images) == (3, 42)
    assert model(torch.zeros(1, 1, 3, 32, 32)).shape == (1, 3)
    assert [one["epoch"] for one in lines(run)] == [1, 2, 3]
    assert found.epochs[-1].step == 3 * 5


def test_pages_show_names_as_text(ds, tmp_path) -> None:
    other = tmp_path / "<b>ds"
    shutil.copytree(ds, other)
    trained(other, tmp_path / "run", epochs=1)
    page = (tmp_path / "run/report.html").read_text()
    assert "&lt;b&gt;ds" in page
    assert "<b>ds" not in page


def test_page_and_card_of_the_original_name_its_deviations_and_those_of_modern_none(
    ds, tmp_path
) -> None:
    for recipe in ("original", "modern"):
        trained(ds, tmp_path / recipe, recipe=recipe, epochs=1)
        for name in ("report.html", "card.md"):
            text = (tmp_path / recipe / name).read_text()
            for deviation in ("7 x 7", "--clip", "never told"):
                assert (deviation in text) == (recipe == "original")


def test_a_model_knows_the_hash_of_each_image_it_was_trained_on(ds, tmp_path) -> None:
    trained(ds, tmp_path / "run", epochs=1)
    rows = pl.read_parquet(ds / MANIFEST)
    known = read_trained_on(tmp_path / "run")
    for split, seen in (("train", True), ("val", False), ("test", False)):
        of_split = rows.filter(split=split)
        for column in ("face_sha256", "original_sha256"):
            first = [int(digits[:16], 16) for digits in of_split[column]]
            assert np.isin(np.array(first, np.uint64), known).all() == seen


@pytest.mark.parametrize("images", ["full", "both"])
def test_full_images_or_both_views_can_be_learnt_from(ds, tmp_path, images) -> None:
    assert trained(ds, tmp_path / "run", images=images).epochs[-1].top1 is not None


@pytest.mark.parametrize("loss", ["arcface", "softmax"])
def test_every_loss_can_be_chosen(ds, tmp_path, loss) -> None:
    epochs = trained(ds, tmp_path / "run", loss=loss, epochs=4).epochs
    assert epochs[-1].loss < epochs[0].loss


def test_a_dataset_in_shards_gives_the_same_as_one_in_trees(ds, tmp_path) -> None:
    from dafre_fast.pack.run import pack
    from dafre_fast.pack.settings import PackRun

    trained(ds, tmp_path / "trees", epochs=1)
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    pack(PackRun(output=other))
    for tree in (FACES, FULL):
        shutil.rmtree(other / tree)
    trained(other, tmp_path / "shards", epochs=1)
    assert lines(tmp_path / "shards") == lines(tmp_path / "trees")


def test_the_same_seed_gives_the_same_model_and_another_seed_another(ds, tmp_path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        trained(ds, tmp_path / name, seed=seed, epochs=1)
    first, again, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "again", "other")
    )
    assert first == again != other


def test_workers_change_nothing(ds, tmp_path) -> None:
    for workers in (0, 2):
        trained(ds, tmp_path / str(workers), workers=workers, epochs=1)
    assert lines(tmp_path / "0") == lines(tmp_path / "2")


class Stop(Exception):
    pass


def stopping(at: str):
    """An observer that ends the training at a notice."""

    def tell(event: object) -> None:
        if isinstance(event, Notice) and event.text.startswith(at):
            raise Stop

    return tell


def test_a_training_that_was_stopped_goes_on_and_ends_as_one_that_was_not(ds, tmp_path) -> None:
    trained(ds, tmp_path / "whole")
    with pytest.raises(Stop):
        trained(ds, tmp_path / "run", stopping("epoch 2/"))
    found = trained(ds, tmp_path / "run")
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    whole, run = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "run"))
    assert whole == run
    assert len(found.epochs) == 3


def test_a_finished_training_does_nothing_more(ds, tmp_path) -> None:
    first = trained(ds, tmp_path / "run")
    events = []
    assert trained(ds, tmp_path / "run", events.append).epochs == first.epochs
    assert not any(isinstance(event, Advanced) for event in events)


def test_a_folder_of_other_settings_is_refused_and_no_resume_starts_over(ds, tmp_path) -> None:
    run = tmp_path / "run"
    trained(ds, run, epochs=1)
    with pytest.raises(UsageError, match=r"was trained with lr 0.05, now 0.1;.* --no-resume"):
        trained(ds, run, epochs=1, lr=0.1)
    assert trained(ds, run, epochs=1, lr=0.1, resume=False).epochs[-1].lr > 0
    assert read_config(run).recipe.lr == 0.1


def test_a_checkpoint_of_another_dataset_is_refused(ds, tmp_path) -> None:
    trained(ds, tmp_path / "run", epochs=1)
    other = draw_classes(tmp_path / "other", first=5000)
    with pytest.raises(UsageError, match=r"was trained on other images or classes \(ds\)"):
        trained(other, tmp_path / "run", epochs=1)


def test_a_damaged_checkpoint_is_named(ds, tmp_path) -> None:
    run = tmp_path / "run"
    trained(ds, run, epochs=1)
    checkpoint = run / ".dafre_fast/checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"checkpoint\.pt: cannot be read"):
        trained(ds, run, epochs=1)


def test_a_damaged_image_is_counted_and_left_out(ds, tmp_path) -> None:
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    (other / FACES / image_path(1000)).write_bytes(b"\xff\xd8 no picture")
    (other / FACES / image_path(1100)).unlink()
    notices, reasons = [], []

    def tell(event: object) -> None:
        if isinstance(event, Notice):
            notices.append(event.text)
        if isinstance(event, Advanced):
            reasons.extend(reason for reason in event.reasons if reason)

    found = trained(other, tmp_path / "run", tell, balance=0.0, batch_size=42, epochs=2)
    assert [one.damaged for one in found.epochs] == [2, 2]
    assert [one.images for one in found.epochs] == [40, 40]
    assert (found.damaged, len(reasons)) == (4, 4)
    assert any("left out, as are others" in text for text in notices)


def test_a_dataset_without_head_crops_says_which_images_it_has(ds, tmp_path) -> None:
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    edit_manifest(other, pl.lit(None, pl.String).alias("face_sha256"))
    for images in ("faces", "both"):
        with pytest.raises(UsageError, match="has no head crops; --images full"):
            trained(other, tmp_path / "run", images=images)
    assert trained(other, tmp_path / "run", images="full", epochs=1).epochs


def test_a_class_without_a_training_image_is_named(ds, tmp_path) -> None:
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    moved = pl.when(class_id=2).then(pl.lit("val")).otherwise("split")
    edit_manifest(other, moved.alias("split"))
    notices = []
    trained(other, tmp_path / "run", notices.append, epochs=1)
    texts = [event.text for event in notices if isinstance(event, Notice)]
    assert '1 of 3 classes have no training image and cannot be learnt: "blue"' in texts


def test_one_class_alone_cannot_be_trained_on(ds, tmp_path) -> None:
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    edit_manifest(other, pl.lit(0, pl.Int64).alias("class_id"))
    with pytest.raises(UsageError, match="all of one class"):
        trained(other, tmp_path / "run")


def test_a_dataset_without_val_is_trained_on_and_says_so(ds, tmp_path) -> None:
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    edit_manifest(other, pl.col("split").replace("val", "test"))
    notices = []
    found = trained(other, tmp_path / "run", notices.append, epochs=1)
    assert found.epochs[-1].top1 is None
    assert any("no image of val" in getattr(event, "text", "") for event in notices)


def test_images_that_lists_leave_out_are_not_trained_on_and_are_counted(ds, tmp_path) -> None:
    table = pl.read_parquet(ds / "manifest.parquet")
    left_out = [*table.filter(split="train")["id"][:3], *table.filter(split="val")["id"][:1]]
    (tmp_path / "list.txt").write_text("".join(f"{image}\n" for image in [*left_out, 77]))
    notices = []
    lists = {"exclude": tmp_path / "list.txt", "epochs": 1}
    found = trained(ds, tmp_path / "run", notices.append, **lists)
    assert found.images == table.filter(split="train").height - 3
    assert found.excluded == 4
    assert sum("1 of 5 images are not in the dataset" in str(one) for one in notices) == 1
    (tmp_path / "list.txt").write_text(f"{left_out[-1]}\n")
    with pytest.raises(UsageError, match=r"only .*list\.txt: no image of 'train' is left"):
        trained(ds, tmp_path / "other", only=tmp_path / "list.txt")


def losing(monkeypatch, at: int) -> None:
    """Make the loss of the step `at` no number."""
    steps, real = [], loop.loss_of

    def loss_of(*given: object):
        steps.append(1)
        return real(*given) * (float("nan") if len(steps) == at + 1 else 1)

    monkeypatch.setattr(loop, "loss_of", loss_of)


def test_a_loss_that_is_no_number_ends_it_by_its_step_and_keeps_the_last_model(
    ds, tmp_path, monkeypatch
) -> None:
    trained(ds, tmp_path / "one", epochs=3)
    losing(monkeypatch, 7)
    with pytest.raises(TrainingError, match="step 7: the loss is nan; the model of the last epoch"):
        trained(ds, tmp_path / "run")
    assert lines(tmp_path / "run") == lines(tmp_path / "one")[:1]
    _, model = load_model(tmp_path / "run", torch.device("cpu"))
    assert all(one.isfinite().all() for one in model.parameters())


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")],
)
def test_lack_of_memory_is_one_line_that_names_the_batch(ds, tmp_path, monkeypatch, error) -> None:
    def augment(*_: object) -> None:
        raise error

    monkeypatch.setattr(loop, "augment", augment)
    with pytest.raises(TrainingError, match=r"a batch of 8 images of 32 pixels; .*--batch-size 4"):
        trained(ds, tmp_path / "run")


def test_lack_of_memory_while_val_is_judged_names_the_batch_too(ds, tmp_path, monkeypatch) -> None:
    def answer(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(runs, "answer", answer)
    with pytest.raises(TrainingError, match=r"a batch of 8 images of 32 pixels; .*--batch-size 4"):
        trained(ds, tmp_path / "run")


def order(balance: float, size: int = 4, ranks: int = 1) -> Order:
    return Order(np.array([0] * 90 + [1] * 10), size, ranks, balance, seed=1)


def test_an_epoch_has_every_image_once_in_another_order() -> None:
    first, second = ([*chain(*order(0.0).batches(epoch, 0))] for epoch in (0, 1))
    assert sorted(first) == sorted(second) == [*range(100)]
    assert first != second


def test_processes_share_the_images_of_an_epoch() -> None:
    parts = [order(0.0, 5, 2).batches(3, rank) for rank in (0, 1)]
    assert {len(part) for part in parts} == {10}
    assert sorted(chain(*parts[0], *parts[1])) == [*range(100)]


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (1.0, 0.5)])
def test_balance_evens_out_how_often_classes_are_seen(balance, share) -> None:
    seen = [
        number
        for epoch in range(20)
        for batch in order(balance).batches(epoch, 0)
        for number in batch
    ]
    assert np.mean(np.array(seen) >= 90) == pytest.approx(share, abs=0.02)


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    few = Order(np.array([0, 1, 1]), 8, 1, 0.0, seed=1)
    assert (few.steps, [sorted(batch) for batch in few.batches(0, 0)]) == (1, [[0, 1, 2]])


def command(ds: Path, into: Path, *more: object) -> list[str]:
    flags = [
        word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    words = ("-m", "dafre_fast.train", "--output", ds, "--into", into, "--threads", 1)
    return [*map(str, (*words, *flags, *more))]


def test_after_a_kill_the_same_command_goes_on_and_ends_with_the_same_metrics(ds, tmp_path) -> None:
    whole, killed = (command(ds, tmp_path / name, "--epochs", 6) for name in ("whole", "killed"))
    subprocess.run([sys.executable, *whole], check=True, capture_output=True)
    with subprocess.Popen([sys.executable, *killed], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert 2 <= len(lines(tmp_path / "killed")) < 6
    done = subprocess.run([sys.executable, *killed], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "epoch 2/" not in done.stderr
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")


KILLED = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from tests.learning.test_train import trained

ds, into, module, name, at = sys.argv[1:]
module, calls = import_module(module), []
real = getattr(module, name)

def killing(*args):
    calls.append(1)
    if len(calls) < int(at):
        return real(*args)
    if name == "replacing":  # half a checkpoint
        args[0].with_name(f".{args[0].name}.part").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, name, killing)
trained(Path(ds), Path(into))
"""


@pytest.mark.parametrize(
    ("module", "name", "at"),
    [
        ("dafre_fast.train.checkpoints", "replacing", 2),
        ("dafre_fast.train.run", "save_model", 2),
        ("dafre_fast.train.run", "write_metrics", 3),  # of the last epoch
        ("dafre_fast.train.run", "write_page", 1),
    ],
)
def test_a_kill_while_an_epoch_is_written_changes_nothing(ds, tmp_path, module, name, at) -> None:
    words = [sys.executable, "-c", KILLED, str(ds), str(tmp_path / "run"), module, name, str(at)]
    killed = subprocess.run(words, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    trained(ds, tmp_path / "run")
    trained(ds, tmp_path / "whole")
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    for left in ("model.safetensors", "config.json", "card.md"):
        assert (tmp_path / "run" / left).read_bytes() == (tmp_path / "whole" / left).read_bytes()
    assert (tmp_path / "run/report.html").exists()


def test_only_one_training_at_a_time_works_in_a_folder(ds, tmp_path) -> None:
    with (
        alone(tmp_path / "run/.dafre_fast"),
        pytest.raises(UsageError, match="a run is at work here"),
    ):
        trained(ds, tmp_path / "run", epochs=1)


def test_a_batch_of_which_one_image_can_be_read_is_trained_on(ds, tmp_path) -> None:
    other = tmp_path / "ds"
    shutil.copytree(ds, other)
    rows = pl.read_parquet(other / MANIFEST).filter(split="train")
    for image in rows["id"][1:14]:
        (other / FACES / image_path(image)).write_bytes(b"no picture")
    found = trained(other, tmp_path / "run", batch_size=42, epochs=1, balance=0.0)
    assert (found.epochs[0].images, found.damaged) == (29, 13)
    edit_manifest(
        other, pl.when(pl.col("id") > 1101).then(pl.lit("val")).otherwise("split").alias("split")
    )
    found = trained(other, tmp_path / "few", batch_size=42, epochs=1, balance=0.0)
    assert found.epochs[0].images + found.damaged == rows.filter(pl.col("id") <= 1101).height


class Dying:
    """Images that kill the process that reads one of them."""

    def __init__(self, images: object) -> None:
        self._images = images

    def __getattr__(self, name: str) -> object:
        return getattr(self._images, name)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: int) -> object:
        if number == 7 and get_worker_info():
            os.kill(os.getpid(), signal.SIGKILL)
        return self._images[number]


def test_a_process_that_decodes_and_dies_is_one_line(ds, tmp_path, monkeypatch) -> None:
    real = runs.open_images
    monkeypatch.setattr(runs, "open_images", lambda *args: Dying(real(*args)))
    with pytest.raises(WorkerError, match=r"decodes images died.* fewer --workers"):
        trained(ds, tmp_path / "run", workers=2)


def test_clipping_bounds_how_far_a_step_goes(ds, tmp_path) -> None:
    figures = {"epochs": 2, "average": 0.0, "weight_decay": 0.0, "magnitude": 0.0, "flip": False}
    held, free = (
        trained(ds, tmp_path / str(clip), clip=clip, **figures).epochs[-1].loss
        for clip in (1e-9, 0.0)
    )
    assert free < 0.9 * held


def test_without_tensorboard_there_is_no_log_and_no_word_of_it(ds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(log, "find_spec", lambda _: None)
    notices = []
    trained(ds, tmp_path / "run", notices.append, epochs=1)
    assert not (tmp_path / "run/tensorboard").exists()
    assert not any("TensorBoard" in getattr(event, "text", "") for event in notices)


def test_a_tensorboard_that_does_not_work_costs_its_log_alone(ds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(log, "find_spec", lambda _: "there")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    notices = []
    assert trained(ds, tmp_path / "run", notices.append, epochs=1).epochs
    assert any("no log for TensorBoard" in getattr(one, "text", "") for one in notices)


def test_the_tensorboard_log_has_every_epoch_once_after_a_stop_too(ds, tmp_path) -> None:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard is not installed",
    )
    with pytest.raises(Stop):
        trained(ds, tmp_path / "run", stopping("epoch 2/"))
    found = trained(ds, tmp_path / "run")
    events = reader.EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    for name in ("loss", "lr", "images_per_second", "top1", "top5"):
        told = [(one.step, one.value) for one in events.Scalars(name)]
        expected = [(one.epoch, getattr(one, name)) for one in found.epochs]
        assert told == [(step, pytest.approx(value)) for step, value in expected]


def test_two_processes_train_one_model(ds, tmp_path) -> None:
    figures = ("--batch-size", 4, "--epochs", 8, "--json")
    words = ("--nproc-per-node", "2", *command(ds, tmp_path / "run", *figures))
    launch = [sys.executable, "-m", "torch.distributed.run", *words]
    done = subprocess.run(
        launch,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=Trained)
    assert [one.images for one in found.epochs] == [40] * 8
    assert read_config(tmp_path / "run").processes == 2
    assert found.epochs[-1].top1 == 1.0  # as one process with batches of 8


def test_shuffled_labels_cannot_be_learnt(tmp_path) -> None:
    ds = draw_classes(tmp_path / "ds", images=100)
    edit_manifest(ds, pl.col("class_id").shuffle(seed=5))
    found = trained(ds, tmp_path / "run", epochs=5)
    assert found.epochs[-1].top1 < 0.6


def test_without_pytorch_one_line_names_the_extra(tmp_path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['train'];"
        " from dafre_fast.train.__main__ import command; from dafre_fast import cli;"
        " cli.run(command)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == (
        "dafre-fast train: PyTorch is not installed: pip install 'dafre_fast[train]'\n"
    )


def test_a_folder_that_is_no_dataset_is_one_line(tmp_path) -> None:
    done = dafre("train", "--output", "nothing", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nothing" in done.stderr
