"""Originals are as they were after any command, and outputs are no originals of the next run."""

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Event, Notice, silent
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import FaceImage, FullImage, Recipe
from dafre_fast.core.settings.running import Running, Workers
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.crop.run import crop
from dafre_fast.crop.settings import CropRun
from dafre_fast.download.run import download
from dafre_fast.download.settings import DownloadRun
from dafre_fast.full.run import full
from dafre_fast.full.settings import FullRun
from dafre_fast.resize.run import resize
from dafre_fast.resize.settings import ResizeRun
from dafre_fast.stats.settings import Plotting
from dafre_fast.tables.record_files import tables_of
from dafre_fast.verify.run import verify
from dafre_fast.verify.settings import VerifyRun
from tests.commands import here, tree
from tests.permissions import as_nobody, unprivileged

pytestmark = pytest.mark.slow

SMALL = Recipe(full=FullImage(size=32))
ONE = Running(workers=1)
KEEP_ALL = Selection(min_images=1)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, with tables and the originals of three ids."""
    for number in (1, 2, 3):
        draw(tmp_path / f"original/{number:04}/{number}.png")
    rows = (f"{n:04}\\{n}.png\t1\t0.1, 0.1, 0.9, 0.9 0.95\n" for n in (1, 2, 3))
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "tagIds.tsv").write_text("tag\t1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(path: Path, colour: tuple[int, int, int] = (200, 50, 50)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 60), colour).save(path)


def run_resize(source: str, output: str, recipe: Recipe = SMALL, tell=silent) -> dict[str, str]:
    """Return the status of each original."""
    run = ResizeRun(input=Path(source), output=Path(output), manifest=Path("manifest.parquet"))
    resize(run, recipe, ONE, tell)
    return dict(pl.read_parquet("manifest.parquet").select("path", "status").iter_rows())


def run_crop(source: str, output: str, recipe: Recipe = SMALL) -> None:
    run = CropRun(input=Path(source), output=Path(output))
    crop(Path("faces.tsv"), run, KEEP_ALL, recipe, ONE)


def run_full(source: str, output: str, recipe: Recipe = SMALL) -> None:
    tables = {"faces": Path("faces.tsv"), "tag_ids": Path("tagIds.tsv"), "source": source}
    run = FullRun(**tables, output=Path(output))
    full(run, KEEP_ALL, Splitting(), TagSteps(), Plotting(), Fetching(), recipe, ONE)


def run_download(source: str, output: str, _: Recipe = SMALL, tell=silent) -> None:
    run = DownloadRun(source=source, output=Path(output))
    download(Path("faces.tsv"), run, KEEP_ALL, Fetching(), ONE, tell)


def make_images(source: str, output: str, recipe: Recipe = SMALL) -> None:
    import dafre_fast

    table = pl.DataFrame({"id": [1, 2, 3]})
    dafre_fast.make_images(table, source, output, size=recipe.full.size, workers=1)


Command = Callable[..., object]


@pytest.mark.parametrize("command", [run_resize, run_crop, run_full, run_download, make_images])
@pytest.mark.parametrize("output", ["original", "./original/.", "link"])
def test_the_folder_of_originals_is_no_output(folder, command: Command, output) -> None:
    Path("link").symlink_to("original")
    before = tree(folder)
    with pytest.raises(UsageError, match=r"--output .* is the folder that .* reads"):
        command("original", output)
    assert tree(folder) == before


def test_a_whole_command_says_it_in_one_line_and_ends_with_status_2(folder) -> None:
    done = here("resize", "--input", "original", "--output", ".", cwd=folder / "original")
    assert (done.returncode, done.stdout) == (2, "")
    done = here("resize", "--input", ".", "--output", "../original", cwd=folder / "original")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "dafre-fast resize: --output ../original is the folder that --input . reads: outputs would"
        " lie among the originals, or take their place; give another --output\n"
    )


@pytest.mark.parametrize("command", [run_crop, run_full, make_images])
def test_nor_are_full_images_the_source_of_themselves(folder, command: Command) -> None:
    draw(folder / "out/fullMin256/0001/1.jpg")
    before = tree(folder)
    output = "out/fullMin256" if command is run_crop else "out"
    with pytest.raises(UsageError, match="give another --output"):
        command("out/fullMin256", output)
    assert tree(folder) == before


def test_originals_of_a_list_are_not_replaced(folder) -> None:
    draw(folder / "a/1.jpg")
    Path("list").write_text("a/1.jpg\n")
    before = tree(folder)
    with pytest.raises(UsageError, match=r"a/1\.jpg would take the place of the original a/1.jpg"):
        run_resize("list", ".")
    assert tree(folder) == before


def test_the_table_of_originals_is_no_manifest(folder) -> None:
    before = tree(folder)
    for manifest in ("faces.tsv", str(folder / "faces.tsv")):
        run = CropRun(input=Path("original"), output=Path("faces"), manifest=Path(manifest))
        with pytest.raises(UsageError, match=r"is the input faces.tsv; give another file"):
            crop(Path("faces.tsv"), run, KEEP_ALL, SMALL, ONE)
    assert tree(folder) == before


@pytest.mark.usefixtures("folder")
def test_outputs_within_the_input_are_no_originals_and_one_line_says_so() -> None:
    told = list[Event]()
    for output in ("original/small", "original/0001/other", "original/small"):
        told.clear()
        statuses = run_resize("original", output, tell=told.append)
        assert statuses == {f"{n:04}/{n}.png": "success" for n in (1, 2, 3)}
    assert [one.text for one in told if isinstance(one, Notice)] == [
        (
            "left out: 2 folders with outputs of earlier runs, such as original/0001/other; to"
            " read it, give it as --input by itself"
        )
    ]
    assert len(run_resize("original/small", "smaller")) == 3


def test_downloads_within_the_input_are_originals(folder) -> None:
    state = folder / "original/.dafre_fast"
    state.mkdir()
    (state / "ledger.jsonl").write_text('{"stage":"fetch","key":"1"}\n')
    assert len(run_resize(".", "elsewhere/out")) == 3 + 2  # and two tables


@pytest.mark.usefixtures("folder")
def test_the_manifest_of_a_run_is_no_original_of_the_next() -> None:
    run = ResizeRun(
        input=Path("original"), output=Path("out"), manifest=Path("original/manifest.parquet")
    )
    for _ in range(2):
        assert resize(run, SMALL, ONE).images == 3


@pytest.mark.usefixtures("folder")
def test_a_download_out_of_a_folder_says_that_it_copies_nothing() -> None:
    told = []
    run_download("original", "out", tell=told.append)
    assert "nothing is copied" in "".join(one.text for one in told if isinstance(one, Notice))
    assert not [*Path("out").rglob("*.png")]


def test_verify_leaves_downloads_within_an_output_alone(folder) -> None:
    state = folder / "out/original/.dafre_fast"
    state.mkdir(parents=True)
    draw(folder / "out/original/0001/1.jpg")
    (folder / "out/original/0001/.2.jpg.part").write_text("half")
    run_resize("original", "out")
    found = verify(VerifyRun(output=Path("out"), remove=True), Workers(workers=1))
    assert (found.findings, found.removed) == ([], [])
    assert (folder / "out/original/0001/.2.jpg.part").exists()


def test_outputs_within_a_folder_of_metadata_are_no_metadata(folder) -> None:
    for name in ("posts.json", "out/other.json", "out/.dafre_fast/lock"):
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).write_text('{"id": 1}\n{"id": 2}\n')
    assert [table.path for table in tables_of([Path("data")])] == [Path("data/posts.json")]


def test_of_a_refused_run_nothing_is_left_but_originals(folder) -> None:
    draw(folder / "original/full/7.png")
    before = tree(folder)
    with pytest.raises(UsageError, match="holds files that no run made"):
        run_resize("original", "original/full")
    assert tree(folder) == before


@pytest.mark.parametrize("command", [run_resize, run_crop, run_full, make_images])
def test_images_of_another_size_are_not_replaced_unasked(folder, command: Command) -> None:
    command("original", "out")
    before = tree(folder)
    smaller = Recipe(full=FullImage(size=16), face=FaceImage(face_size=16))
    with pytest.raises(UsageError, match="out: 3 images were made with --size 32 "):
        command("original", "out", smaller)
    assert tree(folder) == before


# What a walk meets.


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="its file names are UTF-8")
def test_names_that_are_not_utf8_are_made_and_found_again(folder) -> None:
    for number, name in enumerate((b"caf\xe9.png", rb"caf\xe9.png", b"d\xff/1.png")):
        path = Path(os.fsdecode(b"names/" + name))
        draw(path, (20, 20, 80 * number))
    statuses = run_resize("names", "out")
    assert statuses == dict.fromkeys(("caf\\x5cxe9.png", "caf\\xe9.png", "d\\xff/1.png"), "success")
    for number, name in enumerate(("caf\\xe9.jpg", "caf\\x5cxe9.jpg", "d\\xff/1.jpg")):
        blue = Image.open(Path("out", name)).getpixel((9, 9))[2]
        assert abs(blue - 80 * number) < 4
    done = here("verify", "--output", "out", cwd=folder)
    assert (done.returncode, "all as recorded" in done.stdout) == (0, True)


@pytest.mark.usefixtures("folder")
def test_pipes_and_devices_cost_nothing_and_loops_are_named() -> None:
    os.mkfifo("original/pipe.png")
    Path("original/device.png").symlink_to("/dev/zero")
    Path("original/0001/up").symlink_to("..")
    told = list[Event]()
    statuses = run_resize("original", "out", tell=told.append)
    assert statuses["pipe.png"] == statuses["device.png"] == "unreadable_original"
    assert len(statuses) == 5
    assert [one.text for one in told if isinstance(one, Notice)] == [
        "left out: 1 link to a folder that holds the link, such as original/0001/up"
    ]


@unprivileged
def test_a_folder_that_cannot_be_listed_is_refused_and_named(public, monkeypatch) -> None:
    from dafre_fast.engine.input_files import originals_in

    monkeypatch.chdir(public)
    for name in ("tree/a/1.png", "tree/b/2.png"):
        draw(public / name)
    (public / "tree/a").chmod(0)
    told = list[Event]()
    with as_nobody():
        found = originals_in(Path("tree"), told.append)
        (public / "tree").stat()
    assert sorted(found.files) == [("a", "tree/a"), ("b/2.png", "tree/b/2.png")]
    (notice,) = told
    assert notice == Notice(
        "1 folder cannot be listed and is refused as unreadable_original, such as tree/a:"
        " Permission denied"
    )
    (public / "tree").chmod(0)
    with as_nobody(), pytest.raises(InputError, match="tree: Permission denied"):
        originals_in(Path("tree"), silent)


# Files beside a picture.


def test_a_caption_does_not_take_the_name_of_the_picture_beside_it(folder) -> None:
    (folder / "original/0001/1.json").write_text("{}")
    statuses = run_resize("original", "out")
    assert statuses["0001/1.json"] == "not_an_image"
    assert statuses["0001/1.png"] == "success"
    assert sorted(name for name in tree(folder / "out")) == [f"{n:04}/{n}.jpg" for n in (1, 2, 3)]


def test_two_pictures_of_one_name_are_both_made_and_one_line_says_so(folder) -> None:
    draw(folder / "original/0001/1.webp")
    told = list[Event]()
    assert len(run_resize("original", "out", tell=told.append)) == 4
    assert [one.text for one in told if isinstance(one, Notice)] == [
        (
            "1 original has the name of another but for the extension: 0001/1.webp becomes"
            " 0001/1.webp.jpg, so that both are kept"
        )
    ]


@pytest.mark.parametrize("command", [run_crop, run_full])
def test_the_picture_that_the_table_names_is_made_of_several(folder, command: Command) -> None:
    for name in ("1.face.png", "1.jpg", "1.webp"):  # all before `1.png` in one order or another
        draw(folder / f"original/0001/{name}", (20, 200, 20))
    (folder / "original/0001/1.caption").write_text("1girl")
    command("original", "out")
    made = folder / ("out" if command is run_crop else "out/faces") / "0001/1.jpg"
    red, green, _ = Image.open(made).getpixel((9, 9))
    assert red > 180 > green
