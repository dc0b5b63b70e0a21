"""`full --pack webdataset`: a dataset that lies in shards from the start."""

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

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import OutputError
from dafre_fast.core.layout import FACES, FULL, MANIFEST, SHARDS, STATE
from dafre_fast.core.records import Box, Wanted, WantedOutput
from dafre_fast.core.settings.images import Recipe
from dafre_fast.engine.work import make
from tests.commands import dafre, ledger_keys, tree
from tests.torture.kills import await_true

pytestmark = pytest.mark.slow

IMAGES = 60
SPOOLS = f"{STATE}/spools"


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """Sixty originals of two classes; one of them is none."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "originals").mkdir()
    chance = np.random.default_rng(1)
    for number in range(IMAGES):
        pixels = chance.integers(0, 255, (60, 40 + number, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"originals/{number}.png")
    (folder / "originals/7.png").write_text("<html>")
    line = "{0:04d}\\{0}.jpg\t{1}\t0.2, 0.2, 0.8, 0.8 0.9\n"
    rows = [line.format(number, 7 + number % 2) for number in range(IMAGES)]
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text("cirno\t7\nreimu\t8\n")
    return folder


def flags(inputs: Path) -> list[object]:
    tables = ("--faces", inputs / "faces.tsv", "--tag-ids", inputs / "tagIds.tsv")
    return [*tables, "--source", inputs / "originals", "--output", "ds", "--no-report"]


def full(inputs: Path, folder: Path, *more: object) -> dict[str, object]:
    done = dafre("full", *flags(inputs), "--json", *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def into_shards(inputs: Path, folder: Path, *more: object, size: int = 9) -> dict[str, object]:
    return full(inputs, folder, "--pack", "webdataset", "--shard-size", size, *more)


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory) -> Path:
    """The folder in which it was made, as `ds`."""
    folder = tmp_path_factory.mktemp("made")
    into_shards(inputs, folder)
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy, to be changed."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def shards(folder: Path) -> dict[str, bytes]:
    return tree(folder / "ds" / SHARDS)


def verified(folder: Path) -> list[dict[str, str]]:
    return json.loads(dafre("verify", "--output", "ds", "--json", cwd=folder).stdout)["findings"]


def test_shards_are_those_that_pack_makes_of_files(inputs, made, tmp_path) -> None:
    full(inputs, tmp_path)
    dafre("pack", "--output", "ds", "--shard-size", 9, cwd=tmp_path)
    assert shards(made) == shards(tmp_path)
    assert len([name for name in shards(made) if name.endswith(".tar")]) == 8


def test_no_image_is_a_file_of_its_own(made) -> None:
    assert not (made / "ds" / FULL).exists()
    assert not (made / "ds" / FACES).exists()
    assert not (made / "ds" / SPOOLS).exists()


def test_it_says_what_became_of_every_image(inputs, tmp_path) -> None:
    told = into_shards(inputs, tmp_path)
    assert (told["images"], told["success"]) == (IMAGES, IMAGES - 1)
    packed = told["packed"]
    assert (packed["packed"], packed["refused"]) == (IMAGES - 1, {"not_an_image": 1})


def test_all_of_it_is_verified(made) -> None:
    done = dafre("verify", "--output", "ds", "--deep", "--json", cwd=made)
    told = json.loads(done.stdout)
    assert (told["findings"], told["images"], told["files"]) == ([], IMAGES - 1, 2 * IMAGES - 2)


def test_the_same_command_again_makes_nothing_and_writes_nothing(inputs, folder) -> None:
    times = {path: path.stat().st_mtime_ns for path in (folder / "ds" / SHARDS).rglob("*.tar")}
    told = into_shards(inputs, folder)
    assert (told["work"]["images"], told["packed"]["written"]) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_in_shards_of_another_size_lie_the_same_images_and_none_is_made_again(
    inputs, folder, tmp_path_factory
) -> None:
    told = into_shards(inputs, folder, size=25)
    assert told["work"]["images"] == 0
    assert verified(folder) == []
    other = tmp_path_factory.mktemp("other")
    into_shards(inputs, other, size=25)
    assert shards(folder) == shards(other)


def test_of_rows_that_come_later_only_their_own_images_are_made(inputs, tmp_path) -> None:
    some = tmp_path / "some"
    shutil.copytree(inputs, some)
    lines = (inputs / "faces.tsv").read_text().splitlines(keepends=True)
    (some / "faces.tsv").write_text("".join(lines[:50]))
    into_shards(some, tmp_path)
    assert into_shards(inputs, tmp_path)["work"]["images"] == 10
    assert verified(tmp_path) == []


def test_an_original_that_comes_later_changes_no_shard_but_its_own(inputs, made, tmp_path) -> None:
    late = tmp_path / "late"
    shutil.copytree(inputs, late)
    (late / "originals/20.png").unlink()
    into_shards(late, tmp_path)
    shutil.copy(inputs / "originals/20.png", late / "originals")
    told = into_shards(late, tmp_path)
    assert (told["work"]["images"], told["packed"]["written"]) == (1, 1)
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
from dafre_fast.pack.formats import choose as formats

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
def test_killed_while_shards_are_written_anew_it_loses_no_image(inputs, folder, moment) -> None:
    again = ["--output", "ds", "--shard-size", "4", "--workers", "1"]
    killed = subprocess.run(
        [sys.executable, "-c", STOPPED_AT, moment, *again],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert dafre("pack", *again, cwd=folder).returncode == 0
    assert verified(folder) == []
    assert into_shards(inputs, folder, size=4)["work"]["images"] == 0


def stop_before_shards(inputs: Path, folder: Path) -> list[Path]:
    """As a run leaves it that was killed when all images were made; its spools."""
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


def test_images_that_are_not_in_shards_yet_are_verified_where_they_are(inputs, tmp_path) -> None:
    assert len(stop_before_shards(inputs, tmp_path)) == 8
    assert verified(tmp_path) == []


def test_what_a_spool_is_too_short_for_is_made_again(inputs, made, tmp_path) -> None:
    spool = stop_before_shards(inputs, tmp_path)[0]
    os.truncate(spool, spool.stat().st_size - 1)
    assert into_shards(inputs, tmp_path)["work"]["images"] == 1
    assert shards(tmp_path) == shards(made)


def test_what_a_spool_has_other_bytes_of_is_left_out_and_made_by_the_next_run(
    inputs, made, tmp_path
) -> None:
    spool = stop_before_shards(inputs, tmp_path)[0]
    data = bytearray(spool.read_bytes())
    data[10] ^= 1
    spool.write_bytes(data)
    done = dafre(
        "full", *flags(inputs), "--pack", "webdataset", "--shard-size", 9, "--max-refused", 1,
        "--json", cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["packed"]["damaged"]) == (1, {"wrong_hash": 1})
    assert into_shards(inputs, tmp_path)["work"]["images"] == 1
    assert shards(tmp_path) == shards(made)


def test_a_picture_that_is_damaged_is_found_removed_and_made_anew(inputs, made, folder) -> None:
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
    dafre("verify", "--output", "ds", "--remove", cwd=folder)
    assert into_shards(inputs, folder)["work"]["images"] == 1
    assert shards(folder) == shards(made)


@pytest.mark.parametrize("ending", [".tar", ".json", ".parquet", "_stats.json"])
def test_a_file_of_a_shard_that_is_gone_is_found_and_made_anew(
    inputs, made, folder, ending
) -> None:
    (folder / "ds" / SHARDS / f"val/00000{ending}").unlink()
    assert ("missing", f"{SHARDS}/val/00000{ending}") in {
        (one["flaw"], one["where"]) for one in verified(folder)
    }
    into_shards(inputs, folder)
    assert shards(folder) == shards(made)


def test_what_is_no_part_of_the_shards_is_found(folder) -> None:
    (folder / "ds" / SHARDS / "train/00099.tar").write_text("?")
    (folder / "ds" / SHARDS / "train/.00098.tar.part").write_text("?")
    assert {(one["flaw"], one["where"]) for one in verified(folder)} == {
        ("orphan", f"{SHARDS}/train/00099.tar"),
        ("leftover", f"{SHARDS}/train/.00098.tar.part"),
    }


def test_a_copy_without_its_state_is_whole(folder) -> None:
    shutil.rmtree(folder / "ds" / STATE)
    shutil.rmtree(folder / "ds" / SHARDS / STATE)
    assert verified(folder) == []
    assert dafre("pack", "--output", "ds", "--shard-size", 13, cwd=folder).returncode == 0
    assert verified(folder) == []


def test_files_are_not_made_beside_shards_unless_all_anew(inputs, folder) -> None:
    done = dafre("full", *flags(inputs), cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "images lie in shards here" in done.stderr
    full(inputs, folder, "--no-resume")
    assert len([*(folder / "ds" / FULL).rglob("*.jpg")]) == IMAGES - 1


def test_shards_are_not_made_beside_files(inputs, tmp_path) -> None:
    full(inputs, tmp_path)
    done = dafre("full", *flags(inputs), "--pack", "webdataset", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "images are files here" in done.stderr


def test_anew_all_is_made_again(inputs, made, folder) -> None:
    assert into_shards(inputs, folder, "--no-resume")["work"]["images"] == IMAGES
    assert shards(folder) == shards(made)


def test_a_spool_without_room_is_an_error_that_names_it(inputs) -> None:
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


def test_what_reads_datasets_finds_the_same_images_in_shards(inputs, made, folder) -> None:
    """Of files, `pack` makes the same archives."""
    files = folder / "files"
    files.mkdir()
    full(inputs, files)
    for where in (folder, files):
        for format in ("tar", "hf"):
            done = dafre("pack", "--output", "ds", "--format", format, cwd=where)
            assert done.returncode == 0, done.stderr
    for name in ("tar-both", "hf-both"):
        assert tree(folder / "ds/packs" / name) == tree(files / "ds/packs" / name)
    assert (made / "ds" / MANIFEST).exists()
