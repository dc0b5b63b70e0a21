"""A run from what is asked for to the manifest: real originals, real workers."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import silent
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.images import FULL_IMAGE, Encoding, Recipe
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.ledger import NAME, Ledger
from dafre_fast.dataset.provenance import makings
from dafre_fast.engine.observers import watching
from dafre_fast.engine.originals import Originals
from dafre_fast.engine.plan import ask_catalogue, ask_files
from dafre_fast.engine.run import make_all
from dafre_fast.sources.tree import Tree
from tests.commands import tree
from tests.jobs_for_workers import hang
from tests.sources.loopback import WHOLE

NAMES = ("1.png", "2.png", "3.png")


@pytest.fixture
def originals(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    random = np.random.default_rng(1)
    for name in NAMES:
        Image.fromarray(random.integers(0, 255, (40, 80, 3), np.uint8)).save(folder / name)
    return folder


def asked(originals: Path, *names: str) -> pl.DataFrame:
    files = [(name, str(originals / name)) for name in names]
    return ask_files(files, FULL_IMAGE, originals.parent / "out")


def run(
    rows: pl.DataFrame,
    output: Path,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    source: Originals | None = None,
    **settings: object,
) -> tuple[pl.DataFrame, Work]:
    running = Running(**{"workers": 1} | settings)
    with watching("images", silent) as watch:
        return make_all(rows, source, recipe, running, output, watch)


def statuses(manifest: pl.DataFrame) -> dict[str, str]:
    return dict(manifest.select("path", "status").iter_rows())


def outputs(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jpg*"))


def test_every_row_has_an_outcome_and_what_was_made_lies_in_its_place(originals) -> None:
    (originals / "2.png").write_text("<html>")
    output = originals.parent / "out"
    manifest, work = run(asked(originals, *NAMES, "4.png"), output)
    assert statuses(manifest) == {
        "1.png": "success",
        "2.png": "not_an_image",
        "3.png": "success",
        "4.png": "missing_original",
    }
    assert outputs(output) == ["1.jpg", "3.jpg"]
    assert work.images == 4
    assert work.cpu_seconds > 0


def test_images_of_earlier_runs_are_not_made_again(originals) -> None:
    output = originals.parent / "out"
    first, _ = run(asked(originals, "1.png", "2.png"), output)
    manifest, work = run(asked(originals, *NAMES), output)
    assert work.images == 1
    assert manifest.filter(pl.col("path") != "3.png").equals(first)


def test_images_that_are_gone_or_failed_for_a_while_are_made_again(originals) -> None:
    output = originals.parent / "out"
    run(asked(originals, *NAMES, "4.png"), output)
    (output / "1.jpg").unlink()
    (originals / "3.png").rename(originals / "4.png")
    manifest, work = run(asked(originals, *NAMES, "4.png"), output)
    assert work.images == 2
    assert {*statuses(manifest).values()} == {"success"}
    assert outputs(output) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_other_settings_make_everything_again_on_demand_alone(originals) -> None:
    output = originals.parent / "out"
    first, _ = run(asked(originals, *NAMES), output)
    before, other = tree(output), Recipe(encoding=Encoding(quality=50))
    with pytest.raises(UsageError, match="3 images were made with --quality 90 "):
        run(asked(originals, *NAMES), output, other)
    assert tree(output) == before
    assert [one.settings for one in makings(output)] == [Recipe()]
    manifest, work = run(asked(originals, *NAMES), output, other, resume=False)
    assert work.images == 3
    assert (manifest["bytes"] < first["bytes"]).all()
    assert [one.settings for one in makings(output)] == [other]


@pytest.mark.parametrize("special", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_by_what_it_is_and_never_opened(originals, special) -> None:
    special(originals / "4.png")
    manifest, _ = run(asked(originals, "4.png"), originals.parent / "out")
    kind = {os.mkfifo: "a pipe", os.mkdir: "a folder"}[special]
    path = originals / "4.png"
    assert manifest.select("status", "error_message").row(0) == (
        "unreadable_original", f"{path}: is {kind}, not a file",
    )  # fmt: skip


def test_an_output_never_replaces_its_own_original(originals) -> None:
    output = originals.parent / "out"
    output.mkdir()
    (originals / "1.png").rename(output / "1.jpg")
    (originals / "1.png").symlink_to(output / "1.jpg")
    os.link(originals / "2.png", output / "2.jpg")
    kept = (output / "1.jpg").read_bytes(), (originals / "2.png").read_bytes()
    manifest, _ = run(asked(originals, "1.png", "2.png"), output)
    assert statuses(manifest) == {"1.png": "no_place", "2.png": "success"}
    assert manifest["error_message"][0] == f"{output}/1.jpg: would replace its original"
    assert ((output / "1.jpg").read_bytes(), (originals / "2.png").read_bytes()) == kept


def test_without_resuming_nothing_that_was_done_counts(originals) -> None:
    output = originals.parent / "out"
    first, _ = run(asked(originals, *NAMES), output)
    manifest, work = run(asked(originals, "1.png"), output, resume=False)
    assert work.images == 1
    assert manifest.equals(first.head(1))
    assert len((output / STATE / NAME).read_bytes().splitlines()) == 1


def test_a_ledger_of_an_earlier_version_is_gone_on_with(originals) -> None:
    output = originals.parent / "out"
    (output / STATE).mkdir(parents=True)
    (output / "1.jpg").write_bytes(b"7 bytes")
    (output / STATE / NAME).write_text(
        '{"stage":"make","key":"1.png","recipe":"64a9a9d4f94d8609","original":"in/1.png",'
        '"format":"png","original_width":80,"original_height":40,"original_bytes":9000,'
        '"width":512,"height":256,"bytes":7,"sha256":"ab","at":1795802751.085}\n'
        f'{{"stage":"make","key":"2.png","recipe":"{Recipe().hashes().pixels}",'
        '"reason":"not_an_image"}\n'
    )
    manifest, work = run(asked(originals, *NAMES), output)
    assert work.images == 1
    assert statuses(manifest) == {"1.png": "success", "2.png": "not_an_image", "3.png": "success"}
    assert manifest.select("width", "height", "bytes", "sha256", "face_width").row(0) == (
        512, 256, 7, "ab", None,
    )  # fmt: skip
    assert (output / "1.jpg").read_bytes() == b"7 bytes"


@pytest.fixture
def hanging(monkeypatch) -> str:
    """An original at which a worker waits for ever."""
    monkeypatch.setattr("dafre_fast.engine.run.make_and_record", hang)
    return "3.png"


def test_an_original_at_which_workers_hang_is_refused(originals, hanging) -> None:
    manifest, work = run(asked(originals, hanging), originals.parent / "out", image_timeout=0.2)
    assert manifest.select("path", "status", "error_message").row(0) == (
        hanging, "timeout", "a worker timed out on it, twice (0.2 s)",
    )  # fmt: skip
    assert work.images == 1


def test_half_written_files_of_an_image_at_which_a_worker_was_lost_are_removed(
    originals, hanging
) -> None:
    output = originals.parent / "out"
    output.mkdir()
    (output / ".3.jpg.part").write_text("half")
    (output / ".2.jpg.part").write_text("another image's")
    run(asked(originals, hanging), output, image_timeout=0.2)
    assert [path.name for path in output.glob(".*.part")] == [".2.jpg.part"]


def test_half_written_files_of_a_run_that_was_killed_are_removed(originals) -> None:
    output = originals.parent / "out"
    with pytest.raises(KeyboardInterrupt), Ledger(output / STATE):
        raise KeyboardInterrupt
    (output / ".9.jpg.part").write_text("half")
    run(asked(originals, "1.png"), output)
    assert outputs(output) == ["1.jpg"]


# Runs with a source


def catalogue(*ids: int) -> pl.DataFrame:
    box = {"left": 0.25, "top": 0.25, "right": 0.5, "bottom": 0.75}
    paths = [f"{image % 1000:04}/{image}.jpg" for image in ids]
    table = pl.DataFrame({"id": ids, "path": paths})
    return table.with_columns(
        pl.lit(edge).cast(pl.Float32).alias(name) for name, edge in box.items()
    )


def test_originals_that_a_source_does_not_have_are_refused_by_its_reason(originals) -> None:
    for image in (1, 2):
        (originals / f"{image:04}").mkdir()
        (originals / f"{image}.png").rename(originals / f"{image:04}/{image}.png")
    output = originals.parent / "out"
    recipe = Recipe()
    rows = ask_catalogue(catalogue(1, 2, 1003), {one: output / one.tree for one in recipe.outputs})
    source = Originals(Tree(originals, WHOLE), folder=None)
    manifest, work = run(rows, output, recipe, source)
    assert statuses(manifest) == {
        "0001/1.jpg": "success",
        "0002/2.jpg": "success",
        "0003/1003.jpg": "missing_original",
    }
    assert work.images == 3
    assert outputs(output) == [
        "faces/0001/1.jpg", "faces/0002/2.jpg", "fullMin256/0001/1.jpg", "fullMin256/0002/2.jpg",
    ]  # fmt: skip
    assert "left" in manifest.columns
    assert not {"key", "original", "spool", "full file"} & {*manifest.columns}
