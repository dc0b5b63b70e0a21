"""Hooks of MkDocs: pages are completed from the code while the site is built.

Nothing of this is committed, so it cannot be out of date: the pages of commands and settings, and
the causes of refusals.
"""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.programs import causes, commands

_COMMANDS = "reference/commands"
_TOP = {
    "contributing/index.md": "CONTRIBUTING.md",
    "contributing/changes.md": "CHANGELOG.md",
    "contributing/security.md": "SECURITY.md",
}
"""Pages that are files at the top of the project, where people look for them."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page for each command into the navigation, and leave out pages that are not there."""
    folder = Path(config.docs_dir)
    config.nav = [entry for one in config.nav or () for entry in _entries(one, folder)]
    return config


def _entries(entry: Any, folder: Path) -> list[Any]:
    if isinstance(entry, str):
        return [entry] if entry in _TOP or (folder / entry).exists() else []
    ((title, content),) = entry.items()
    if content == f"{_COMMANDS}/":
        return [{title: [{name: f"{_COMMANDS}/{name}.md"} for name in commands.COMMANDS]}]
    return [{title: [new for one in content for new in _entries(one, folder)]}]


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each command that has none, and pages that stand at the top of the project."""
    for page, name in _TOP.items():
        text = (Path(config.docs_dir).parent / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text.replace("](docs/", "](../")))
    for name in commands.COMMANDS:
        path = f"{_COMMANDS}/{name}.md"
        if not files.get_file_from_path(path):
            files.append(File.generated(config, path, content=commands.whole_page(name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Replace marks by what the code says."""
    if commands.MARK in markdown:
        name = Path(page.file.src_uri).stem
        markdown = markdown.replace(commands.MARK, commands.flags(name))
    if commands.ALL in markdown:
        markdown = markdown.replace(commands.ALL, commands.all_settings())
    if commands.LIST in markdown:
        markdown = markdown.replace(commands.LIST, commands.all_commands())
    return causes.with_causes(markdown)
