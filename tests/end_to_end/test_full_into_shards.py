"""`full --pack webdataset`: a dataset that is made as shards from the start."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import OutputError
from dafre_fast.core.layout import FACES, FULL, MANIFEST, SHARDS, STATE
from dafre_fast.core.records import Box, Wanted, WantedOutput
from dafre_fast.core.settings.images import Recipe
from dafre_fast.engine.work import make
from tests.commands import here, ledger_keys, tree
from tests.datasets_drawn import draw_inputs
from tests.torture.kills import await_true

pytestmark = pytest.mark.slow

IMAGES = 60
SPOOLS = f"{STATE}/spools"


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """Write sixty originals of two classes; one is not an image."""
    folder = tmp_path_factory.mktemp("inputs")
    return draw_inputs(folder, IMAGES)


def flags(inputs: Path) -> list[object]:
    tables = ("--faces", inputs / "faces.tsv", "--tag-ids", inputs / "tagIds.tsv")
    return [*tables, "--source", inputs / "originals", "--output", "ds", "--no-report"]


def full(inputs: Path, folder: Path, *more: object) -> dict[str, object]:
    done = here("full", *flags(inputs), "--json", *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def into_shards(inputs: Path, folder: Path, *more: object, size: int = 9) -> dict[str, object]:
    return full(inputs, folder, "--pack", "webdataset", "--shard-size", size, *more)


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory) -> Path:
    """Make the dataset `ds` in a folder, and return the folder."""
    folder = tmp_path_factory.mktemp("made")
    into_shards(inputs, folder)
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """Copy the folder for a test that changes it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def shards(folder: Path) -> dict[str, bytes]:
    return tree(folder / "ds" / SHARDS)


def verified(folder: Path) -> list[dict[str, str]]:
    return json.loads(here("verify", "--output", "ds", "--json", cwd=folder).stdout)["findings"]


def test_shards_equal_those_that_pack_makes_of_files(inputs, made, tmp_path) -> None:
    full(inputs, tmp_path)
    here("pack", "--output", "ds", "--shard-size", 9, cwd=tmp_path)
    assert shards(made) == shards(tmp_path)
    assert len([name for name in shards(made) if name.endswith(".tar")]) == 8


def test_no_image_is_a_separate_file(made) -> None:
    assert not (made / "ds" / FULL).exists()
    assert not (made / "ds" / FACES).exists()
    assert not (made / "ds" / SPOOLS).exists()


def test_the_summary_counts_every_image(inputs, tmp_path) -> None:
    printed = into_shards(inputs, tmp_path)
    assert (printed["images"], printed["success"]) == (IMAGES, IMAGES - 1)
    packed = printed["packed"]
    assert (packed["packed"], packed["refused"]) == (IMAGES - 1, {"not_an_image": 1})


def test_verify_checks_every_image_in_the_shards(made) -> None:
    done = here("verify", "--output", "ds", "--deep", "--json", cwd=made)
    printed = json.loads(done.stdout)
    assert (printed["findings"], printed["images"], printed["files"]) == (
        [],
        IMAGES - 1,
        2 * IMAGES - 2,
    )


def test_the_same_command_again_makes_and_writes_nothing(inputs, folder) -> None:
    times = {path: path.stat().st_mtime_ns for path in (folder / "ds" / SHARDS).rglob("*.tar")}
    printed = into_shards(inputs, folder)
    assert (printed["work"]["images"], printed["packed"]["written"]) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_shards_of_another_size_have_the_same_images_and_none_is_remade(
    inputs, folder, tmp_path_factory
) -> None:
    printed = into_shards(inputs, folder, size=25)
    assert printed["work"]["images"] == 0
    assert verified(folder) == []
    other = tmp_path_factory.mktemp("other")
    into_shards(inputs, other, size=25)
    assert shards(folder) == shards(other)


def test_only_the_images_of_new_rows_are_made(inputs, tmp_path) -> None:
    some = tmp_path / "some"
    shutil.copytree(inputs, some)
    lines = (inputs / "faces.tsv").read_text().splitlines(keepends=True)
    (some / "faces.tsv").write_text("".join(lines[:50]))
    into_shards(some, tmp_path)
    assert into_shards(inputs, tmp_path)["work"]["images"] == 10
    assert verified(tmp_path) == []


def test_an_original_added_later_changes_only_its_own_shard(inputs, made, tmp_path) -> None:
    late = tmp_path / "late"
    shutil.copytree(inputs, late)
    (late / "originals/20.png").unlink()
    into_shards(late, tmp_path)
    shutil.copy(inputs / "originals/20.png", late / "originals")
    printed = into_shards(late, tmp_path)
    assert (printed["work"]["images"], printed["packed"]["written"]) == (1, 1)
    assert shards(tmp_path) == shards(made)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def has_come_to(run: subprocess.Popen[bytes], ledger: Path, size: int) -> bool:
    return run.poll() is not None or size_of(ledger) >= size


def test_kills_at_random_moments_leave_what_an_undisturbed_run_leaves(
    inputs, made, tmp_path, short_tmpdir
) -> None:
    chance = random.Random(7)
    ledger = tmp_path / "ds" / STATE / "ledger.jsonl"
    command = [sys.executable, "-m", "dafre_fast.full", *map(str, flags(inputs))]
    command += ["--pack", "webdataset", "--shard-size", "9", "--workers", "2"]
    for _ in range(6):
        run = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | {"TMPDIR": short_tmpdir},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        grown = size_of(ledger) + chance.randrange(1, 4000)
        await_true(partial(has_come_to, run, ledger, grown))
        with suppress(ProcessLookupError):  # it may have come to its end
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    into_shards(inputs, tmp_path)
    assert shards(tmp_path) == shards(made)
    assert verified(tmp_path) == []
    assert len(ledger_keys(tmp_path / "ds")) < 2 * IMAGES


STOPPED_AT = """
import os, signal, sys
from dafre_fast import cli
from dafre_fast.dataset import spools
from dafre_fast.pack import __main__ as pack, writing
from dafre_fast.pack.formats import webdataset as formats

module, name = {"take": (spools.Spools, "take"), "close": (formats.Tar, "close"),
                "rows": (formats, "write_rows"), "record": (writing, "record")}[sys.argv.pop(1)]
original, calls = getattr(module, name), []

def stopping(*arguments):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)

setattr(module, name, stopping)
cli.run(pack.command)
"""


@pytest.mark.parametrize("moment", ["take", "close", "rows", "record"])
def test_a_kill_while_shards_are_rewritten_loses_no_image(inputs, folder, moment) -> None:
    again = ["--output", "ds", "--shard-size", "4", "--workers", "1"]
    killed = subprocess.run(
        [sys.executable, "-c", STOPPED_AT, moment, *again],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert here("pack", *again, cwd=folder).returncode == 0
    assert verified(folder) == []
    assert into_shards(inputs, folder, size=4)["work"]["images"] == 0


def stop_before_shards(inputs: Path, folder: Path) -> list[Path]:
    """Kill a run after it made all images, before it wrote shards. Return its spools."""
    script = (
        "import os, signal\n"
        "from dafre_fast import cli\n"
        "from dafre_fast.full import __main__ as full, run\n"
        "run.pack = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cli.run(full.command)"
    )
    command = [sys.executable, "-c", script, *map(str, flags(inputs))]
    command += ["--pack", "webdataset", "--shard-size", "9"]
    assert subprocess.run(command, cwd=folder, check=False).returncode == -signal.SIGKILL
    return sorted((folder / "ds" / SPOOLS).iterdir())


def test_images_that_are_not_in_shards_yet_are_verified_in_the_spools(inputs, tmp_path) -> None:
    assert len(stop_before_shards(inputs, tmp_path)) == 8
    assert verified(tmp_path) == []


def test_an_image_beyond_the_end_of_a_spool_is_made_again(inputs, made, tmp_path) -> None:
    spool = stop_before_shards(inputs, tmp_path)[0]
    os.truncate(spool, spool.stat().st_size - 1)
    assert into_shards(inputs, tmp_path)["work"]["images"] == 1
    assert shards(tmp_path) == shards(made)


def test_an_image_with_other_bytes_in_its_spool_is_left_out_and_made_by_the_next_run(
    inputs, made, tmp_path
) -> None:
    spool = stop_before_shards(inputs, tmp_path)[0]
    data = bytearray(spool.read_bytes())
    data[10] ^= 1
    spool.write_bytes(data)
    done = here(
        "full", *flags(inputs), "--pack", "webdataset", "--shard-size", 9, "--max-refused", 1,
        "--json", cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["packed"]["damaged"]) == (1, {"wrong_hash": 1})
    assert into_shards(inputs, tmp_path)["work"]["images"] == 1
    assert shards(tmp_path) == shards(made)


def test_a_damaged_picture_is_found_removed_and_remade(inputs, made, folder) -> None:
    path = folder / "ds" / SHARDS / "train/00001.tar"
    row = pl.read_parquet(path.with_suffix(".parquet")).row(0, named=True)
    data = bytearray(path.read_bytes())
    data[row["face_offset"] + 100] ^= 1
    path.write_bytes(data)
    where = f"{SHARDS}/train/00001.tar"
    assert {(one["flaw"], one["where"]) for one in verified(folder)} == {
        ("wrong_hash", where),
        ("wrong_hash", f"{where}/{row['id']}.face.jpg"),
    }
    here("verify", "--output", "ds", "--remove", cwd=folder)
    assert into_shards(inputs, folder)["work"]["images"] == 1
    assert shards(folder) == shards(made)


@pytest.mark.parametrize("ending", [".tar", ".json", ".parquet", "_stats.json"])
def test_a_missing_file_of_a_shard_is_found_and_remade(inputs, made, folder, ending) -> None:
    (folder / "ds" / SHARDS / f"val/00000{ending}").unlink()
    assert ("missing", f"{SHARDS}/val/00000{ending}") in {
        (one["flaw"], one["where"]) for one in verified(folder)
    }
    into_shards(inputs, folder)
    assert shards(folder) == shards(made)


def test_a_foreign_file_among_the_shards_is_found(folder) -> None:
    (folder / "ds" / SHARDS / "train/00099.tar").write_text("?")
    (folder / "ds" / SHARDS / "train/.00098.tar.part").write_text("?")
    assert {(one["flaw"], one["where"]) for one in verified(folder)} == {
        ("orphan", f"{SHARDS}/train/00099.tar"),
        ("leftover", f"{SHARDS}/train/.00098.tar.part"),
    }


def test_a_copy_without_the_state_folder_is_sound(folder) -> None:
    shutil.rmtree(folder / "ds" / STATE)
    shutil.rmtree(folder / "ds" / SHARDS / STATE)
    assert verified(folder) == []
    assert here("pack", "--output", "ds", "--shard-size", 13, cwd=folder).returncode == 0
    assert verified(folder) == []


def test_files_are_not_made_beside_shards_unless_everything_is_remade(inputs, folder) -> None:
    done = here("full", *flags(inputs), cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "images lie in shards here" in done.stderr
    full(inputs, folder, "--no-resume")
    assert len([*(folder / "ds" / FULL).rglob("*.jpg")]) == IMAGES - 1


def test_shards_are_not_made_beside_files(inputs, tmp_path) -> None:
    full(inputs, tmp_path)
    done = here("full", *flags(inputs), "--pack", "webdataset", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "images are files here" in done.stderr


def test_no_resume_remakes_everything(inputs, made, folder) -> None:
    assert into_shards(inputs, folder, "--no-resume")["work"]["images"] == IMAGES
    assert shards(folder) == shards(made)


def test_a_full_disk_is_an_error_that_names_the_spool(inputs) -> None:
    recipe = Recipe()
    wanted = Wanted(
        key="1",
        original=str(inputs / "originals/1.png"),
        outputs=(WantedOutput("full", "full"), WantedOutput("face", "face")),
        box=Box(0.2, 0.2, 0.8, 0.8),
        spool="/dev/full",
    )
    with pytest.raises(OutputError, match="/dev/full: No space left on device"):
        make(recipe, recipe.hashes(), wanted)


def test_pack_makes_the_same_archives_from_shards_and_from_files(inputs, made, folder) -> None:
    """Compare packs made from shards with packs made from files."""
    files = folder / "files"
    files.mkdir()
    full(inputs, files)
    for where in (folder, files):
        for format in ("tar", "hf"):
            done = here("pack", "--output", "ds", "--format", format, cwd=where)
            assert done.returncode == 0, done.stderr
    for name in ("tar-both", "hf-both"):
        assert tree(folder / "ds/packs" / name) == tree(files / "ds/packs" / name)
    assert (made / "ds" / MANIFEST).exists()
