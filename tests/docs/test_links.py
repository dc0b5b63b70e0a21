"""Links of the files at the top of the project lead somewhere; those within docs/ are checked by
the build of the site.
"""

import re

import pytest

from tests.docs.pages import ROOT, TOP, name_of

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", TOP, ids=name_of)
def test_links_lead_to_files_and_headings_of_the_project(page) -> None:
    for link in _LINK.findall(page.read_text()):
        if link.startswith(("http", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = ROOT / path if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("page", TOP, ids=name_of)
def test_pictures_are_small_enough_to_be_in_a_repository(page) -> None:
    for link in re.findall(r"!\[[^]]*\]\(([^)\s]+)\)", page.read_text()):
        assert (ROOT / link).stat().st_size < 150_000, link
