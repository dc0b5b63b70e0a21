"""Pictures that are uploaded to the gallery, and what a model sees in them."""

import os
import shutil
import signal
import stat
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import FormData
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.gallery import recogniser as process
from dafre_fast.gallery.routes import uploads
from tests.gallery.judged import write_model
from tests.gallery.test_command import started
from tests.gallery.test_server import Answer, Ask, elements, talk
from tests.learning.conftest import made  # noqa: F401  (a fixture)
from tests.learning.drawn import COLOURS, NAMES, jpeg

HERE = "http://127.0.0.1:8000"


def form(content: bytes, name: str = "one.jpg") -> FormData:
    data = FormData()
    data.add_field("picture", content, filename=name, content_type="image/jpeg")
    return data


async def upload(ask: Ask, content: bytes, **headers: str) -> Answer:
    """Upload a picture as a page of the server would."""
    sent = {"Host": "127.0.0.1:8000", "Origin": HERE, **headers}
    return await ask("/upload", "POST", form(content), **sent)


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory) -> Path:
    """Answers of a model without weights, for tests that name no picture."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    return write_model(tmp_path_factory.mktemp("models") / "run", dataset)


@pytest.fixture(scope="module")
def trained(request) -> Path:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    return request.getfixturevalue("made").model


@pytest.mark.slow
def test_a_picture_of_any_format_gets_the_likeliest_names(dataset, trained) -> None:
    async def say(ask: Ask) -> None:
        for number, kind in enumerate(("jpeg", "png", "webp")):
            file = BytesIO()
            picture = Image.open(BytesIO(jpeg(COLOURS[number], (90, 80), 500 + number)))
            picture.save(file, kind)
            answer = await upload(ask, file.getvalue())
            assert answer.status == 200, answer.words
            first = elements(answer, "meter")[0]
            assert first["aria-label"] == f"Probability of {NAMES[number]}"
            assert float(first["value"] or 0) > 0.5

    talk(dataset, say, model=trained)


@pytest.mark.slow
def test_a_hostile_file_costs_one_line_and_the_server_goes_on(dataset, trained) -> None:
    good = jpeg(COLOURS[0], (90, 80), 500)
    bomb = BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "png")
    files = {
        b"": "empty_file",
        b"no picture": "not_an_image",
        good[: len(good) // 2]: "truncated",
        bomb.getvalue(): "too_many_pixels",
        b"\x89PNG\r\n\x1a\n" + bytes(100): "truncated",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>": "not_an_image",
    }

    async def say(ask: Ask) -> None:
        for content, reason in files.items():
            answer = await upload(ask, content)
            assert answer.status == 422, answer.words
            assert reason in answer.words
        assert (await upload(ask, good)).status == 200

    talk(dataset, say, model=trained)


def test_a_picture_that_kills_the_decoder_ends_its_process_alone(
    dataset, model, monkeypatch
) -> None:
    monkeypatch.setattr(process, "_work", dies_of_bombs)

    async def say(ask: Ask) -> None:
        answer = await upload(ask, b"bomb")
        assert (answer.status, "worker_crashed" in answer.words) == (422, True)
        assert (await upload(ask, b"picture")).status == 200

    talk(dataset, say, model=model)


def dies_of_bombs(pipe, _) -> None:
    pipe.send(None)
    while data := pipe.recv_bytes():
        if data == b"bomb":
            os.kill(os.getpid(), signal.SIGSEGV)
        pipe.send([])


def refuses_all(pipe, _) -> None:
    pipe.send(None)
    while pipe.recv_bytes():
        pipe.send(Refusal(Reason.NOT_AN_IMAGE))


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Answer uploads without a model, which takes seconds to load."""
    monkeypatch.setattr(process, "_work", refuses_all)


def never_answers(pipe, _) -> None:
    pipe.send(None)
    signal.pause()


def test_a_picture_that_takes_too_long_is_given_up(dataset, model, monkeypatch) -> None:
    monkeypatch.setattr(process, "_work", never_answers)
    monkeypatch.setattr(process, "_SECONDS", 0.1)

    async def say(ask: Ask) -> None:
        answer = await upload(ask, b"anything")
        assert (answer.status, "timeout" in answer.words) == (422, True)

    talk(dataset, say, model=model)


@pytest.mark.slow
def test_a_model_without_weights_is_one_line_on_the_page(dataset, model) -> None:
    async def say(ask: Ask) -> None:
        answer = await upload(ask, b"anything")
        assert answer.status == 503
        assert "model.safetensors: cannot be read" in answer.words

    talk(dataset, say, model=model)


def test_a_picture_that_is_too_large_is_refused_unread(dataset, model, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.gallery.server.MOST_BYTES", 1 << 19)
    monkeypatch.setattr(uploads, "MOST_BYTES", 1 << 19)

    async def say(ask: Ask) -> None:
        answer = await upload(ask, bytes(900_000))
        assert answer.status == 413
        assert "larger than 0 MiB" in answer.words

    talk(dataset, say, model=model)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[::1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(dataset, model, headers) -> None:
    async def say(ask: Ask) -> None:
        assert (await upload(ask, b"anything", **headers)).status == 403

    talk(dataset, say, model=model)


@pytest.mark.parametrize("data", [b"", b"picture=text", b"\xff"])
def test_a_form_without_a_picture_is_refused(dataset, model, data) -> None:
    async def say(ask: Ask) -> None:
        kinds = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a/b")
        for kind in kinds:
            answer = await ask(
                "/upload", "POST", data, Origin=HERE, Host=HERE[7:], Content_Type=kind
            )
            assert answer.status == 400, answer.words

    talk(dataset, say, model=model)


@pytest.mark.slow
def test_nothing_of_a_picture_is_written_into_the_dataset(dataset, trained, tmp_path) -> None:
    own = Path(shutil.copytree(dataset, tmp_path / "own"))

    def files() -> list[tuple[Path, int]]:
        found = [path for path in own.rglob("*") if ".dafre_fast" not in path.parts]
        return sorted((path, path.stat().st_mtime_ns) for path in found)

    before = files()

    async def say(ask: Ask) -> None:
        assert (await upload(ask, jpeg(COLOURS[0], (90, 80), 500))).status == 200

    talk(own, say, model=trained)
    assert files() == before
    assert stat.S_ISDIR(own.stat().st_mode)


@pytest.mark.parametrize(
    "settings",
    [{"host": "0.0.0.0"}, {"prefix": "/photos"}, {"allow_host": ("photos.example.com",)}],
)
@pytest.mark.usefixtures("at_once")
def test_others_may_upload_only_if_it_is_asked_for(dataset, model, settings) -> None:
    async def refused(ask: Ask) -> None:
        answer = await upload(ask, b"anything")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert "upload" not in (await ask("/")).text

    async def taken(ask: Ask) -> None:
        assert (await upload(ask, b"anything")).status == 422

    talk(dataset, refused, model=model, **settings)
    talk(dataset, taken, model=model, allow_others=True, **settings)


@pytest.mark.usefixtures("at_once")
def test_behind_a_proxy_pages_of_its_name_may_send_forms(dataset, model) -> None:
    settings = {"allow_host": ("photos.example.com",), "allow_others": True}

    async def say(ask: Ask) -> None:
        for origin, status in (("https://photos.example.com", 422), ("https://evil.example", 403)):
            assert (await upload(ask, b"anything", Origin=origin)).status == status

    talk(dataset, say, model=model, **settings)


def test_without_a_model_there_is_no_upload(dataset) -> None:
    async def say(ask: Ask) -> None:
        assert (await upload(ask, b"anything")).status == 404
        assert (await ask("/upload")).status == 404

    talk(dataset, say)


@pytest.mark.slow
def test_without_torch_one_line_names_the_extra_and_the_rest_goes_on(
    dataset, tmp_path, monkeypatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TORCH)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    model = write_model(tmp_path / "run", dataset)
    with started(dataset, "--port", "0", "--model", str(model)) as process:
        assert "images at http" in process.stdout.readline()
        process.terminate()
        process.wait()
        said = process.stderr.read()
    assert (
        "no upload of pictures: PyTorch is not installed: pip install 'dafre_fast[train]'" in said
    )
    assert "Traceback" not in said


WITHOUT_TORCH = """
import sys
class Without:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
import importlib.util as util
found = util.find_spec
util.find_spec = lambda name, package=None: None if name == "torch" else found(name, package)
"""
