"""The site is built strictly, and loads nothing from elsewhere."""

import html
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dafre_fast import cli
from dafre_fast.core.reasons import DOCUMENTATION, Reason
from tests.docs.pages import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("material") and find_spec("mkdocstrings")),
        reason="MkDocs is not installed: pip install --editable '.[docs]'",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_command_and_every_reason_can_be_found(site) -> None:
    index = (site / "search/search_index.json").read_text()
    for name in cli.COMMANDS:
        assert (site / f"reference/commands/{name}/index.html").exists()
    assert all(reason.value in index for reason in Reason)
    assert "<!--" not in index


def test_every_reason_has_an_anchor(site) -> None:
    for reason in Reason:
        page, _, anchor = reason.page.removeprefix(DOCUMENTATION).partition("#")
        text = (site / page / "index.html").read_text()
        assert f'id="{anchor}"' in text
        assert text.index(f'id="{anchor}"') < text.index(html.escape(reason.cause, quote=False))


def test_no_page_loads_anything_from_elsewhere(site) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) > 40
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)\"", text)
        loaded += re.findall(
            r"<link[^>]*rel=\"(?:stylesheet|preconnect|icon)\"[^>]*href=\"([^\"]+)", text
        )
        loaded += re.findall(
            r"<link[^>]*href=\"([^\"]+)\"[^>]*rel=\"(?:stylesheet|preconnect|icon)\"", text
        )
        assert [one for one in loaded if re.match(r"(https?:)?//", one)] == [], page
