"""The gallery in a real browser: the system's Chromium, headless.

Screenshots are kept in pytest's temporary folder, or in `GALLERY_SCREENSHOTS`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from dafre_fast.gallery.marks import FILE, Marks
from tests.gallery import judged
from tests.gallery.small_dataset import IMAGES, ODD, One, images

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs the system package chromium")
MADE = [one for one in images() if one.status == "success"]
FIRST = MADE[0]
Open = Callable[..., Page]


@contextmanager
def started(dataset: Path, *flags: str) -> Iterator[str]:
    """Start the gallery as a command, in its own process, and give its address."""
    command = [sys.executable, "-m", "dafre_fast.gallery", "--json", "--port", "0", *flags]
    process = subprocess.Popen(
        [*command, "--output", str(dataset)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process:
        try:
            yield json.loads(process.stdout.readline())["address"].rstrip("/")
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def place(dataset) -> Iterator[str]:
    with started(dataset) as address:
        yield address


@pytest.fixture
def behind_proxy(dataset) -> Iterator[str]:
    """The address of the gallery below /photos of a reverse proxy, which takes the prefix off."""

    opener = build_opener(NoRedirect)

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith("/photos/"):
                return self.send_error(404)
            passed_on = Request(target + self.path.removeprefix("/photos"))
            passed_on.headers = {**self.headers, "Host": "photos.example.com"}
            try:
                answer = opener.open(passed_on)
            except HTTPError as error:
                answer = error
            with answer:
                self.send_response(answer.status)
                content = answer.read()
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            return None

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # a page asks for sixty pictures at once

        def handle_error(self, *_: object) -> None:
            """A browser that leaves a page asks for the rest no more."""

    flags = ("--prefix", "/photos", "--allow-host", "photos.example.com")
    with started(dataset, *flags) as address, Server(("127.0.0.1", 0), Proxy) as proxy:
        target = address.removesuffix("/photos")
        Thread(target=proxy.serve_forever).start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()


class NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Chromium cannot use its sandbox as root, as in a container. It opens only this dataset.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, place) -> Iterator[Open]:
    """Open pages; fail if one writes to the console, for example a violation of its policy."""
    contexts, complaints = [], list[str]()

    def begin(path: str = "/", **settings: object) -> Page:
        settings = {"viewport": {"width": 1280, "height": 800}, "base_url": place, **settings}
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.extend(texts(message, page)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert complaints == []


def texts(message: ConsoleMessage, page: Page) -> list[str]:
    """Return what is said, unless it is the status of the page itself."""
    return [] if message.location["url"] == page.url else [message.text]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    chosen = os.environ.get("GALLERY_SCREENSHOTS")
    return Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")


def options(page: Page) -> Locator:
    """Return the completions that the search field offers."""
    return page.get_by_role("listbox", name="Classes and tags").get_by_role("option")


def tagged(*tags: str) -> list[One]:
    return [one for one in images() if {*tags} <= {*one.general}]


def test_searching_a_tag_opening_an_image_and_going_back_work(open_page) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("long")
    option = options(page).filter(has_text="long hair")
    expect(option).to_contain_text(str(len(tagged("long hair"))))
    option.click()
    expect(page).to_have_url(re.compile(r"/\?q=long_hair$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{len(tagged('long hair'))} images")
    first = page.locator(".grid li").first.get_attribute("id").removeprefix("i")
    page.locator(".grid a").first.click()
    expect(page).to_have_url(re.compile(rf"/image/{first}\?q=long_hair$"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/\?q=long_hair$"))


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("one", [MADE[0], MADE[4], MADE[-1]], ids=lambda one: f"{one.box[2]}")
def test_the_box_is_drawn_where_the_manifest_says(open_page, one, width) -> None:
    page = open_page(f"/image/{one.id}", viewport={"width": width, "height": 800})
    picture = page.locator(".picture img").bounding_box()
    drawn = page.locator(".box .line").bounding_box()
    assert picture
    assert drawn
    stroke = 2.5
    left, top, right, bottom = one.box
    expected = (
        picture["x"] + left * picture["width"],
        picture["y"] + top * picture["height"],
        picture["x"] + right * picture["width"],
        picture["y"] + bottom * picture["height"],
    )
    found = (drawn["x"], drawn["y"], drawn["x"] + drawn["width"], drawn["y"] + drawn["height"])
    assert found == pytest.approx(expected, abs=stroke)
    ratio = picture["width"] / picture["height"]
    assert ratio == pytest.approx(one.width / one.height, rel=0.01)


def test_the_box_can_be_hidden(open_page) -> None:
    page = open_page(f"/image/{FIRST.id}")
    expect(page.locator(".box")).to_be_visible()
    page.get_by_label("head box").uncheck()
    expect(page.locator(".box")).to_be_hidden()


def test_a_picture_can_be_enlarged_and_moved(open_page) -> None:
    page = open_page(f"/image/{FIRST.id}")
    picture = page.locator(".picture")
    before = picture.bounding_box()
    page.keyboard.press("+")
    page.get_by_role("button", name="Zoom in").first.click()
    large = picture.bounding_box()
    assert before
    assert large
    assert large["width"] == pytest.approx(before["width"] * 2.25, rel=0.01)
    page.mouse.move(before["x"] + 50, before["y"] + 50)
    page.mouse.down()
    page.mouse.move(before["x"] + 20, before["y"] + 10)
    page.mouse.up()
    moved = picture.bounding_box()
    assert moved
    assert (moved["x"], moved["y"]) == pytest.approx((large["x"] - 30, large["y"] - 40), abs=1)
    page.keyboard.press("0")
    assert picture.bounding_box() == before


def test_images_are_chosen_by_clicks_and_ranges_and_marked(browser, dataset, tmp_path) -> None:
    own = shutil.copytree(dataset, tmp_path / "own")
    with started(own) as address:
        page = browser.new_page(base_url=address)
        page.goto("/?order=manifest")
        picks = page.get_by_label("choose image")
        picks.nth(1).check()
        picks.nth(4).click(modifiers=["Shift"])
        expect(page.get_by_role("status")).to_have_text("4 chosen")
        page.get_by_label("Mark", exact=True).fill("not safe")
        page.get_by_role("button", name="Mark", exact=True).click()
        expect(page).to_have_url(re.compile(r"/\?order=manifest$"))
        page.goto("/?q=mark:not_safe")
        expect(page.get_by_role("heading", level=1)).to_have_text("4 images")
        page.get_by_role("button", name="Choose all that is shown").click()
        expect(page.get_by_role("status")).to_have_text("4 chosen")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("0 images")
        page.close()


def test_a_review_needs_two_keys(browser, dataset, tmp_path) -> None:
    own = shutil.copytree(dataset, tmp_path / "own")
    test = [one for one in MADE if one.split == "test"]
    with started(own) as address:
        page = browser.new_page(base_url=address)
        page.goto("/?q=split:test&order=manifest")
        page.get_by_role("link", name="Review these").click()
        page.get_by_label("Your name").fill("Anna")
        page.keyboard.press("Enter")
        counter = page.locator("main .what").first
        for number, key in enumerate("rwsr"):
            expect(counter).to_contain_text(f"{number + 1} of {len(test)}")
            expect(counter).to_contain_text(f"image {test[number].id}")
            page.wait_for_load_state("load")
            page.keyboard.press(key)
        expect(counter).to_contain_text(f"5 of {len(test)}")
        page.wait_for_load_state("load")
        page.keyboard.press("u")
        expect(counter).to_contain_text(f"4 of {len(test)}")
        page.goto("/agreement")
        expect(page.get_by_role("row", name="Anna")).to_have_text("Anna111")
        page.goto("/?q=verdict:wrong")
        expect(page.locator(".grid li")).to_have_attribute("id", f"i{test[1].id}")
        page.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_a_review_are_accessible(
    browser, dataset, pictures, tmp_path, width, scheme
) -> None:
    own = shutil.copytree(dataset, tmp_path / "own")
    ids = [one.id for one in MADE if one.split == "test"]
    marks = Marks(tmp_path)
    marks.judge("Ben", "right", ids[:9])
    marks.judge("Chloë", "wrong", ids[5:12])
    with started(own, "--reviews", str(tmp_path / FILE)) as address:
        view = {"width": width, "height": 844}
        page = browser.new_page(base_url=address, viewport=view, color_scheme=scheme)

        def look(name: str) -> None:
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{name}\n{found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

        page.goto("/review?q=split:test", wait_until="load")
        look("who")
        page.get_by_label("Your name").fill("Anna")
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("button", name="Right")).to_be_visible()
        for button in page.locator(".review button").all():
            box = button.bounding_box()
            assert box
            assert box["y"] + box["height"] <= view["height"]
        page.wait_for_load_state("load")
        look("review")
        with page.expect_navigation():
            page.keyboard.press("w")
        page.goto("/agreement", wait_until="load")
        look("agreement")
        page.goto(f"/review?q=split:test+class:{FIRST.klass}+status:truncated", wait_until="load")
        look("seen")
        page.close()


def test_boxes_are_shown_on_the_grid_where_the_heads_are(open_page) -> None:
    page = open_page("/?q=status:success&order=manifest")
    expect(page.locator(".grid .box").first).to_be_hidden()
    page.get_by_label("head boxes").check()
    picture = page.locator(".grid img").first.bounding_box()
    drawn = page.locator(".grid .line").first.bounding_box()
    assert picture
    assert drawn
    scale = max(picture["width"] / FIRST.width, picture["height"] / FIRST.height)
    left = picture["x"] + (picture["width"] - FIRST.width * scale) / 2
    expected = (left + FIRST.edges[0] * scale, picture["y"] + FIRST.edges[1] * scale)
    assert (drawn["x"], drawn["y"]) == pytest.approx(expected, abs=3)
    page.reload()
    expect(page.locator(".grid .box").first).to_be_visible()


def test_every_picture_of_a_page_is_drawn(open_page) -> None:
    page = open_page(f"/image/{FIRST.id}")
    widths = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert widths == [FIRST.width, FIRST.face[0]] + [FIRST.width] * 2 + [FIRST.face[0]] * 2
    grey = page.locator(".pair .grey").first
    assert grey.evaluate("one => getComputedStyle(one).filter") == "grayscale(1)"


@pytest.mark.slow
def test_behind_a_proxy_everything_stays_below_its_prefix(open_page, behind_proxy) -> None:
    page = open_page("/photos/", base_url=behind_proxy)
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator(".grid > li")).to_have_count(60)
    page.wait_for_load_state("networkidle")  # or else leaving it breaks off what is on its way
    scroll(page, "document.body.scrollHeight")
    expect(page.locator(".grid > li")).to_have_count(120)
    page.keyboard.press("/")
    page.keyboard.type("long")
    options(page).filter(has_text="long hair").click()
    expect(page).to_have_url(re.compile(r"/photos/\?q=long_hair$"))
    page.locator(".grid a").first.click()
    expect(page).to_have_url(re.compile(r"/photos/image/[0-9]+\?q=long_hair$"))
    widths = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert min(widths) > 0
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/photos/\?q=long_hair#i[0-9]+$"))
    page.locator("#q").fill("solo")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile(r"/photos/\?q=solo$"))
    page.wait_for_load_state("networkidle")
    assert asked
    assert all(one.startswith(f"{behind_proxy}/photos/") for one in asked)


@pytest.mark.slow
def test_a_class_can_be_chosen_by_keyboard(open_page) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("midori")
    expect(options(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#q")).to_have_attribute("aria-activedescendant", "option-1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?q=class:ao%2Fmidori$"))
    captions = page.locator(".grid .caption").all_text_contents()
    assert {caption.partition(",")[0] for caption in captions} == {"ao/midori"}


def test_escape_closes_the_completion_and_then_leaves_the_field(open_page) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("hair")
    expect(options(page)).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#q")).not_to_be_focused()


def test_keys_open_the_next_and_previous_image_and_the_grid(open_page) -> None:
    page = open_page(f"/image/{MADE[0].id}?q=status:success&order=manifest")
    for key, one in (("j", MADE[1]), ("ArrowRight", MADE[2]), ("k", MADE[1]), ("ArrowLeft", FIRST)):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(rf"/image/{one.id}\?q=status:success&order=manifest$"))
        page.wait_for_load_state()  # the script of the new page takes the next key
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(rf"/\?q=status:success&order=manifest#i{FIRST.id}$"))


def test_keys_move_through_the_grid(open_page) -> None:
    page = open_page("/?order=manifest")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(".grid a").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/image/{images()[1].id}\?order=manifest$"))


def test_keys_in_a_field_are_typed(open_page) -> None:
    page = open_page(f"/image/{FIRST.id}")
    page.keyboard.press("/")
    page.keyboard.type("jk/")
    expect(page.locator("#q")).to_have_value("jk/")
    expect(page).to_have_url(re.compile(rf"/image/{FIRST.id}$"))


@pytest.mark.slow
def test_scrolling_loads_more_pages_and_updates_the_address(open_page) -> None:
    page = open_page("/?order=manifest")
    tiles = page.locator(".grid > li")
    expect(tiles).to_have_count(60)
    for number in (120, IMAGES):
        scroll(page, "document.body.scrollHeight")
        expect(tiles).to_have_count(number)
    scroll(page, "document.body.scrollHeight")
    expect(page).to_have_url(re.compile(r"/\?order=manifest&page=3$"))
    found = tiles.evaluate_all("all => all.map(one => one.id)")
    assert found == [f"i{one.id}" for one in images()]
    scroll(page, "0")
    expect(page).to_have_url(re.compile(r":[0-9]+/\?order=manifest$"))


def scroll(page: Page, to: str) -> None:
    """Scroll without animation: one started by a key may stop when the page grows."""
    page.evaluate(f"scrollTo({{top: {to}, behavior: 'instant'}})")


@pytest.mark.slow
def test_a_long_name_written_right_to_left_does_not_break_the_page(open_page) -> None:
    page = open_page(f"/?{urlencode({'class': ODD})}", viewport={"width": 390, "height": 844})
    assert page.locator(".grid .refusal").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"/image/{next(one.id for one in MADE if one.klass == ODD)}")
    begin, end = page.locator("h1 .what").evaluate("""one => [0, 4].map(place => {
        const letter = document.createRange();
        letter.setStart(one.firstChild, place);
        letter.setEnd(one.firstChild, place + 1);
        return letter.getBoundingClientRect().x;
    })""")
    assert begin < end  # the word "image" runs from left to right


@pytest.mark.slow
def test_everything_works_without_the_script(open_page) -> None:
    page = open_page(java_script_enabled=False)
    page.get_by_role("searchbox").fill("long hair")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile(r"q=long_hair$"))
    page.get_by_text("Status, size and order").click()
    page.locator("select[name=status]").select_option("success")
    page.get_by_role("group", name="original").get_by_label("At least").fill("500")
    page.get_by_role("button", name="Apply").click()
    query = r"/\?q=long_hair\+status:success\+original:%3E%3D500$"
    expect(page).to_have_url(re.compile(query))
    page.get_by_role("link", name="Remove the filter long_hair").click()
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile(r"/\?q=status:success\+original:%3E%3D500&page=2$"))
    page.get_by_role("link", name=re.compile("^val")).click()
    page.get_by_role("link", name="Heads").click()
    expect(page).to_have_url(
        re.compile(r"/\?show=faces&q=status:success\+original:%3E%3D500\+split:val$")
    )


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_are_accessible(open_page, pictures, width, scheme) -> None:
    settings = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    page = open_page("/", **settings)
    refused = next(one for one in images() if one.status != "success")
    paths = {
        "grid": "/?order=random&seed=7",
        "sizes": "/?show=faces&q=solo+original:>%3D500",
        "names": "/names/class",
        "marks": "/marks",
        "image": f"/image/{MADE[-1].id}?q=solo",
        "refused": f"/image/{refused.id}",
        "reason": "/?q=status:truncated",
        "wrong": "/?q=hair+-smlie",
        "error": "/nothing",
    }
    for name, path in paths.items():
        page.goto(path, wait_until="load")
        page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        inside = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert inside, f"{path} is wider than the window"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_about_a_model_are_accessible(
    browser, dataset, pictures, tmp_path, width, scheme
) -> None:
    wrong = next(one for one in judged.MADE if not judged.is_right(one) and one.split == "test")
    model = judged.write_model(tmp_path / "run", dataset)
    view = {"width": width, "height": 844}
    with started(dataset, "--model", str(model)) as address:
        page = browser.new_page(base_url=address, viewport=view, color_scheme=scheme)
        for name, path in {
            "answers": "/?q=answer:wrong",
            "judged": f"/image/{wrong.id}",
            "like": f"/like/{wrong.id}",
            "upload": "/upload",
        }.items():
            page.goto(path, wait_until="load")
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.close()


@pytest.mark.slow
def test_the_completion_is_accessible(open_page) -> None:
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("hair")
    expect(options(page)).to_have_count(3)
    page.keyboard.press("ArrowDown")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
