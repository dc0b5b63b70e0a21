"""The gallery over HTTP, on the loopback interface."""

import asyncio
import html
import os
import re
import shutil
import socket
import stat
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import polars as pl
import pytest
from aiohttp import ClientSession, web_response
from multidict import CIMultiDictProxy
from yarl import URL

from dafre_fast.core.errors import UsageError
from dafre_fast.core.reasons import DOCUMENTATION, Reason
from dafre_fast.gallery import queries, server
from dafre_fast.gallery.index import Index, index_dataset, open_index
from dafre_fast.gallery.language import named, write
from dafre_fast.gallery.settings import GalleryRun
from dafre_fast.gallery.view import View, address
from tests.gallery.small_dataset import GENERAL, images

ALL = images()
MADE = [one for one in ALL if one.status == "success"]
REFUSED = [one for one in ALL if one.status != "success"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        """The visible text of a page."""
        return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", self.text).split()))


Ask = Callable[..., Awaitable[Answer]]


def indexed(dataset: Path) -> Index:
    folder = dataset / ".dafre_fast/gallery"
    index_dataset(dataset, folder, begin=lambda: None)
    return open_index(folder)


def talk(
    dataset: Path,
    say: Callable[[Ask], Awaitable[None]],
    host: str = "127.0.0.1",
    **settings: object,
) -> None:
    """Serve a dataset while `say` sends requests. Paths are sent as they are given."""

    async def main() -> None:
        run = GalleryRun(output=dataset, host=host, port=0, **settings)
        index = server.prepared(run, dataset)
        async with server.serving(run, index) as place, ClientSession() as session:

            async def ask(
                path: str, method: str = "GET", data: object = None, **headers: str
            ) -> Answer:
                origin = f"http://127.0.0.1:{URL(place).port}"
                url = URL(origin + path, encoded=True)
                names = {name.replace("_", "-"): value for name, value in headers.items()}
                async with session.request(
                    method, url, headers=names, data=data, allow_redirects=False
                ) as got:
                    return Answer(got.status, got.headers, await got.read())

            await say(ask)

    asyncio.run(main())


def asked(dataset: Path, path: str, method: str = "GET", **headers: str) -> Answer:
    """Return the answer to one request."""
    found = []

    async def say(ask: Ask) -> None:
        found.append(await ask(path, method, **headers))

    talk(dataset, say)
    return found[0]


@dataclass(frozen=True)
class Element:
    tag: str
    attributes: dict[str, str | None]


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Element(tag, dict(attrs)))


def elements(answer: Answer, tag: str) -> list[dict[str, str | None]]:
    parser = _Elements()
    parser.feed(answer.text)
    return [element.attributes for element in parser.found if element.tag == tag]


@pytest.fixture
def own(dataset, tmp_path) -> Path:
    """Copy the dataset for a test that changes it."""
    return shutil.copytree(dataset, tmp_path / "own")


def test_the_first_page_has_sixty_images_with_alternative_texts(dataset) -> None:
    pictures = elements(asked(dataset, "/?order=manifest"), "img")
    made = [one for one in ALL[:60] if one.status == "success"]
    assert [picture["src"] for picture in pictures] == [f"/full/{one.id}.jpg" for one in made]
    assert [picture["alt"] for picture in pictures] == [
        f"{one.klass}, image {one.id}, {one.split}" for one in made
    ]
    sizes = [(int(picture["width"]), int(picture["height"])) for picture in pictures]
    assert sizes == [(one.width, one.height) for one in made]


def test_heads_are_shown_instead_of_full_images(dataset) -> None:
    pictures = elements(asked(dataset, "/?show=faces&order=manifest"), "img")
    assert [picture["src"] for picture in pictures][:3] == [
        f"/face/{one.id}.jpg" for one in MADE[:3]
    ]


def test_pages_are_linked_to_one_another_without_the_script(dataset) -> None:
    seen = list[str]()

    async def say(ask: Ask) -> None:
        path: str | None = "/?q=sample&order=manifest"
        while path:
            answer = await ask(path)
            tiles = [link["href"] for link in elements(answer, "a") if link["href"]]
            seen.extend(href for href in tiles if href.startswith("/image/"))
            path = next(
                (link["href"] for link in elements(answer, "a") if link.get("rel") == "next"), None
            )

    talk(dataset, say)
    tagged = [one for one in ALL if one.series and one.general]
    assert seen == [f"/image/{one.id}?q=sample&order=manifest" for one in tagged]


def test_every_link_of_a_page_works(dataset) -> None:
    async def say(ask: Ask) -> None:
        start = f"/image/{MADE[-1].id}?general=solo"
        for path in ("/?general=solo&order=random&seed=3", start):
            for link in elements(await ask(path), "a"):
                target = urljoin(path, link["href"]).partition("#")[0]
                assert (await ask(target)).status in {200, 302}, target

    talk(dataset, say)


def test_a_page_of_an_image_has_pictures_box_tags_and_its_row(dataset) -> None:
    one = next(one for one in MADE if len(one.general) == 3)
    answer = asked(dataset, f"/image/{one.id}")
    sources = [picture["src"] for picture in elements(answer, "img")]
    full, face = f"/full/{one.id}.jpg", f"/face/{one.id}.jpg"
    assert sources == [full, face, full, full, face, face]
    for rect in elements(answer, "rect"):
        left, width = (float(rect[name]) / one.width for name in ("x", "width"))
        top, height = (float(rect[name]) / one.height for name in ("y", "height"))
        assert (left, top, left + width, top + height) == pytest.approx(one.box)
    links = {link["href"] for link in elements(answer, "a")}
    assert {"/" + address(View(q=write([named("", tag)]))) for tag in one.general} <= links
    assert f"path {one.path}" in answer.words
    assert f"original_width {one.original[0]}" in answer.words


def test_every_picture_has_an_alternative_text(dataset) -> None:
    async def say(ask: Ask) -> None:
        for path in ("/", "/?show=faces", f"/image/{MADE[0].id}", f"/image/{REFUSED[0].id}"):
            assert all(picture["alt"] for picture in elements(await ask(path), "img"))

    talk(dataset, say)


def test_a_refused_image_shows_the_reason(dataset) -> None:
    one = REFUSED[0]
    answer = asked(dataset, f"/image/{one.id}")
    assert f"{one.path}: breaks off <here>" in answer.words
    assert elements(answer, "img") == []


def test_names_of_classes_and_tags_are_escaped(dataset) -> None:
    one = next(one for one in MADE if one.klass.startswith("a&b") and GENERAL[5] in one.general)

    async def say(ask: Ask) -> None:
        for path in (
            f"/image/{one.id}",
            f"/{address(View(q=write([named('class', one.klass)])))}",
            "/complete?q=script",
        ):
            answer = await ask(path)
            assert answer.status == 200
            assert "<script>alert" not in answer.text
            assert "<i>" not in answer.text

    talk(dataset, say)


def test_a_picture_is_the_file_of_the_dataset(dataset) -> None:
    one = MADE[3]

    async def say(ask: Ask) -> None:
        for tree, folder in (("full", "fullMin256"), ("face", "faces")):
            answer = await ask(f"/{tree}/{one.id}.jpg")
            assert answer.body == (dataset / folder / one.path).read_bytes()
            assert answer.headers["Content-Type"] == "image/jpeg"

    talk(dataset, say)


def test_a_picture_that_the_browser_has_is_not_sent_again(dataset) -> None:
    path = f"/full/{MADE[0].id}.jpg"

    async def say(ask: Ask) -> None:
        first = await ask(path)
        assert first.headers["Cache-Control"] == "private, max-age=600"
        again = await ask(path, If_None_Match=first.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        other = await ask(path, If_None_Match='"another"')
        assert (other.status, other.body) == (200, first.body)

    talk(dataset, say)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/?split=&head_min=&page=2", "/?page=2"),
        ("/?general=solo&general=solo", "/?q=solo"),
        ("/?order=id&seed=4", "/?order=id"),
        ("/search?q=solo&split=val", "/?q=split:val+solo"),
        ("/search?q=Aoi+(sample)&page=2", "/?q=class:aoi_(sample)"),
        (f"/search?q={ALL[5].id}&split=val", f"/image/{ALL[5].id}?q=split:val"),
    ],
)
def test_an_address_redirects_to_its_shortest_form(dataset, path, target) -> None:
    async def say(ask: Ask) -> None:
        answer = await ask(path)
        assert (answer.status, answer.headers["Location"]) == (302, target)
        assert (await ask(target)).status == 200

    talk(dataset, say)


def test_a_random_order_gets_a_seed_into_its_address(dataset) -> None:
    async def say(ask: Ask) -> None:
        target = (await ask("/?order=random&split=val")).headers["Location"]
        assert re.fullmatch(r"/\?q=split:val&order=random&seed=[0-9]+", target)
        first, again = await ask(target), await ask(target)
        assert (first.status, first.body) == (200, again.body)

    talk(dataset, say)


def test_a_term_that_nothing_fits_gets_a_page_of_the_nearest(dataset) -> None:
    async def say(ask: Ask) -> None:
        assert (await ask("/search?q=hair+split:val")).headers["Location"] == "/?q=hair+split:val"
        for path in ("/?q=hair+split:val", f"/image/{ALL[5].id}?q=hair+split:val"):
            answer = await ask(path)
            assert answer.status == 404
            assert "Nothing fits “hair”" in answer.words
            links = [link["href"] for link in elements(answer, "a")]
            assert {"/?q=long_hair+split:val", "/?q=hair_ribbon+split:val"} <= {*links}
            assert "/?q=split:val" in links

    talk(dataset, say)


def test_the_tags_of_a_page_are_listed_beside_it_to_add_or_exclude(dataset) -> None:
    answer = asked(dataset, "/?q=split:val+-solo&order=manifest")
    links = {link.get("aria-label"): link["href"] for link in elements(answer, "a")}
    assert links["With long hair"] == "/?q=split:val+-solo+long_hair&order=manifest"
    assert links["Without long hair"] == "/?q=split:val+-solo+-long_hair&order=manifest"
    assert "With solo" not in links
    left = [one for one in ALL if one.split == "val" and "solo" not in one.general]
    assert f"long hair {sum('long hair' in one.general for one in left)}" in answer.words


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/?page=4", 404, "There is no page 4; the last is 3."),
        ("/image/1", 404, "The manifest has no image 1."),
        ("/full/1.jpg", 404, "The manifest has no image 1."),
        (f"/full/{REFUSED[0].id}.jpg", 404, f"{REFUSED[0].path}: No such file or directory"),
        ("/nothing", 404, "There is no such page."),
        ("/static/style.css.gz", 404, "There is no such page."),
        ("/?page=0", 400, "page: Expected `int` >= 1"),
        ("/?colour=red", 400, "there is no parameter `colour`"),
        ("/image/1?general=%ff", 400, "the address is not UTF-8"),
        ("/search?q=a&page=x", 400, "page: "),
    ],
)
def test_an_error_is_a_page_with_its_reason(dataset, path, status, reason) -> None:
    answer = asked(dataset, path)
    assert answer.status == status
    assert reason in answer.words
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_an_internal_error_is_a_page_without_its_cause_and_the_server_goes_on(
    dataset, monkeypatch, caplog
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    async def say(ask: Ask) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(queries, "details", broken)
            answer = await ask(f"/image/{ALL[0].id}")
        assert answer.status == 500
        assert "secret" not in answer.text
        assert "a secret" in caplog.text
        assert (await ask("/")).status == 200

    talk(dataset, say)


def test_classes_and_tags_are_listed_with_counts_and_a_picture_each(dataset) -> None:
    async def say(ask: Ask) -> None:
        answer = await ask("/names/general")
        uses = Counter(tag for one in ALL for tag in one.general)
        words = [one for tag, images in uses.most_common() for one in [f"{tag} {images}"]]
        assert all(one in answer.words for one in words)
        first = uses.most_common(1)[0][1]
        assert min(tag for tag, images in uses.items() if images == first) in answer.words
        pictures = elements(answer, "img")
        assert len(pictures) == len(uses)
        shown = {int(re.findall("[0-9]+", one["src"])[0]) for one in pictures}
        assert shown <= {one.id for one in MADE}
        of_letter = await ask("/names/general?letter=H&by=name")
        assert "1 general tags" in of_letter.words
        assert "/?q=hair_ribbon" in [link["href"] for link in elements(of_letter, "a")]
        assert "aoi_(sample)" in (await ask("/names/class")).words
        assert (await ask("/names/character")).status == 200
        for path, status in {"page=2": 404, "by=size": 400, "letter=ab": 400, "x=1": 400}.items():
            assert (await ask(f"/names/class?{path}")).status == status

    talk(dataset, say)


def test_the_original_and_where_it_came_from_stand_beside_the_outputs(own) -> None:
    manifest = pl.read_parquet(own / "manifest.parquet")
    url = "https://user:word@example.com/a.png?token=secret&id=5"
    manifest.with_columns(url=pl.lit(url)).write_parquet(own / "manifest.parquet")
    shown, offered, linked, gone = MADE[:4]
    for one, ending in ((shown, "png"), (offered, "tif"), (linked, "gif")):
        path = own / "original" / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(f".{ending}").write_bytes(b"bytes of " + ending.encode())
    path.with_suffix(".gif").unlink()
    path.with_suffix(".gif").symlink_to(own / "manifest.parquet")

    async def say(ask: Ask) -> None:
        page = await ask(f"/image/{shown.id}")
        assert f"/original/{shown.id}" in [one["src"] for one in elements(page, "img")]
        assert "https://example.com/a.png?token=***&id=5" in page.words
        assert "secret" not in page.text
        assert "word@" not in page.text
        answer = await ask(f"/original/{shown.id}")
        assert (answer.body, answer.headers["Content-Type"]) == (b"bytes of png", "image/png")
        answer = await ask(f"/original/{offered.id}")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{offered.id}.tif"'
        assert f"/original/{offered.id}" not in (await ask(f"/image/{offered.id}")).text.partition(
            "<table>"
        )[0].replace(f'href="/original/{offered.id}"', "")
        for one in (linked, gone):
            assert (await ask(f"/original/{one.id}")).status == 404
        assert (await ask("/original/1")).status == 404

    talk(own, say)


def test_duplicates_of_the_audit_are_shown_beside_an_image(own) -> None:
    groups = pl.DataFrame(
        {"group": [1, 1, 1, 2, 2], "id": [*(one.id for one in MADE[:3]), MADE[3].id, 1]}
    )
    (own / "audit").mkdir()
    groups.write_parquet(own / "audit/duplicates.parquet")

    async def say(ask: Ask) -> None:
        page = await ask(f"/image/{MADE[0].id}")
        assert "Duplicates that the audit found" in page.words
        links = [link["href"] for link in elements(page, "a")]
        assert {f"/image/{one.id}" for one in MADE[1:3]} <= {*links}
        for one in MADE[3:5]:
            assert "Duplicates" not in (await ask(f"/image/{one.id}")).words
        (own / "audit/duplicates.parquet").write_bytes(b"nothing")
        assert (await ask(f"/image/{MADE[0].id}")).status == 503

    talk(own, say)


def test_a_refusal_says_its_cause_and_leads_to_others_like_it(dataset) -> None:
    page = asked(dataset, f"/image/{REFUSED[0].id}")
    assert "The file ends before the image does." in page.words
    assert "/?q=status:truncated" in [link["href"] for link in elements(page, "a")]


@pytest.mark.parametrize("path", [f"/image/{REFUSED[0].id}", "/?q=status:truncated"])
def test_a_refusal_links_to_its_remedy_and_says_how_it_is_tried_again(dataset, path) -> None:
    page = asked(dataset, path)
    assert Reason.TRUNCATED.page in [link["href"] for link in elements(page, "a")]
    assert Reason.TRUNCATED.next_run in page.words


def test_a_status_that_is_no_known_reason_has_no_link(dataset, tmp_path) -> None:
    own = shutil.copytree(dataset, tmp_path / "own", ignore=shutil.ignore_patterns(".dafre_fast"))
    rows = pl.read_parquet(own / "manifest.parquet")
    rows.with_columns(pl.col("status").replace("truncated", "of_old")).write_parquet(
        own / "manifest.parquet"
    )
    for path in (f"/image/{REFUSED[0].id}", "/?q=status:of_old"):
        page = asked(own, path)
        assert page.status == 200
        assert "of_old" in page.words
        assert not [one for one in elements(page, "a") if one["href"].startswith("https:")]


PATHS = ["/", "/image/1", f"/full/{MADE[0].id}.jpg", "/static/gallery.js", "/nothing", "/?page=0"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_security_headers(dataset, path) -> None:
    headers = asked(dataset, path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Server"] == "dafre-fast"
    assert "Cache-Control" in headers


def test_pages_obey_their_own_security_policy(dataset) -> None:
    async def say(ask: Ask) -> None:
        for path in ("/", f"/image/{MADE[0].id}", "/?q=hair"):
            text = (await ask(path)).text
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>|//[a-z]", text)

    talk(dataset, say)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_only_get_and_head_are_allowed(dataset, method) -> None:
    answer = asked(dataset, "/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_headers_of_get_and_no_body(dataset, path) -> None:
    async def say(ask: Ask) -> None:
        got, head = await ask(path), await ask(path, "HEAD")
        assert (head.status, head.body) == (got.status, b"")
        assert head.headers["Content-Length"] == str(len(got.body))

    talk(dataset, say)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:9000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("192.168.1.4", 200),
        ("evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 400),
        ("a b", 400),
        ("", 400),
    ],
)
def test_a_host_name_of_another_machine_is_refused(dataset, host, status) -> None:
    async def say(ask: Ask) -> None:
        for path in ("/", f"/full/{MADE[0].id}.jpg"):
            assert (await ask(path, Host=host)).status == status

    talk(dataset, say)


def test_the_name_of_this_machine_is_accepted_when_serving_other_machines(dataset) -> None:
    async def say(ask: Ask) -> None:
        assert (await ask("/", Host=socket.gethostname())).status == 200
        assert (await ask("/", Host="evil.example")).status == 421

    talk(dataset, say, host="0.0.0.0")


def addresses(answer: Answer) -> set[str]:
    """Return all addresses on a page, whatever they are for, without their fragments."""
    names = ("href", "src", "action", "data-href", "data-complete")
    parser = _Elements()
    parser.feed(answer.text)
    given = (one.attributes.get(name) for one in parser.found for name in names)
    return {address.partition("#")[0] for address in given if address} - {""}


PAGES = [
    "/",
    "/?q=solo&page=2",
    "/?q=class:none",
    f"/image/{MADE[4].id}?q=solo",
    f"/image/{REFUSED[0].id}",
    "/?q=hair",
    "/?q=zzz",
    "/complete?q=hair",
    "/names/series",
    "/nothing",
]


@pytest.mark.parametrize("taken_off", [True, False])
@pytest.mark.parametrize("prefix", ["/g", "/a/b", "/full", "/image", "/static"])
def test_behind_a_prefix_every_address_of_every_page_has_it_and_works(
    dataset, prefix, taken_off
) -> None:
    async def say(ask: Ask) -> None:
        def through(path: str) -> Awaitable[Answer]:
            return ask(path.removeprefix(prefix) if taken_off else path)

        for page in PAGES:
            answer = await through(prefix + page)
            found = {one for one in addresses(answer) if not one.startswith(DOCUMENTATION)}
            assert found
            assert all(one.startswith(f"{prefix}/") for one in found)
            for one in found if page == "/?q=hair" else sorted(found)[-6:]:
                assert (await through(one)).status in {200, 302}, one

    talk(dataset, say, prefix=prefix)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/g", "/g/"),
        ("/g/?split=&page=2", "/g/?page=2"),
        ("/?split=&page=2", "/g/?page=2"),
        (f"/g/image/{MADE[0].id}?page=&split=val", f"/g/image/{MADE[0].id}?q=split:val"),
        ("/search?q=solo", "/g/?q=solo"),
        (f"/g/search?q={ALL[5].id}", f"/g/image/{ALL[5].id}"),
    ],
)
def test_redirects_lead_to_the_prefix(dataset, path, target) -> None:
    async def say(ask: Ask) -> None:
        answer = await ask(path)
        assert (answer.status, answer.headers["Location"]) == (302, target)

    talk(dataset, say, prefix="g/")


def test_headers_of_proxies_are_not_trusted(dataset) -> None:
    lies = {
        "X_Forwarded_Prefix": "/evil",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "gopher",
        "X_Script_Name": "/evil",
        "Forwarded": "host=evil.example;proto=gopher",
    }

    async def say(ask: Ask) -> None:
        for path in PAGES:
            assert (await ask(path, **lies)).body == (await ask(path)).body
        trusting = {"Host": "evil.example", "X_Forwarded_Host": "localhost"}
        assert (await ask("/", **trusting)).status == 421

    talk(dataset, say)


def test_names_that_are_allowed_are_accepted_and_no_others(dataset) -> None:
    async def say(ask: Ask) -> None:
        for host in ("photos.example.com", "PHOTOS.example.com.:8443", "xn--bcher-kva.example"):
            assert (await ask("/", Host=host)).status == 200
        for host in ("example.com", "evil.photos.example.com", "photos.example.com.evil.example"):
            assert (await ask("/", Host=host)).status == 421

    talk(dataset, say, allow_host=("Photos.example.com", "bücher.example"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prefix": "/a/../b"}, "--prefix '/a/../b': must be a path such as /photos"),
        ({"prefix": "//evil.example"}, "--prefix"),
        ({"prefix": "/a?b"}, "--prefix"),
        ({"prefix": "https://host/a"}, "--prefix"),
        (
            {"allow_host": ("https://a.example",)},
            "--allow-host 'https://a.example': must be a name",
        ),
        ({"allow_host": ("a.example", "b.example:80")}, "--allow-host 'b.example:80'"),
        ({"allow_host": ("*",)}, "--allow-host"),
    ],
)
def test_a_prefix_or_a_name_that_is_none_is_refused_before_an_index_is_built(
    dataset, tmp_path, settings, message
) -> None:
    run = GalleryRun(output=dataset, index=tmp_path / "index", **settings)
    with pytest.raises(UsageError, match=re.escape(message)):
        server.gallery(run, lambda *_: None)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/full/../manifest.parquet",
        "/full/..%2fmanifest.parquet",
        "/full/%2e%2e/%2e%2e/etc/passwd",
        "/full//etc/passwd",
        "/full/%2Fetc%2Fpasswd.jpg",
        "/static/../__init__.py",
        "/static/..%2f__init__.py",
        "/static/%2e%2e%5c__init__.py",
        "/full/5.jpg%00.png",
        "/full/-5.jpg",
        "/full/%D9%A5.jpg",
        "/full/5.jpg/",
        "/other/5.jpg",
        "/image/99999999999999999999",
    ],
)
def test_no_path_leads_out_of_the_trees(dataset, path) -> None:
    assert asked(dataset, path).status == 404


def test_no_symbolic_link_is_followed(own, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("not to be seen")
    file, folder = MADE[0], next(one for one in MADE[1:] if one.id % 1000 != MADE[0].id % 1000)
    (own / "fullMin256" / file.path).unlink()
    (own / "fullMin256" / file.path).symlink_to(secret / "file")
    place = (own / "fullMin256" / folder.path).parent
    shutil.rmtree(place)
    (secret / f"{folder.id}.jpg").write_text("not to be seen")
    place.symlink_to(secret)
    (own / "faces").rename(tmp_path / "moved")
    (own / "faces").symlink_to(tmp_path / "moved")

    async def say(ask: Ask) -> None:
        for path in (f"/full/{file.id}", f"/full/{folder.id}", f"/face/{MADE[1].id}"):
            answer = await ask(f"{path}.jpg")
            assert answer.status == 404
            assert "not to be seen" not in answer.text

    talk(own, say)


def test_a_pipe_or_folder_in_place_of_a_picture_is_not_found(own) -> None:
    pipe, folder = (own / "fullMin256" / one.path for one in MADE[:2])
    pipe.unlink()
    os.mkfifo(pipe)
    folder.unlink()
    folder.mkdir()

    async def say(ask: Ask) -> None:
        for one in MADE[:2]:
            assert (await ask(f"/full/{one.id}.jpg")).status == 404

    talk(own, say)


def test_paths_in_the_manifest_are_not_used(own) -> None:
    manifest = pl.read_parquet(own / "manifest.parquet")
    lying = manifest.with_columns(path=pl.lit("../manifest.parquet"))
    lying.write_parquet(own / "manifest.parquet")
    answer = asked(own, f"/full/{MADE[0].id}.jpg")
    assert answer.body == (own / "fullMin256" / MADE[0].path).read_bytes()


def test_the_row_of_an_image_shows_floats_with_four_digits(own) -> None:
    manifest = pl.read_parquet(own / "manifest.parquet")
    long = manifest.with_columns(left=pl.lit(0.35364899039268494))
    long.write_parquet(own / "manifest.parquet")
    assert "left 0.3536 " in asked(own, f"/image/{MADE[0].id}").words


def test_serving_changes_nothing_in_the_dataset_but_the_index(own) -> None:
    def found() -> dict[str, tuple[int, int]]:
        return {
            str(path.relative_to(own)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in own.rglob("*")
            if stat.S_ISREG(path.stat().st_mode) and ".dafre_fast" not in path.parts
        }

    before = found()

    async def say(ask: Ask) -> None:
        for path in ("/", f"/image/{MADE[0].id}", f"/full/{MADE[0].id}.jpg", "/complete?q=a"):
            assert (await ask(path)).status == 200

    talk(own, say)
    assert found() == before


def test_an_answer_to_bad_http_does_not_name_aiohttp_or_python(dataset) -> None:
    async def main() -> bytes:
        run = GalleryRun(output=dataset, port=0)
        async with server.serving(run, indexed(dataset)) as place:
            port = URL(place).port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GARBAGE\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

    answer = asyncio.run(main())
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"Server: dafre-fast\r\n" in answer
    assert b"aiohttp" not in answer.lower()
    assert b"python" not in answer.lower()


def test_a_port_in_use_is_a_usage_error(dataset) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = GalleryRun(output=dataset, port=port)

        async def main() -> None:
            async with server.serving(run, indexed(dataset)):
                pass

        with pytest.raises(UsageError, match=f"--port {port}: .*in use"):
            asyncio.run(main())


def test_other_servers_of_the_process_keep_their_name_afterwards(dataset) -> None:
    before = web_response.SERVER_SOFTWARE
    assert asked(dataset, "/").headers["Server"] == "dafre-fast"
    assert before == web_response.SERVER_SOFTWARE
