"""A model is found with the files beside it, and what is used of them is told and recorded."""

import hashlib
import json
from pathlib import Path

import pytest

from dafre_fast.core.errors import InputError, SourceError, UsageError
from dafre_fast.core.events import silent
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.engine.detection import Model, find_model
from tests.hosts import host
from tests.pixels.detectors import models

BESIDE = {
    "labels.json": b'["body", "head"]',
    "threshold.json": b'{"f1_score": 0.92, "threshold": 0.413}',
    "model_type.json": b'{"model_type": "yolo"}',
}
NAMES = [*BESIDE]
MODEL = models.yolo8(["a", "b"])


@pytest.fixture
def found(tmp_path):
    def find(spec: object, **settings: object) -> Model:
        detecting = Detecting(detector=str(spec), backend="opencv", **settings)
        return find_model(detecting, tmp_path / "out", Fetching(retries=0), silent)

    return find


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder as deepghs has them."""
    for name, data in {"model.onnx": MODEL, **BESIDE}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_files_in_the_folder_of_the_model_are_read(found, folder) -> None:
    used = found(folder / "model.onnx").used
    assert (used.settings.kind.label, used.settings.kind.number) == ("head", 1)
    assert (used.count_threshold, used.least_score, used.beside) == (0.413, 0.1, NAMES)


def test_flags_win_over_files(found, folder) -> None:
    used = found(folder / "model.onnx", count_threshold=0.05, class_="body", nms=0.2).used
    assert (used.count_threshold, used.least_score, used.settings.nms) == (0.05, 0.05, 0.2)
    assert used.settings.kind.number == 0


def test_without_files_the_model_speaks_for_itself(found, tmp_path) -> None:
    (tmp_path / "model.onnx").write_bytes(models.yolo8(["hand", "head"]))
    used = found(tmp_path / "model.onnx").used
    assert (used.settings.kind.number, used.count_threshold, used.beside) == (1, 0.3, [])


def test_what_is_used_is_told_in_one_line(found, folder) -> None:
    notice = str(found(folder / "model.onnx").used)
    assert notice.startswith(
        "detector: yolo8, 256 x 256 pixels, class head, heads from a score of 0.413, OpenCV "
    )
    assert notice.endswith("on the CPU, with labels.json, threshold.json, model_type.json")


def test_what_is_used_is_recorded(found, folder, tmp_path) -> None:
    found(folder / "model.onnx").record(tmp_path / "detector.json")
    record = json.loads((tmp_path / "detector.json").read_bytes())
    assert record.pop("backend").startswith("OpenCV ")
    assert record == {
        "detector": str(folder / "model.onnx"),
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "settings": {
            "family": "yolo8",
            "side": 256,
            "fixed": [256, 256],
            "fit": "letterbox",
            "step": 32,
            "class": {"number": 1, "label": "head"},
            "nms": 0.7,
        },
        "count_threshold": 0.413,
        "least_score": 0.1,
        "beside": NAMES,
    }


def test_the_hub_has_files_beside_the_model_which_are_fetched_once(found, monkeypatch) -> None:
    with host() as served:
        place = "/deepghs/heads/resolve/main/v2_s"
        served.files |= {f"{place}/{name}": data for name, data in BESIDE.items()}
        served.files[f"{place}/model.onnx"] = MODEL
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        for _ in range(2):
            assert found("hf:deepghs/heads/v2_s/model.onnx").used.beside == NAMES
        assert sorted(served.asked) == sorted(f"{place}/{name}" for name in ["model.onnx", *NAMES])


def test_files_that_a_host_does_not_have_are_asked_for_once(found) -> None:
    with host() as served:
        served.files["/some/model.onnx"] = models.yolo8()
        for _ in range(2):
            assert found(f"{served.address}/some/model.onnx").used.beside == []
        assert served.asked == ["/some/model.onnx", *(f"/some/{name}" for name in NAMES)]


def test_a_page_stands_for_a_file_that_is_not_there(found) -> None:
    with host() as served:
        served.files["/model.onnx"] = models.yolo8()
        served.files |= {f"/{name}": b"\n<!DOCTYPE html><p>no such file" for name in NAMES}
        assert found(f"{served.address}/model.onnx").used.beside == []


def test_a_signature_of_the_model_is_neither_sent_for_other_files_nor_recorded(found) -> None:
    with host() as served:
        served.files["/model.onnx?sig=secret"] = models.yolo8()
        used = found(f"{served.address}/model.onnx?sig=secret").used
        assert "secret" not in used.detector
        assert served.asked == ["/model.onnx?sig=secret", *(f"/{name}" for name in NAMES)]


def test_a_file_in_another_form_is_one_line_that_names_it(found, folder) -> None:
    (folder / "threshold.json").write_bytes(b"0,413")
    with pytest.raises(UsageError, match=r"model\.onnx: threshold\.json beside it: "):
        found(folder / "model.onnx")


def test_a_model_that_is_not_there_is_one_line(found, tmp_path) -> None:
    with pytest.raises(InputError, match=r"model\.onnx: No such file"):
        found(tmp_path / "model.onnx")
    with host() as served, pytest.raises(SourceError, match=r"/model\.onnx: "):
        found(f"{served.address}/model.onnx")


def test_the_recipe_follows_what_decides_boxes_alone(found, folder) -> None:
    path = folder / "model.onnx"
    recipe = found(path).recipe()
    same = [{"class_": "1"}, {"count_threshold": 0.9}, {"detect_side": 256}, {"nms": 0.7}]
    assert {found(path, **settings).recipe() for settings in same} == {recipe}
    others = [{"class_": "body"}, {"nms": 0.5}, {"detector_fit": "stretch"}]
    assert recipe not in {found(path, **settings).recipe() for settings in others}
