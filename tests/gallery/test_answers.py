"""Answers of a model in the gallery, and images that look alike."""

import numpy as np
import pytest

from dafre_fast.core.errors import InputError
from dafre_fast.gallery import queries, server
from dafre_fast.gallery.index import Index
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.gallery.view import View
from dafre_fast.learning.records import ANSWERS, CONFIG, EMBEDDINGS, EVALUATION, SUMMARY
from tests.commands import here
from tests.gallery.judged import (
    MADE,
    embeddings,
    is_right,
    likeliest,
    probability,
    write_evaluation,
    write_model,
)
from tests.gallery.test_questions import ids
from tests.gallery.test_server import REFUSED, Ask, elements, talk

JUDGED = [one for one in MADE if one.split in ("test", "val")]
WRONG = next(one for one in JUDGED if not is_right(one))


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "run", dataset)


@pytest.fixture(scope="module")
def index(dataset, model) -> Index:
    return server.prepared(GalleryRun(output=dataset, model=model), dataset)


def test_wrong_right_and_unsure_answers_are_found(index) -> None:
    wrong = [one.id for one in JUDGED if not is_right(one)]
    assert ids(index, View(q="answer:wrong", order="manifest")) == wrong
    assert ids(index, View(q="answer:right", order="manifest")) == [
        one.id for one in JUDGED if is_right(one)
    ]
    unsure = [one.id for one in JUDGED if np.float32(probability(one)) < 0.4]
    assert ids(index, View(q="probability:<0.4", order="manifest")) == unsure
    both = ids(index, View(q="answer:wrong probability:<0.4 split:test", order="manifest"))
    tested = {one.id for one in JUDGED if one.split == "test"}
    assert both == [image for image in wrong if image in unsure and image in tested]


def test_answers_are_counted_within_the_view(index) -> None:
    here = [one for one in JUDGED if one.split == "test"]
    found = queries.judged(index, View(q="split:test answer:wrong"))
    assert found
    right = sum(map(is_right, here))
    assert (found.images, found.right, found.wrong) == (len(here), right, len(here) - right)
    assert found.unsure == sum(probability(one) < found.below for one in here)


def test_a_page_shows_the_answer_its_mark_and_the_five_likeliest(dataset, model) -> None:
    async def say(ask: Ask) -> None:
        grid = await ask("/?q=answer:wrong&order=manifest")
        assert f"✗ wrong: {probability(WRONG):.1%} {likeliest(WRONG)[0]}" in grid.words
        answer = await ask(f"/image/{WRONG.id}")
        shares = [float(one["value"] or 0) for one in elements(answer, "meter")]
        rest = (1 - probability(WRONG)) / 4
        assert shares == pytest.approx([probability(WRONG), *[rest] * 4])
        assert [f"Probability of {name}" for name in likeliest(WRONG)] == [
            one["aria-label"] for one in elements(answer, "meter")
        ]
        not_judged = next(one for one in MADE if one.split == "train")
        assert not elements(await ask(f"/image/{not_judged.id}"), "meter")

    talk(dataset, say, model=model)


def test_images_that_look_alike_are_those_of_the_largest_cosine(index, dataset, model) -> None:
    mine = JUDGED.index(WRONG)
    known = embeddings(JUDGED).astype(np.float16).astype(np.float32)
    cosines = known @ known[mine]
    order = [at for at in np.argsort(-cosines) if at != mine][: queries.LIKE]
    near = queries.look_alikes(index, WRONG.id)
    assert near
    assert [one.tile.id for one in near] == [JUDGED[at].id for at in order]
    assert [one.cosine for one in near] == pytest.approx(cosines[order], abs=1e-3)

    async def say(ask: Ask) -> None:
        shown = elements(await ask(f"/like/{WRONG.id}"), "img")
        assert [one["src"] for one in shown] == [f"/full/{JUDGED[at].id}.jpg" for at in order]
        assert (await ask(f"/like/{REFUSED[0].id}")).status == 404

    talk(dataset, say, model=model)


def test_of_two_answers_for_an_image_the_first_folder_counts(dataset, tmp_path) -> None:
    model = write_model(tmp_path / "run", dataset)
    write_evaluation(model, "again", dataset, JUDGED[:3])
    index = server.prepared(GalleryRun(output=dataset, model=model), dataset)
    near = queries.look_alikes(index, JUDGED[0].id)
    assert near
    assert len({one.tile.id for one in near}) == len(near)
    assert ids(index, View(q="answer:wrong", order="manifest")) == [
        one.id for one in JUDGED if not is_right(one)
    ]


def test_answers_for_other_datasets_and_unknown_images_are_left_out(dataset, tmp_path) -> None:
    model = write_model(tmp_path / "run", tmp_path / "another")
    told = []
    index = server.prepared(GalleryRun(output=dataset, model=model), dataset, told.append)
    assert ids(index, View(q="answer:right", order="manifest")) == []
    assert f"dafre-fast evaluate --model {model} --output {dataset}" in told[-1].text


def test_without_a_model_answers_cannot_be_asked_for(dataset) -> None:
    async def say(ask: Ask) -> None:
        answer = await ask("/?q=answer:wrong&order=manifest")
        assert answer.status == 400
        assert "no --model is given" in answer.words
        assert (await ask(f"/like/{MADE[0].id}")).status == 404

    talk(dataset, say)


@pytest.mark.parametrize(
    "file", [CONFIG, f"{EVALUATION}/test/{SUMMARY}", f"{EVALUATION}/test/{ANSWERS}"]
)
def test_a_damaged_model_is_an_error_in_one_line(dataset, tmp_path, file) -> None:
    model = write_model(tmp_path / "run", dataset)
    (model / file).write_bytes(b"{")
    done = here("gallery", "--output", dataset, "--model", model, "--port", 0, cwd=tmp_path)
    assert done.returncode == 2
    assert str(model / file) in done.stderr.splitlines()[-1]


def test_damaged_embeddings_cost_only_the_page_that_needs_them(dataset, tmp_path) -> None:
    model = write_model(tmp_path / "run", dataset)
    (model / EVALUATION / "test" / EMBEDDINGS).write_bytes(b"nothing")

    async def say(ask: Ask) -> None:
        answer = await ask(f"/like/{WRONG.id}")
        assert answer.status == 503
        assert "embeddings.npy: cannot be read" in answer.words
        assert (await ask("/?q=answer:wrong&order=manifest")).status == 200

    talk(dataset, say, model=model)


def test_embeddings_of_another_model_are_refused(dataset, tmp_path) -> None:
    model = write_model(tmp_path / "run", dataset)
    path = model / EVALUATION / "test" / EMBEDDINGS
    np.save(path, np.load(path)[:, :4])
    index = server.prepared(GalleryRun(output=dataset, model=model), dataset)
    with pytest.raises(InputError, match="is of another model"):
        queries.look_alikes(index, next(one.id for one in JUDGED if one.split == "val"))
