"""The `report` command as a user runs it, and its page as a browser parses it."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np
import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import sync_playwright

from dafre_fast.core.layout import BAD_ROWS, STATE, bucket
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Made
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.splits import SPLITS
from dafre_fast.core.summaries import Step
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.provenance import record_choice, record_making
from dafre_fast.gallery.language import named
from dafre_fast.gallery.view import read_view, split_query
from dafre_fast.report.run import write_report
from dafre_fast.report.settings import ReportRun
from dafre_fast.stats.run import stats
from dafre_fast.stats.settings import Plotting, StatsRun
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.labels import write_labels
from tests.commands import here, tree

pytestmark = pytest.mark.slow

NAMES = (
    '<img src=x onerror="alert(1)">',
    '"momo"/o\'hara_&amp;_{{ 7 * 7 }}',
    "初音ミク_</script><!--",
)
"""Names of the classes, with text that has a meaning in HTML, attributes, or Jinja."""
TAGS = ("<b>bold</b>", 'say_"hi"', "青い髪")
REFUSED = {7: Reason.TRUNCATED, 19: Reason.NOT_FOUND, 23: Reason.WORKER_CRASHED}
"""Reasons by id. The originals of the first and the last exist."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "link", "img", "br", "wbr", "path", "rect"}


class Page(HTMLParser):
    """The content of a page: `elements` with attributes, `rows` of cells of all tables, and
    `columns`, the caption and the heads of each table.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.open = list[tuple[str, dict[str, str]]](), list[str]()
        self.words, self.rows = list[str](), list[list[str]]()
        self.columns = list[tuple[str, list[str]]]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "caption":
            self.columns.append(("", []))
        if (tag, dict(attrs).get("scope")) == ("th", "col"):
            self.columns[-1][1].append("")
        if tag == "tr":
            self.rows.append([])
        if tag in {"dd", "td"}:
            self.words.append(" ")
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "caption" in self.open:
            self.columns[-1] = (self.columns[-1][0] + data, [])
        if "thead" in self.open and "th" in self.open:
            self.columns[-1][1][-1] += data
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def row(self, head: str) -> list[str]:
        """Return the first row of any table that begins with `head`."""
        rows = ([" ".join(cell.split()) for cell in row] for row in self.rows)
        return next(row for row in rows if head in row[0:2])


def manifest() -> pl.DataFrame:
    """Return a manifest of thirty images of three classes, three of them refused."""
    ids = [*range(1, 31)]
    classes = [0] * 15 + [1] * 10 + [2] * 5
    status = [REFUSED.get(id, "success") for id in ids]
    made = pl.col("status") == "success"
    rng = np.random.default_rng(1)
    rows = pl.DataFrame(
        {
            "id": ids,
            "path": [f"{bucket(id)}/{id}.jpg" for id in ids],
            "tag_id": classes,
            "class_id": classes,
            "class_name": [NAMES[number] for number in classes],
            "split": ["val" if id % 10 == 0 else "test" if id % 5 == 0 else "train" for id in ids],
            "left": 0.25, "top": 0.1, "right": 0.75, "bottom": 0.5,
            "status": [str(one) for one in status],
            "error_message": [f"<i>{id}</i> & 'more'" if id in REFUSED else None for id in ids],
            "url": [f"https://host.example/original/{bucket(id)}/{id}.png" for id in ids],
            "download_seconds": 0.5,
        }
    )  # fmt: skip
    sizes = {
        "original_width": rng.integers(300, 3000, 30),
        "original_height": rng.integers(300, 3000, 30),
        "original_bytes": rng.integers(10_000, 10_000_000, 30),
        "width": 256, "height": 300, "bytes": 1000,
        "face_width": 90, "face_height": 100, "face_bytes": 500,
    }  # fmt: skip
    columns = {
        name: pl.Series(value) if isinstance(value, np.ndarray) else pl.lit(value)
        for name, value in sizes.items()
    }
    form = pl.when(pl.col("id") % 3 == 0).then(pl.lit("png")).otherwise(pl.lit("jpeg"))
    values = columns | {"format": form}
    rows = rows.with_columns(**values).with_columns(
        pl.when(made).then(pl.col(name)).alias(name) for name in values
    )
    return rows.with_columns(notes=pl.lit([], pl.List(pl.String)))


def draw(path: Path, number: int, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (40 + number * 7 % 200, number * 31 % 255, number * 53 % 255)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Write a dataset with all its records; tests must not change it."""
    ds = tmp_path_factory.mktemp("finished") / "ds"
    rows = manifest()
    for id, path, status in rows["id", "path", "status"].iter_rows():
        if status == "success":
            draw(ds / "fullMin256" / path, id, (256, 300))
            draw(ds / "faces" / path, id, (90, 100))
    for id in (7, 23):
        original = ds / f"original/{bucket(id)}/{id}.jpg"
        original.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(id)
        noise = Image.fromarray(rng.integers(0, 255, (400, 300, 3), np.uint8))
        noise.save(original)
        original.write_bytes(original.read_bytes()[:30_000])  # truncated
    rows.write_parquet(ds / "manifest.parquet")
    write_labels(rows, ds / "labels")
    steps = [Step("rows of faces.tsv", 90, 9), Step("<em>sure</em>", 30, 3)]
    write_funnel(
        [*steps, *(Step(split, *counted(rows, split)) for split in SPLITS)],
        ds / "labels/funnel.json",
    )
    write_statistics(ds)
    write_ledger(ds)
    record_making(ds, Recipe(), resume=True)
    return ds


def write_ledger(ds: Path) -> None:
    """Write a ledger with ten outcomes of each stage per second."""
    hashes, lines = Recipe().hashes(), list[bytes]()
    for place, id in enumerate(manifest()["id"]):
        recipe, at = hashes.of(REFUSED.get(id)), 1.7e9 + place / 10
        lines += map(msgspec.json.encode, (Fetched(str(id), at=at), Made(str(id), recipe, at=at)))
    (ds / STATE).mkdir()
    (ds / STATE / LEDGER).write_bytes(b"\n".join([*lines, b""]))


def counted(rows: pl.DataFrame, split: str) -> tuple[int, int]:
    own = rows.filter(split=split)
    return own.height, own["class_id"].n_unique()


def write_statistics(ds: Path) -> None:
    tags = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "dir": ["a", "b", "c"],
            "class_id": [0, 0, 0],
            "tags_cat0": [list(TAGS), list(TAGS[:2]), list(TAGS[:1])],
            "tags_cat3": [[], [], []],
            "tags_cat4": [["x"], ["x"], ["x"]],
        },
        schema_overrides=dict.fromkeys(["tags_cat0", "tags_cat3", "tags_cat4"], pl.List(pl.String)),
    )
    tags.write_parquet(ds / "labels/train_tags.parquet")
    run = StatsRun(input=(ds / "labels/train_tags.parquet",), output=ds / "stats")
    stats(run, Plotting(plots=False))
    draw(ds / "stats/wordcloud_tags_cat0.png", 1, (120, 80))


@pytest.fixture(scope="module")
def report(finished) -> Path:
    """Make the report of the finished dataset; tests must not change it."""
    done = here("report", "--output", "ds", cwd=finished.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return finished / "report"


@pytest.fixture(scope="module")
def page(report) -> Page:
    return Page((report / "index.html").read_text())


@pytest.fixture
def ds(finished, tmp_path) -> Path:
    """Copy the dataset, without its report, for a test that changes it."""
    copy = tmp_path / "ds"
    shutil.copytree(finished, copy, ignore=shutil.ignore_patterns("report"))
    return copy


def page_of(ds: Path, *flags: object) -> Page:
    done = here("report", "--output", "ds", *flags, cwd=ds.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return Page((ds / "report/index.html").read_text())


def test_the_numbers_are_those_of_the_manifest(page) -> None:
    rows = manifest()
    assert "requested 30 made 27 refused 3 classes 3" in page.text
    for split in SPLITS:
        images = rows.filter(split=split).height
        own = rows.filter(split=split, status="success")
        numbers = (images, own.height, images - own.height, own["class_id"].n_unique())
        assert page.row(split)[1].startswith(str(images))  # in the funnel
        assert [split, *map(str, numbers)] in page.rows
    assert "30 images = 27 made + 3 refused (10.00%)." in page.text
    jpeg = rows.filter(format="jpeg").height
    assert page.row("jpeg")[:3] == ["jpeg", str(jpeg), f"{jpeg / 27:.2%}"]
    assert page.row("host.example")[:3] == ["host.example", "30", "100.00%"]
    total = int(rows["original_bytes"].sum())
    assert page.row("original")[-1] == f"{total / 1e6:,.3g} MB"


def test_every_class_has_its_name_its_images_by_split_and_a_head(page) -> None:
    rows = manifest()
    for number, name in enumerate(NAMES):
        own = rows.filter(class_id=number)
        made = [own.filter(split=split, status="success").height for split in SPLITS]
        row = page.row(f"{name} {number}")
        assert [row[2], *row[-3:]] == [str(own.height), *map(str, made)]
        assert f"Head of {name}" in [image["alt"] for image in page.of("img")]


def test_the_funnel_has_every_step_and_what_was_made(page) -> None:
    assert page.row("rows of faces.tsv") == ["rows of faces.tsv", "90", "9"]
    assert page.row("<em>sure</em>") == ["<em>sure</em>", "30 33.3%", "3"]
    assert page.row("made") == ["made", "27 90.0%", "3"]


def test_names_and_tags_are_text_and_nothing_else(page) -> None:
    for text in (*NAMES, *TAGS, "<i>7</i> & 'more'"):
        assert text in page.text
    assert not {"script", "b onerror", "i", "em"} & {name for name, _ in page.elements}
    assert not [one for _, attributes in page.elements for one in attributes if one[:2] == "on"]
    assert page.open == []


def test_every_picture_has_an_alternative_text(page) -> None:
    images = page.of("img")
    assert len(images) > 50
    assert all(image["alt"].strip() for image in images)
    titles = [attributes["aria-labelledby"] for attributes in page.of("svg")]
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert len(titles) == 5
    assert {id for title in titles for id in title.split()} <= ids


def test_every_link_works_and_nothing_is_loaded_from_a_network(page, report) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len({*ids})
    loaded = [image["src"] for image in page.of("img")] + [one["href"] for one in page.of("link")]
    linked = [one["href"] for one in page.of("a") if not one["href"].startswith("http")]
    files = {path for path in (*loaded, *linked) if not path.startswith("#")}
    assert files | {"index.html"} == tree(report).keys()
    assert {path[1:] for path in linked if path.startswith("#")} <= {*ids}
    assert "url(" not in (report / "style.css").read_text()


def test_pictures_have_the_size_that_the_page_gives_them(page, report) -> None:
    for image in page.of("img"):
        with Image.open(report / image["src"]) as picture:
            assert (str(picture.width), str(picture.height)) == (image["width"], image["height"])


def test_tables_have_headings(page) -> None:
    heads = page.of("th")
    assert heads
    assert {head["scope"] for head in heads} == {"col", "row"}
    assert len(page.of("caption")) == len(page.of("table"))


def test_there_is_a_contact_sheet_of_both_trees_for_every_split(page, report) -> None:
    for split in SPLITS:
        made = manifest().filter(split=split, status="success").height
        for folder in ("fullMin256", "faces"):
            assert (report / f"pictures/sheet-{folder}-{split}.webp").is_file()
            alt = f"Contact sheet of {made} images of {folder} in {split}"
            assert alt in [image["alt"] for image in page.of("img")]


def test_a_refused_original_is_shown_if_possible_and_harms_no_process(page, report) -> None:
    shown = [path.name for path in (report / "pictures/refused").iterdir()]
    assert shown == ["7.webp"]  # 19 is not there, 23 has brought down a worker
    for reason in REFUSED.values():
        assert page.row(reason)[:3] == [reason, "1", "33.33%"]


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium from the packages of the system")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_from_disk_and_is_accessible(report, tmp_path, width, scheme) -> None:
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        # Its own policy lets no script in, nor one that looks at it.
        page = browser.new_page(
            viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True
        )
        missing = list[str]()
        page.on("requestfailed", lambda request: missing.append(request.url))
        page.goto((report / "index.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.screenshot(path=tmp_path / "report.png", full_page=True)  # draws all of it
        assert missing == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        browser.close()


@pytest.mark.parametrize("sides", [(390, 844), (1280, 800)], ids=str)
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium from the packages of the system")
def test_the_first_pictures_are_on_the_first_screen(report, sides) -> None:
    with opened(report, viewport={"width": sides[0], "height": sides[1]}) as page:
        pictures = page.locator(".first img")
        assert pictures.count() == 12
        boxes = pictures.evaluate_all(
            "all => all.map(one => one.naturalWidth && one.getBoundingClientRect().bottom)"
        )
        assert 0 < min(boxes) < max(boxes) < sides[1]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium from the packages of the system")
def test_a_label_that_is_wider_than_its_bar_stands_beside_it(report, width) -> None:
    with opened(report, viewport={"width": width, "height": 800}) as page:
        labels = page.locator(".funnel .step").evaluate_all("""all => all.map(one => {
            const step = one.getBoundingClientRect(), middle = step.x + step.width / 2;
            const share = Number(getComputedStyle(one).getPropertyValue("--v"));
            const words = [...one.querySelectorAll("b, small")];
            const boxes = words.map(one => one.getBoundingClientRect());
            const left = Math.min(...boxes.map(one => one.left));
            const right = Math.max(...boxes.map(one => one.right));
            const half = share * step.width / 2;
            return [left, right, middle - half, middle + half, step.right];
        })""")
    within = [left >= begin and right <= end for left, right, begin, end, _ in labels]
    beside = [left >= end for left, _, _, end, _ in labels]
    assert any(within)
    assert any(beside)
    assert all(one or other for one, other in zip(within, beside, strict=True))
    assert all(right <= most for _, right, _, _, most in labels)


@contextmanager
def opened(report: Path, **settings: object) -> Iterator[BrowserPage]:
    """Open the page in a browser from disk."""
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(**settings)
        page.goto((report / "index.html").as_uri())
        yield page
        browser.close()


def test_every_column_of_every_table_is_explained_in_its_caption(page) -> None:
    heads = page.columns
    assert len(heads) == len(page.of("table")) > 9
    for caption, columns in heads:
        assert columns
        assert [one for one in columns if f"{one}: " not in caption] == []


# Links to a gallery


def links(page: Page) -> set[str]:
    return {one["href"] for one in page.of("a") if one["href"].startswith("http://")}


def test_classes_tags_sheets_refusals_and_pictures_lead_to_the_gallery_of_this_machine(
    page,
) -> None:
    home = "http://127.0.0.1:8000/"
    asked = links(page)
    assert {home, f"{home}?q=split:test", f"{home}?show=faces&q=split:test"} <= asked
    assert {f"{home}?q=status:{reason}" for reason in REFUSED.values()} <= asked
    assert {f"{home}image/{id}" for id in REFUSED} <= asked
    assert f"{home}?q=format:png" in asked


def test_links_ask_in_the_language_of_the_gallery(page) -> None:
    asked = {tuple(read_view(split_query(urlsplit(one).query)).terms) for one in links(page)}
    assert {(named("class", name),) for name in NAMES} <= asked
    assert {(named("general", tag),) for tag in TAGS} <= asked


def test_classes_of_one_name_are_asked_for_by_their_number(ds) -> None:
    rows = manifest().with_columns(
        class_name=pl.when(pl.col("class_id") == 2).then(None).otherwise(pl.lit("same"))
    )
    rows.write_parquet(ds / "manifest.parquet")
    asked = links(page_of(ds))
    assert {f"http://127.0.0.1:8000/?q=class_id:{number}" for number in range(3)} <= asked


@pytest.mark.parametrize(
    ("gallery", "link"),
    [
        ("https://photos.example.com/ds", "https://photos.example.com/ds/image/7"),
        ("../", "../image/7"),
        ("/photos", "/photos/image/7"),
    ],
)
def test_links_begin_with_the_address_of_the_gallery(ds, gallery, link) -> None:
    page = page_of(ds, "--gallery", gallery)
    assert link in [one["href"] for one in page.of("a")]
    assert not links(page)


def test_without_a_gallery_there_are_no_links_to_it(ds) -> None:
    page = page_of(ds, "--gallery", "")
    assert not links(page)
    assert "gallery" not in page.text
    assert all(one["href"].startswith(("#", "pictures/", "https://")) for one in page.of("a"))


@pytest.mark.parametrize(
    "gallery",
    ["javascript:alert(1)", "ftp://host/", "host:8000", "//host/", "http://me:secret@host/",
     "http://host/?q=1", "http://[::1"],
)  # fmt: skip
def test_an_address_that_is_no_gallerys_is_refused(ds, gallery) -> None:
    done = here("report", "--output", "ds", "--gallery", gallery, cwd=ds.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dafre-fast report: --gallery")
    assert "secret" not in done.stderr
    assert not (ds / "report").exists()


def test_title_and_description_are_given_by_flags(ds) -> None:
    page = page_of(ds, "--title", "My <pictures>", "--description", "Drawn by me & others.")
    assert "My <pictures> Drawn by me & others. 27 images" in page.text


# Refused originals


def test_every_reason_links_to_its_remedy(page) -> None:
    linked = [one["href"] for one in page.of("a")]
    assert [reason for reason in REFUSED.values() if reason.page not in linked] == []
    assert all(reason.cause in page.text for reason in REFUSED.values())


def test_of_a_refused_original_type_and_size_are_told_or_that_it_is_not_there(
    page, finished
) -> None:
    size = (finished / "original/0007/7.jpg").stat().st_size
    assert f"jpeg, {size:,} bytes" in page.text
    assert "the original is not on this disk" in page.text  # 19


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"<!DOCTYPE html><p>not found</p>", "HTML, 31 bytes"),
        (b"", "empty file, 0 bytes"),
        (b"%PDF-1.7", "a PDF, 8 bytes"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp, 16 bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "png, 108 bytes"),
        (b"what is this", "begins with b'what is ', 12 bytes"),
    ],
)
def test_what_cannot_be_decoded_is_told_by_its_first_bytes(ds, data, told) -> None:
    (ds / "original/0007/7.jpg").write_bytes(data)
    page = Page(Path(write_report(ReportRun(output=ds, sheet=1)).index).read_text())
    assert told in page.text
    assert not (ds / "report/pictures/refused/7.webp").exists()


def test_an_original_that_is_no_file_does_not_stop_the_report(ds) -> None:
    (ds / "original/0007/7.jpg").unlink()
    os.mkfifo(ds / "original/0007/7.jpg")
    page = Page(Path(write_report(ReportRun(output=ds, sheet=1)).index).read_text())
    assert "the original cannot be read: not a regular file" in page.text


def test_settings_versions_and_hashes_are_shown(page, finished) -> None:
    recipe = Recipe().hashes()
    assert page.row(recipe.pixels) == [recipe.pixels, "29"]
    assert page.row(recipe.bounded) == [recipe.bounded, "1"]
    assert "subsampling 4:2:0" in page.text
    assert f"polars {pl.__version__}" in page.text
    for name in ("manifest.parquet", "labels/train.csv", "labels/classid_classname.csv"):
        assert page.row(name)[2] == sha256(finished / name)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_throughput_is_that_of_the_ledger(page) -> None:
    for stage in ("originals fetched", "images made"):
        assert page.row(stage)[1:] == ["30", "10.3"]
    assert "over 2.9 seconds of work" in page.text


def test_the_same_dataset_gives_the_same_bytes(report, ds) -> None:
    page_of(ds)
    assert tree(ds / "report") == tree(report)


def test_another_seed_gives_other_pictures(ds) -> None:
    page_of(ds, "--seed", 2, "--sheet", 3, "--labelled", 3)
    other = {path for path in tree(ds / "report") if "fullMin256/" in path}
    page_of(ds, "--seed", 1, "--sheet", 3, "--labelled", 3)
    assert len(other) == 9
    assert other != {path for path in tree(ds / "report") if "fullMin256/" in path}


def test_missing_or_broken_files_are_listed_and_others_are_shown(ds) -> None:
    (ds / "fullMin256/0005/5.jpg").unlink()
    (ds / "faces/0008/8.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (ds / "faces/0009/9.jpg").unlink()
    (ds / "faces/0009/9.jpg").mkdir()
    done = here("report", "--output", "ds", cwd=ds.parent)
    assert done.returncode == 0, done.stderr
    broken = ["faces/0008/8.jpg", "faces/0009/9.jpg", "fullMin256/0005/5.jpg"]
    assert done.stdout.splitlines()[-3:] == [f"could not be read: {name}" for name in broken]
    page = Page((ds / "report/index.html").read_text())
    assert "3 files that this report would have shown" in page.text
    assert all(name in page.text for name in broken)
    made = manifest().filter(split="train", status="success").height
    alt = f"Contact sheet of {made - 2} images of faces in train"
    assert alt in [image["alt"] for image in page.of("img")]


def test_a_section_without_data_is_left_out_with_the_reason(ds) -> None:
    for folder in ("labels", "stats", STATE):
        shutil.rmtree(ds / folder)
    done = here("report", "--output", "ds", cwd=ds.parent)
    assert sorted(done.stdout.splitlines()[1:]) == [
        "left out: funnel (labels/funnel.json is not there)",
        "left out: settings (settings and versions were not recorded)",
        "left out: tags (stats/stats.json is not there; `full` writes it if --metadata is given)",
        "left out: throughput (there is no ledger)",
    ]
    page = Page((ds / "report/index.html").read_text())
    assert "Left out: labels/funnel.json is not there." in page.text
    assert "Left out: stats/stats.json is not there; `full` writes it" in page.text
    assert "Left out: there is no ledger." in page.text


def test_it_names_the_tables_and_settings_of_the_dataset(ds) -> None:
    (ds / "faces.tsv").write_text("a table")
    source, metadata = "https://me:secret@host/{id}.{ext}", [Path("<b>.json")]
    rules = (Selection(min_confidence=0.9), metadata, TagSteps())
    record_choice(ds, [ds / "faces.tsv"], source, *rules)
    page = page_of(ds)
    assert "source https://host/{id}.{ext} metadata <b>.json" in page.text
    assert "min confidence 0.9" in page.text
    assert "ratings s, g" in page.text
    assert page.row("faces.tsv")[-1] == hashlib.sha256(b"a table").hexdigest()


def test_the_data_card_speaks_of_the_source_that_was_used(ds) -> None:
    def card(source: str) -> str:
        record_choice(ds, [ds / "labels/train.csv"], source, Selection(), [Path("x.json")], None)
        page = Path(write_report(ReportRun(output=ds, sheet=1)).index).read_text()
        return page[page.index('id="card"') :]

    of_folder = card("/home/me/pictures")
    assert "Images come from originals on a disk, heads and classes from" in of_folder
    assert "tags from <code>x.json</code>" in of_folder
    assert "anbooru" not in of_folder
    assert "/home/me" not in of_folder
    of_danbooru = card("hf:nyanko7/danbooru2023")
    assert (
        "Images come from the data set nyanko7/danbooru2023 on the Hugging Face Hub" in of_danbooru
    )
    assert "those of the imageboard Danbooru" in of_danbooru
    assert "@misc{danbooru2018," in of_danbooru


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "labels/funnel.json",
        "stats/stats.json",
        f"{STATE}/makings.json",
        f"{STATE}/choice.json",
    ],
)
def test_a_damaged_record_is_named_and_its_section_left_out(ds, name) -> None:
    (ds / name).write_bytes(b'{"steps": [\xff')
    assert f"could not be read: {name}" in here("report", "--output", "ds", cwd=ds.parent).stdout


def test_a_manifest_with_only_the_needed_columns_is_enough(ds) -> None:
    needed = ["id", "path", "class_id", "class_name", "split", "status"]
    manifest().select(needed).write_parquet(ds / "manifest.parquet")
    page = page_of(ds)
    assert "requested 30 made 27" in page.text
    assert "Left out: the manifest has no head boxes." in page.text


def test_a_dataset_without_classes_has_a_report(ds) -> None:
    rows = manifest().with_columns(
        class_id=pl.lit(None, pl.Int64), class_name=pl.lit(None, pl.String)
    )
    rows.write_parquet(ds / "manifest.parquet")
    page = page_of(ds)
    assert "requested 30 made 27 refused 3 originals" in page.text
    assert "Left out: the table has no classes." in page.text
    assert all(image["alt"].strip() for image in page.of("img"))


def test_a_dataset_without_any_image_has_a_report(ds) -> None:
    rows = manifest().with_columns(status=pl.lit("not_found"))
    rows.write_parquet(ds / "manifest.parquet")
    page = page_of(ds)
    assert "requested 30 made 0 refused 30" in page.text


def test_the_json_lists_missing_sections_and_unreadable_files(ds) -> None:
    (ds / "labels/funnel.json").unlink()
    printed = json.loads(here("report", "--output", "ds", "--json", cwd=ds.parent).stdout)
    files = tree(ds / "report")
    assert printed == {
        "index": "ds/report/index.html",
        "files": len(files),
        "bytes": sum(map(len, files.values())),
        "images": 30,
        "left_out": {
            "funnel": "labels/funnel.json is not there",
            "tags": (
                "labels/tags_funnel.json is not there; `full` writes it if --metadata is given"
            ),
        },
        "unread": [],
    }


def test_an_earlier_report_is_replaced_completely(ds) -> None:
    page_of(ds)
    stale = ds / "report/pictures/stale.webp"
    stale.write_bytes(b"")
    for left in (".report.part", ".report.old"):  # of killed runs
        (ds / left).mkdir()
        (ds / left / "half").touch()
    page_of(ds, "--title", "another")
    assert not stale.exists()
    assert not [*ds.glob(".report*")]
    assert "<h1>another</h1>" in (ds / "report/index.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["damaged", "cut", "gone"])
def test_an_unreadable_manifest_leaves_the_earlier_report(ds, harm) -> None:
    page_of(ds)
    before, path = tree(ds / "report"), ds / "manifest.parquet"
    {
        "damaged": lambda: path.write_bytes(b"PAR1" + bytes(range(256)) * 9 + b"PAR1"),
        "cut": lambda: path.write_bytes(path.read_bytes()[:200]),
        "gone": path.unlink,
    }[harm]()
    done = here("report", "--output", "ds", cwd=ds.parent)
    assert done.returncode == 2
    assert done.stderr.startswith("dafre-fast report: ds/manifest.parquet: ")
    assert len(done.stderr.splitlines()) == 1
    assert tree(ds / "report") == before
    assert not [*ds.glob(".report*")]


def test_a_folder_that_is_not_a_report_is_left_alone(ds) -> None:
    (ds / "report").mkdir()
    (ds / "report/thesis.tex").write_text("mine")
    done = here("report", "--output", "ds", cwd=ds.parent)
    line = "dafre-fast report: ds/report: is there and is no report; move it away\n"
    assert (done.returncode, done.stderr) == (1, line)
    assert tree(ds / "report") == {"thesis.tex": b"mine"}


def test_a_full_disk_leaves_no_report_and_no_part_of_one(ds, small_disk) -> None:
    manifest().select(pl.exclude("notes")).head(10).write_parquet(
        small_disk.folder / "manifest.parquet"
    )
    for folder in ("fullMin256", "faces"):
        (small_disk.folder / folder).symlink_to(ds / folder)
    done = here("report", "--output", small_disk.folder, cwd=ds.parent)
    assert done.returncode == 1
    assert done.stderr.endswith("report: No space left on device\n")
    assert {path.name for path in small_disk.folder.iterdir()} == {
        "manifest.parquet", "fullMin256", "faces",
    }  # fmt: skip


def test_only_the_report_is_written(finished, ds) -> None:
    page_of(ds)
    there = {name for name in tree(ds) if not name.startswith("report/")}
    assert there == {name for name in tree(finished) if not name.startswith("report/")}
    assert BAD_ROWS not in there
