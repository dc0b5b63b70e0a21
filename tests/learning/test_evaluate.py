"""`evaluate` on datasets drawn in a moment."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.layout import AUDIT, EXCLUDE, FACES, image_path
from dafre_fast.core.splits import SPLITS
from tests.commands import dafre
from tests.learning.drawn import NAMES, draw_classes, edit_manifest

pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

from dafre_fast.evaluate import run as runs
from dafre_fast.evaluate.run import Evaluated, evaluate
from dafre_fast.evaluate.settings import EvaluateRun
from dafre_fast.learning.records import ANSWERS, SUMMARY, read_embeddings
from dafre_fast.learning.settings import Computing


def judged(made, into: Path, dataset: Path | None = None, **settings: object) -> Evaluated:
    run = EvaluateRun(model=made.model, output=dataset or made.dataset, into=into, **settings)
    return evaluate(run, Computing(threads=1))


@pytest.fixture
def copied(made, tmp_path) -> Path:
    return Path(shutil.copytree(made.dataset, tmp_path / "ds"))


@pytest.mark.parametrize(("split", "images"), [("val", 6), ("test", 12)])
def test_a_split_is_judged_and_every_row_is_counted(made, tmp_path, split, images) -> None:
    found = judged(made, tmp_path, split=split)
    assert (found.rows, found.judged, found.refused) == (images, images, {})
    assert (found.top1, found.top5, found.macro) == (1.0, 1.0, 1.0)
    assert found.by_size["1-19"].images == images
    low, high = found.intervals["top1"]
    assert low < high == 1.0


def test_images_that_lists_leave_out_are_counted_and_judged_into_a_folder_of_their_own(
    made, tmp_path, copied
) -> None:
    ids = pl.read_parquet(copied / "manifest.parquet").filter(split="test")["id"]
    rows = "".join(f"{image},wrong character\n" for image in ids[:4])
    (tmp_path / "marks.csv").write_text(f"id,mark\n{rows}{ids[5]},not safe\n77,wrong character\n")
    lists = {"exclude": tmp_path / "marks.csv", "mark": ("wrong character",)}
    notices = []
    run = EvaluateRun(model=made.model, output=copied, **lists)
    found = evaluate(run, Computing(threads=1), notices.append)
    assert (found.rows, found.judged, found.refused) == (12, 8, {"excluded": 4})
    assert Path(found.page).parent.name.endswith("test-without-marks-wrong_character")
    assert any("1 of 5 images are not in the dataset" in str(event) for event in notices)
    found = judged(made, tmp_path / "only", only=tmp_path / "marks.csv")
    assert (found.judged, found.refused) == (5, {"excluded": 7})


def test_lists_that_leave_nothing_to_judge_are_refused(made, tmp_path) -> None:
    ids = pl.read_parquet(made.dataset / "manifest.parquet").filter(split="train")["id"]
    (tmp_path / "train.txt").write_text(f"{ids[0]}\n")
    with pytest.raises(UsageError, match=r"only .*train\.txt: no image of test is left"):
        judged(made, tmp_path / "judged", only=tmp_path / "train.txt")


def test_images_that_were_trained_on_are_refused_unless_told(made, tmp_path) -> None:
    with pytest.raises(UsageError, match="42 trained_on; --trained-on judges them"):
        judged(made, tmp_path, split="train")
    assert judged(made, tmp_path, split="train", trained_on=True).judged == 42


def test_a_test_image_whose_original_was_trained_on_is_refused_and_counted(
    made, tmp_path, copied
) -> None:
    table = pl.read_parquet(copied / "manifest.parquet")
    seen = table.filter(split="train")["original_sha256"][0]
    first = table.filter(split="test")["id"][0]
    of_first = pl.when(id=first).then(pl.lit(seen)).otherwise("original_sha256")
    edit_manifest(copied, of_first.alias("original_sha256"))
    found = judged(made, tmp_path / "page", copied)
    assert (found.rows, found.judged, found.refused) == (12, 11, {"trained_on": 1})


def test_rows_that_were_not_made_classes_unknown_and_damaged_files_are_counted(
    made, tmp_path, copied
) -> None:
    of_test = pl.read_parquet(copied / "manifest.parquet").filter(split="test")
    ids = of_test.filter(class_id=0)["id"].to_list()
    edit_manifest(
        copied,
        pl.when(id=ids[0]).then(pl.lit("not_found")).otherwise("status").alias("status"),
        pl.col("class_name").replace(NAMES[2], "somebody else"),
    )
    (copied / FACES / image_path(ids[1])).write_bytes(b"no picture")
    found = judged(made, tmp_path / "page", copied)
    assert found.refused == {"not_found": 1, "unknown_class": 4, "damaged": 1}
    assert found.rows == 12 == found.judged + sum(found.refused.values())


def test_classes_of_another_dataset_are_found_by_their_names(made, tmp_path) -> None:
    other = draw_classes(tmp_path / "other", first=7000, seed=9)
    turned = pl.col("class_id").replace_strict({0: 2, 1: 1, 2: 0})
    edit_manifest(other, turned)  # the numbers are others, the names the same
    assert judged(made, tmp_path / "page", other, split="train").top1 == 1.0


def test_a_file_of_ids_is_a_split_and_every_line_of_it_is_counted(made, tmp_path) -> None:
    rows = pl.read_parquet(made.dataset / "manifest.parquet")
    train, val, test = (rows.filter(split=split)["id"].to_list() for split in SPLITS)
    listed = [*test, val[0], train[0], test[0], 99_999, "no id"]
    (tmp_path / "mine.txt").write_text("".join(f"{one}\n" for one in listed))
    found = judged(made, tmp_path / "page", split=str(tmp_path / "mine.txt"))
    assert (found.split, found.rows, found.judged) == ("mine.txt", len(listed), 13)
    assert found.refused == {"trained_on": 1, "duplicate_row": 1, "no_row": 1, "bad_id": 1}
    answers = pl.read_parquet(tmp_path / "page" / ANSWERS)
    assert {*answers["id"]} == {*test, val[0]}


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (None, "is neither train, val, test nor a file of ids"),
        ("99999\n", "no image of .* was made: 1 no_row"),
        ("", "is empty"),
    ],
)
def test_a_list_of_no_image_is_one_line(made, tmp_path, lines, error) -> None:
    path = tmp_path / "mine.txt"
    if lines is not None:
        path.write_text(lines)
    with pytest.raises((InputError, UsageError), match=error):
        judged(made, tmp_path / "page", split=str(path))


def test_another_dataset_and_another_list_have_folders_of_their_own(made, tmp_path) -> None:
    model = shutil.copytree(made.model, tmp_path / "model")
    other = draw_classes(tmp_path / "other", first=7000, seed=9)
    (tmp_path / "mine.txt").write_text("7009\n7109\n")
    for dataset, split, name in (
        (made.dataset, "test", "test"),
        (other, "test", "other-test"),
        (other, str(tmp_path / "mine.txt"), "other-mine.txt"),
    ):
        found = evaluate(EvaluateRun(model=model, output=dataset, split=split), Computing())
        folder = model / "evaluation" / name
        assert found.page == str(folder / "index.html")
        assert json.loads((folder / SUMMARY).read_text())["judged"] == found.judged


def test_the_embeddings_of_all_images_judged_are_kept_in_the_order_of_the_answers(
    made, tmp_path
) -> None:
    judged(made, tmp_path)
    ids, embeddings = read_embeddings(tmp_path)
    answers = pl.read_parquet(tmp_path / ANSWERS)
    assert ids.tolist() == answers["id"].to_list()
    assert embeddings.dtype == np.float16
    assert np.linalg.norm(embeddings.astype(float), axis=1) == pytest.approx(1, abs=1e-2)
    likeness = embeddings.astype(np.float32) @ embeddings.astype(np.float32).T
    np.fill_diagonal(likeness, -1)
    names = answers["class_name"].to_numpy()
    assert (names[likeness.argmax(1)] == names).all()


def test_embeddings_of_another_evaluation_are_refused(made, tmp_path) -> None:
    judged(made, tmp_path / "one")
    judged(made, tmp_path / "two", split="val")
    shutil.copy(tmp_path / "one/embeddings.npy", tmp_path / "two/embeddings.npy")
    with pytest.raises(InputError, match=r"does not fit answers\.parquet"):
        read_embeddings(tmp_path / "two")


def test_if_all_images_are_damaged_nothing_is_judged(made, tmp_path, copied) -> None:
    for path in (copied / FACES).rglob("*.jpg"):
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="all images that could be judged are damaged"):
        judged(made, tmp_path / "page", copied)


def test_wrong_answers_are_confused_pairs_with_pictures(made, tmp_path, copied) -> None:
    red, green, _ = NAMES
    edit_manifest(copied, pl.col("class_name").replace(red, green))
    table = pl.read_parquet(copied / "manifest.parquet")
    merged = pl.when(class_id=0).then(1).otherwise("class_id").alias("class_id")
    edit_manifest(copied, merged)
    found = judged(made, tmp_path / "page", copied)
    (pair,) = found.confused
    assert (pair.class_name, pair.answer, pair.images, pair.of) == (green, red, 4, 8)
    assert {*pair.ids} == {*table.filter(class_id=0, split="test")["id"]}
    page = (tmp_path / "page/index.html").read_text()
    for image in pair.ids[:3]:
        assert f"pictures/{image}.jpg" in page
        assert (tmp_path / f"page/pictures/{image}.jpg").exists()
    assert (tmp_path / "page/reliability.svg").exists()


def test_the_table_has_an_answer_for_every_image_judged(made, tmp_path) -> None:
    judged(made, tmp_path)
    answers = pl.read_parquet(tmp_path / ANSWERS)
    assert answers.height == 12
    assert answers["right"].all()
    assert answers["likeliest"].list.len().to_list() == [3] * 12
    assert (answers["probabilities"].list.sum() - 1).abs().max() < 1e-5


def test_near_duplicates_that_an_audit_knows_across_the_split_are_counted(
    made, tmp_path, copied
) -> None:
    table = pl.read_parquet(copied / "manifest.parquet")
    train, test, val = (table.filter(split=split)["id"] for split in ("train", "test", "val"))
    (copied / AUDIT).mkdir()
    (copied / AUDIT / EXCLUDE).write_text(
        "id,split,kept_id,kept_split\n"
        f"{train[0]},train,{test[0]},test\n"
        f"{test[1]},test,{train[1]},train\n"
        f"{test[2]},test,{val[0]},val\n"
    )
    assert judged(made, tmp_path / "page", copied).near_duplicates == 2
    assert judged(made, tmp_path / "other").near_duplicates is None


def test_lack_of_memory_names_the_batch(made, tmp_path, monkeypatch) -> None:
    def answer(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(runs, "answer", answer)
    with pytest.raises(
        UsageError, match=r"a batch of 64 images of 32 pixels; try --batch-size 32$"
    ):
        judged(made, tmp_path)


def test_a_folder_without_a_model_says_so(made, tmp_path) -> None:
    run = EvaluateRun(model=tmp_path, output=made.dataset)
    with pytest.raises(InputError, match="holds no model of `train`"):
        evaluate(run, Computing())


def test_damaged_weights_are_named(made, tmp_path) -> None:
    model = shutil.copytree(made.model, tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"no weights")
    run = EvaluateRun(model=model, output=made.dataset)
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        evaluate(run, Computing())


@pytest.mark.slow
def test_the_command_prints_shares_as_json(made, tmp_path) -> None:
    flags = ("--model", made.model, "--output", made.dataset, "--into", "page")
    done = dafre("evaluate", *flags, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["top1"], found["top5"], found["macro"]) == (1, 1, 1)
    assert [*found["by_size"]] == ["1-19", "20-49", "50-199", "200+"]
    assert found["rows"] == found["judged"] + sum(found["refused"].values())
    told = dafre("evaluate", *flags, cwd=tmp_path).stdout
    assert "12 rows of test = 12 judged + 0 refused" in told
    assert "top-1: 100.0%" in told
