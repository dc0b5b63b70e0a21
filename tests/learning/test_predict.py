"""`predict` on pictures that were never trained on."""

import json
import os
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Notice, silent
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from tests.commands import dafre
from tests.hosts import host
from tests.learning.drawn import COLOURS, NAMES, jpeg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

from dafre_fast.learning import naming  # noqa: E402
from dafre_fast.learning.models import load_model  # noqa: E402
from dafre_fast.learning.settings import Computing  # noqa: E402
from dafre_fast.predict.run import Predictions, predict  # noqa: E402
from dafre_fast.predict.settings import PredictRun  # noqa: E402


def named(
    model: Path, *pictures: object, detector: Path | None = None, tell=silent, **more: object
) -> Predictions:
    run = PredictRun(model=model, pictures=tuple(map(str, pictures)), **more)
    detecting = Detecting(detector=detector and str(detector))
    computing = Computing(threads=1)
    return predict(run, detecting, Fetching(retries=0), Bounds(), computing, tell)


def likeliest(predictions: Predictions) -> list[str]:
    return [one.names[0].name for one in predictions.named]


@pytest.fixture
def drawn(tmp_path) -> list[Path]:
    """A picture of each class, in different formats and sizes."""
    paths = []
    for number, kind in enumerate(("jpg", "png", "webp")):
        path = tmp_path / f"{number}.{kind}"
        picture = Image.open(BytesIO(jpeg(COLOURS[number], (90, 80), 500 + number)))
        picture.save(path)
        paths.append(path)
    return paths


def test_pictures_of_any_format_get_the_likeliest_names_with_probabilities(made, drawn) -> None:
    found = named(made.model, *drawn)
    assert likeliest(found) == [*NAMES]
    for one in found.named:
        shares = [name.probability for name in one.names]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert (found.pictures, found.refused) == (3, [])


def test_only_so_many_names_are_given(made, drawn) -> None:
    found = named(made.model, *drawn, names=2)
    assert [len(one.names) for one in found.named] == [2, 2, 2]


def test_a_folder_stands_for_all_its_files(made, drawn) -> None:
    found = named(made.model, drawn[0].parent)
    assert [Path(one.picture).name for one in found.named] == ["0.jpg", "1.png", "2.webp"]


def test_bad_files_are_counted_and_cost_no_other(made, drawn, tmp_path) -> None:
    (tmp_path / "text.txt").write_text("no picture")
    found = named(made.model, drawn[0], tmp_path / "text.txt", tmp_path / "absent.png")
    assert (found.pictures, len(found.named)) == (3, 1)
    assert [one.reason for one in found.refused] == ["not_an_image", "missing_original"]


def test_urls_are_fetched_and_those_that_fail_are_counted(made, drawn) -> None:
    with host() as served:
        served.files["/1.png"] = drawn[1].read_bytes()
        found = named(made.model, f"{served.address}/1.png", f"{served.address}/2.png")
    assert likeliest(found) == [NAMES[1]]
    assert [one.picture[-6:] for one in found.refused] == ["/2.png"]


def test_an_address_of_no_known_kind_and_a_file_that_is_not_there_are_told_apart(made) -> None:
    with host() as served:
        found = named(made.model, "ftp://example.invalid/1.png", f"{served.address}/2.png")
    assert [one.reason for one in found.refused] == ["unreadable_original", "not_found"]
    assert (found.pictures, found.named) == (2, [])


def test_signatures_of_addresses_are_not_shown_and_still_count_apart(made, drawn) -> None:
    with host() as served:
        paths = [f"/1.png?token={secret}" for secret in ("hush", "quiet")]
        served.files.update(dict.fromkeys(paths, drawn[1].read_bytes()))
        found = named(made.model, *(f"{served.address}{path}" for path in paths))
    assert (found.pictures, len(found.named)) == (2, 2)
    assert {one.picture for one in found.named} == {f"{served.address}/1.png?token=***"}


def test_names_of_files_that_are_not_utf_8_are_escaped(made, drawn, tmp_path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    shutil.copy(drawn[0], os.fsencode(folder) + b"/caf\xe9.jpg")
    found = named(made.model, folder)
    assert [one.picture for one in found.named] == [f"{folder}/caf\\xe9.jpg"]
    assert json.dumps(found.named[0].picture).isascii()


def test_an_error_in_a_decoder_costs_one_picture(made, drawn, monkeypatch) -> None:
    real = naming.make_images

    def failing(data: bytes, *args: object, **more: object) -> object:
        if data == drawn[1].read_bytes():
            raise ZeroDivisionError("by accident")
        if data == drawn[2].read_bytes():
            raise MemoryError
        return real(data, *args, **more)

    monkeypatch.setattr(naming, "make_images", failing)
    found = named(made.model, *drawn)
    assert [one.reason for one in found.refused] == ["decoder_failed", "out_of_memory"]
    assert likeliest(found) == [NAMES[0]]


def test_a_namer_gives_names_and_an_embedding_that_is_near_those_of_its_class(made, drawn) -> None:
    namer = naming.open_namer(made.model, Computing(threads=1), Bounds(), names=1)
    others = [jpeg(colour, (70, 90), 900 + number) for number, colour in enumerate(COLOURS)]
    first = [namer.name(path.read_bytes())[0] for path in drawn]
    second = [namer.name(data)[0] for data in others]
    assert [[one.name for one in seen.names] for seen in second] == [[name] for name in NAMES]
    likeness = np.array([[one.embedding @ other.embedding for other in second] for one in first])
    assert likeness.argmax(1).tolist() == [0, 1, 2]
    assert np.abs(likeness).max() < 1 + 1e-5
    assert (first[0].head, first[0].score) == (None, None)


def test_without_a_detector_a_model_of_heads_says_what_it_takes_for_one(made, drawn) -> None:
    events = []
    named(made.model, drawn[0], tell=events.append)
    told = [event.text for event in events if isinstance(event, Notice)]
    assert ["without --detector" in text for text in told] == [True]


def test_nothing_to_do_is_said(made) -> None:
    with pytest.raises(UsageError, match="name a picture"):
        named(made.model)


def test_heads_are_found_and_cut_out_first(made, tmp_path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    from tests.pixels.detectors import models

    detector = tmp_path / "detector.onnx"
    detector.write_bytes(models.yolo8())
    pixels = np.full((256, 256, 3), 255, np.uint8)
    pixels[16:144, 16:144] = (0, 0, 40)  # dark, as the detector likes it
    Image.fromarray(pixels).save(tmp_path / "one.png")
    Image.new("RGB", (256, 256), "white").save(tmp_path / "none.png")
    found = named(made.model, tmp_path / "one.png", tmp_path / "none.png", detector=detector)
    (one,) = found.named
    assert one.head == pytest.approx((1 / 16, 1 / 16, 9 / 16, 9 / 16), abs=0.01)
    assert one.score > 0.7
    assert [(one.reason, one.detail) for one in found.refused] == [("no_head", "")]


def test_the_onnx_model_gives_the_same_probabilities_and_embeddings(made, tmp_path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    folder = shutil.copytree(made.model, tmp_path / "model")
    exported = named(folder, export="onnx").exported
    _, model = load_model(made.model, torch.device("cpu"))
    pictures = torch.rand(5, 1, 3, 32, 32)
    with torch.no_grad():
        expected = model(pictures).softmax(1), model.embed(pictures)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities", "embeddings"], {"pictures": pictures.numpy()})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-4)


@pytest.mark.slow
def test_the_command_takes_pictures_as_words_even_with_a_comma(made, drawn, tmp_path) -> None:
    odd = tmp_path / "a,b.jpg"
    shutil.copy(drawn[0], odd)
    done = dafre("predict", "--model", made.model, odd, drawn[1], "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["picture"] for one in found["named"]] == [str(odd), str(drawn[1])]
    assert found["named"][0]["names"][0]["name"] == NAMES[0]
    told = dafre("predict", "--model", made.model, drawn[1], cwd=tmp_path).stdout
    assert f"{drawn[1]}: {NAMES[1]}" in told
    assert "1 pictures = 1 named + 0 refused" in told


@pytest.mark.slow
def test_if_no_picture_can_be_named_the_status_is_1(made, tmp_path) -> None:
    done = dafre("predict", "--model", made.model, "absent.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "absent.png: missing_original" in done.stdout
