import itertools
import json
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.sample.cast import Portrait, portraits
from dafre_fast.sample.originals import write_original
from dafre_fast.sample.serving import serving
from tests.commands import dafre, here, ledger_keys, tree
from tests.gates import Gate
from tests.torture.drawn import broken_off, gifs, jpegs, no_images, others, pngs, turned

FEW = 4
CHARACTER = 4
"""A character of the sample all of whose images can be decoded."""
TABLES = ("--faces", "faces.tsv", "--min-images", 1)

IMAGES = Path(__file__).resolve().parents[2] / "../shared/images"


@pytest.fixture
def originals(tmp_path) -> Path:
    """Write eight small originals into a tree."""
    for number in range(8):
        path = tmp_path / f"original/{number:04}/{number}.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (300, 400), (30 * number, 80, 160)).save(path)
    return tmp_path / "original"


@pytest.fixture
def few(tmp_path) -> list[Portrait]:
    """Write a few originals of the sample into a tree, and tables of them."""
    chosen = [portrait for portrait in portraits() if portrait.character == CHARACTER][:FEW]
    for portrait in chosen:
        write_original(portrait, tmp_path / "originals")
    rows = (f"{one.id % 1000:04}\\{one.id}.jpg\t7\t0.1, 0.1, 0.6, 0.6 0.9\n" for one in chosen)
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("someone\t7\n")
    return chosen


@pytest.mark.slow
def test_a_url_and_a_local_tree_give_the_same_dataset(few, tmp_path) -> None:
    flags = (*TABLES, "--tag-ids", "tagIds.tsv", "--no-report", "--source")
    with serving(tmp_path / "originals", latency_seconds=0) as address:
        template = f"{address}/original/{{bucket}}/{{id}}.{{ext}}"
        here("full", *flags, template, "--output", "a", cwd=tmp_path)
    here("full", *flags, "originals", "--output", "b", cwd=tmp_path)
    one, other = tree(tmp_path / "a"), tree(tmp_path / "b")
    assert len(other) == 5 + 1 + 2 * len(few)
    other.pop("manifest.parquet")
    assert {name: one[name] for name in other} == other


def test_download_alone_fetches_the_kept_rows_and_again_asks_for_nothing(few, tmp_path) -> None:
    with serving(tmp_path / "originals", latency_seconds=0) as address:
        flags = (*TABLES, "--source", f"{address}/original/{{bucket}}/{{id}}.{{ext}}")
        first = dafre("download", *flags, "--json", cwd=tmp_path)
    again = here("download", *flags, "--json", cwd=tmp_path)  # the server is gone
    assert [json.loads(done.stdout)["success"] for done in (first, again)] == [len(few)] * 2
    assert tree(tmp_path / "original") == tree(tmp_path / "originals")


def test_crop_cuts_the_heads_of_the_originals_on_disk_and_counts_the_others(few, tmp_path) -> None:
    (tmp_path / "originals" / few[0].name).unlink()
    done = dafre("crop", *TABLES, "--input", "originals", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["refused"] == {"missing_original": 1}
    assert len(tree(tmp_path / "faces")) == len(few) - 1


def test_resize_has_defaults_for_everything(originals) -> None:
    done = dafre("resize", cwd=originals.parent)
    assert done.returncode == 0, done.stderr
    names = sorted(tree(originals.parent / "fullMin256"))
    assert names == [f"{number:04}/{number}.jpg" for number in range(8)]


@pytest.mark.slow
def test_any_number_of_workers_makes_the_same_bytes(originals) -> None:
    for workers in (1, 64):
        flags = ("--workers", workers, "--output", f"out{workers}")
        assert here("resize", *flags, cwd=originals.parent).returncode == 0
    assert tree(originals.parent / "out1") == tree(originals.parent / "out64")


def outcomes_with_64_workers(originals: Path, folder: Path) -> dict[str, str]:
    """Make full images of 32 pixels, check those that were made, and return every status."""
    flags = ("--input", originals, "--workers", 64, "--size", 32, "--manifest", "m.parquet")
    done = dafre("resize", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = dict(pl.read_parquet(folder / "m.parquet").select("path", "status").iter_rows())
    made = tree(folder / "fullMin256")
    successes = (path for path, status in found.items() if status == "success")
    assert {*made} == {str(Path(path).with_suffix(".jpg")) for path in successes}
    assert {min(Image.open(BytesIO(data)).size) for data in made.values()} == {32}
    return found


@pytest.mark.slow
def test_sixty_four_workers_give_every_drawn_file_its_outcome(tmp_path) -> None:
    honest = itertools.chain(*(draw() for draw in (jpegs, pngs, gifs, others, turned)))
    files = [(*file, None) for file in honest] + [*broken_off(), *no_images()]
    expected = {}
    for number, (name, data, reason) in enumerate(files):
        path = tmp_path / f"drawn/{number}/{name}"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        expected[f"{number}/{name}"] = reason.value if reason else "success"
    assert len(expected) > 100
    assert outcomes_with_64_workers(tmp_path / "drawn", tmp_path) == expected


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES.is_dir(), reason="the shared pictures are not here")
def test_sixty_four_workers_make_every_real_image_and_refuse_other_files(tmp_path) -> None:
    files = [path for path in IMAGES.rglob("*") if path.is_file()]
    broken = {path for path in files if path.suffix == ".md" or path.match("pngsuite/x*")}
    found = outcomes_with_64_workers(IMAGES, tmp_path)
    assert len(found) == len(files)
    refused = {path for path, status in found.items() if status != "success"}
    assert refused == {str(path.relative_to(IMAGES)) for path in broken}


def test_another_setting_remakes_everything_where_that_is_asked_for(originals) -> None:
    here("resize", cwd=originals.parent)
    refused = here("resize", "--size", 128, cwd=originals.parent)
    assert (refused.returncode, "8 images were made with --size 256" in refused.stderr) == (2, True)
    done = here("resize", "--size", 128, "--no-resume", "--json", cwd=originals.parent)
    assert json.loads(done.stdout)["work"]["images"] == 8
    with Image.open(originals.parent / "fullMin256/0003/3.jpg") as image:
        assert image.size == (128, 170)


def test_an_output_that_was_deleted_is_made_again_and_no_other(originals) -> None:
    here("resize", cwd=originals.parent)
    whole = tree(originals.parent / "fullMin256")
    (originals.parent / "fullMin256/0003/3.jpg").unlink()
    done = here("resize", "--json", cwd=originals.parent)
    assert json.loads(done.stdout)["work"]["images"] == 1
    assert tree(originals.parent / "fullMin256") == whole


def test_more_refusals_than_allowed_are_exit_status_1(originals) -> None:
    (originals / "0003/3.png").write_text("{}")
    assert here("resize", cwd=originals.parent).returncode == 0
    assert here("resize", "--max-refused", 1, cwd=originals.parent).returncode == 0
    assert here("resize", "--max-refused", 0, cwd=originals.parent).returncode == 1


def test_an_output_that_cannot_be_written_is_exit_status_1_and_one_line(originals) -> None:
    (originals.parent / "taken").write_text("a file")
    done = here("resize", "--output", "taken", cwd=originals.parent)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "taken" in done.stderr


@pytest.mark.slow
def test_the_manifest_notes_how_much_of_a_truncated_file_was_kept(originals) -> None:
    path = originals / "0003/3.jpg"
    noise = Image.effect_noise((300, 400), 90)
    noise.save(path)
    path.write_bytes(path.read_bytes()[:9000])
    flags = ("--manifest", "m.parquet", "--json")
    refused = here("resize", *flags, cwd=originals.parent)
    assert json.loads(refused.stdout)["refused"] == {"truncated": 1}
    kept = here("resize", "--truncated", "keep", *flags, cwd=originals.parent)
    summary = json.loads(kept.stdout)
    assert (summary["success"], summary["work"]["images"]) == (9, 1)
    row = pl.read_parquet(originals.parent / "m.parquet").row(
        by_predicate=pl.col("path") == "0003/3.jpg", named=True
    )
    assert (row["status"], row["notes"]) == ("success", ["truncated"])
    assert "stored rows are kept" in row["error_message"]


@pytest.mark.parametrize("flags", [("--input", "nowhere"), ("--workers", "0"), ("--size", "x")])
def test_wrong_usage_is_exit_status_2_and_one_line(originals, flags) -> None:
    done = here("resize", *flags, cwd=originals.parent)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert flags[1] in done.stderr


def assert_that_the_same_command_makes_the_rest(originals, before) -> None:
    output = originals.parent / "fullMin256"
    assert dafre("resize", cwd=originals.parent).returncode == 0
    after = ledger_keys(output)
    assert after[: len(before)] == before
    assert sorted(after) == sorted(f"{number:04}/{number}.png" for number in range(8))
    assert len(tree(output)) == 8


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the gate looks into /proc")
def test_ctrl_c_loses_nothing_and_the_same_command_continues(originals) -> None:
    gate = Gate(originals.parent / "fullMin256/0004/4.jpg")
    run = subprocess.Popen(
        [sys.executable, "-m", "dafre_fast.resize", "--workers", "1"],
        cwd=originals.parent,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with run:
        gate.await_worker(run.pid)  # four images are done then
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=30)
    gate.remove()
    assert run.returncode == 130
    assert "stopped" in stderr
    assert "Traceback" not in stderr
    output = originals.parent / "fullMin256"
    before = ledger_keys(output)
    assert set(tree(output)) >= {f"{number:04}/{number}.jpg" for number in range(4)}
    assert not [name for name in tree(output) if name.endswith(".part")]
    assert_that_the_same_command_makes_the_rest(originals, before)


def test_a_machine_without_libturbojpeg_uses_libvips_and_says_so(originals) -> None:
    (originals.parent / "simplejpeg.py").write_text("raise ImportError")
    (originals.parent / "turbojpeg.py").write_text("raise ImportError")
    done = dafre("resize", cwd=originals.parent)  # the current folder comes first in sys.path
    assert done.returncode == 0
    assert done.stderr.count("libturbojpeg is not installed") == 1
    assert len(tree(originals.parent / "fullMin256")) == 8


def test_a_machine_without_pillow_heif_refuses_heic_with_the_remedy_and_reads_it_later(
    tmp_path,
) -> None:
    heif = pytest.importorskip("pillow_heif")
    (tmp_path / "original").mkdir()
    heif.from_pillow(Image.new("RGB", (64, 64), "navy")).save(tmp_path / "original/1.heic")
    (tmp_path / "pillow_heif.py").write_text("raise ImportError")

    def row(*flags):
        dafre("resize", "--manifest", "manifest.parquet", *flags, cwd=tmp_path)
        return pl.read_parquet(tmp_path / "manifest.parquet").row(0, named=True)

    refused = row()
    assert refused["status"] == "unsupported_format"
    assert "pip install 'dafre_fast[heic]', then --retry-failed" in refused["error_message"]
    (tmp_path / "pillow_heif.py").unlink()
    assert row("--retry-failed")["status"] == "success"
