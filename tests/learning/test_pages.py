"""The pages about a model, in a browser."""

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from dafre_fast.core.layout import MANIFEST
from dafre_fast.evaluate.run import evaluate
from dafre_fast.evaluate.settings import EvaluateRun
from dafre_fast.learning.settings import Computing
from tests.learning.drawn import NAMES, edit_manifest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
UNBROKEN = """[...document.querySelectorAll("td.n")].every(
    one => getComputedStyle(one).whiteSpace === "nowrap")"""
"""True if no number breaks into lines."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs chromium from the packages of the system"),
]


@pytest.fixture(scope="module")
def pages(made, tmp_path_factory) -> list[Path]:
    """The page of a training, and that of an evaluation with confused classes."""
    folder = tmp_path_factory.mktemp("pages")
    dataset = Path(shutil.copytree(made.dataset, folder / "ds"))
    red, green, _ = NAMES
    edit_manifest(dataset, pl.col("class_name").replace(red, green))
    edit_manifest(dataset, pl.when(class_id=0).then(1).otherwise("class_id").alias("class_id"))
    assert pl.read_parquet(dataset / MANIFEST)["class_id"].n_unique() == 2
    evaluate(EvaluateRun(model=made.model, output=dataset, into=folder / "page"), Computing())
    return [made.model / "report.html", folder / "page/index.html"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_open_from_disk_fit_the_screen_and_are_accessible(pages, width, scheme) -> None:
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        for path in pages:
            page = browser.new_page(
                viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True
            )
            missing = list[str]()
            page.on("requestfailed", lambda request, missing=missing: missing.append(request.url))
            page.goto(path.as_uri())
            assert missing == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.evaluate(UNBROKEN)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
        browser.close()
