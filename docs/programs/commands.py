"""Pages about commands and settings, made from the settings themselves."""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import click
from msgspec import inspect

from dafre_fast.cli import COMMANDS, description
from dafre_fast.core.settings.build import fields, must_be

MARK = "<!-- flags -->"
"""The line of a page `reference/commands/NAME.md` that its tables of flags replace."""
ALL = "<!-- settings -->"
"""The line of a page that the table of all settings replaces."""
LIST = "<!-- commands -->"
"""The line of a page that the table of all commands replaces."""


_GUIDES = {
    "full": "../../quick-start.md",
    "heads": "../../guides/heads.md",
    "labels": "../formats/tables.md",
    "download": "../../guides/originals.md",
    "resize": "../../tutorials/folder.md",
    "crop": "../../guides/heads.md#all-heads-of-a-picture",
    "merge": "../../guides/many-machines.md#join-the-parts",
    "tags": "../../guides/tags.md",
    "lists": "../../guides/originals.md#rsync",
    "stats": "../../guides/tags.md#statistics",
    "report": "../../guides/gallery.md#the-report",
    "pack": "../../guides/packing.md",
    "export": "../../guides/curating.md#hand-it-to-other-tools",
    "gallery": "../../guides/gallery.md#the-gallery",
    "verify": "../../guides/verifying.md",
    "audit": "../../guides/duplicates.md",
    "train": "../../guides/training.md",
    "evaluate": "../../guides/training.md#what-evaluate-says",
    "predict": "../../guides/training.md",
}
"""Pages that explain a command with examples."""


def command_of(name: str) -> Any:
    """Return the click command of this name, with its groups and sections."""
    return import_module(f"dafre_fast.{name.replace('-', '_')}.__main__").command


def whole_page(name: str) -> str:
    """Return the page of a command for which nobody wrote one: what it does, and its flags."""
    guide = f"[Examples and explanations]({_GUIDES[name]})\n\n" if name in _GUIDES else ""
    return f"# {name}\n\n{with_flags(description(name))}\n\n{guide}{MARK}\n"


def flags(name: str) -> str:
    """Return the tables of flags of a command, one for each group of settings."""
    command = command_of(name)
    kinds = {field.encode_name: field for group in command.groups for field in fields(group)}
    parts = [_usage(command), *_words(command, kinds)]
    for section in command.sections:
        rows = (_row(option, kinds[option.name]) for option in section.options)
        parts.append(f"## {with_flags(section.heading)}\n\n{_HEAD}\n" + "\n".join(rows))
    parts.append(_OTHERS)
    return "\n\n".join(parts)


def all_settings() -> str:
    """Return the table of all settings: name, values, default, and the commands that have it."""
    rows = dict[str, tuple[str, str, list[str]]]()
    for name in COMMANDS:
        command = command_of(name)
        kinds = {field.encode_name: field for group in command.groups for field in fields(group)}
        for setting, field in kinds.items():
            told = (must_be(field.type), _default(field), [])
            rows.setdefault(setting, told)[2].append(name)
    head = "| setting | takes | default | commands |\n|---|---|---|---|\n"
    return head + "\n".join(
        f"| `{setting}` | {takes} | {default} | {' '.join(_link(name) for name in commands)} |"
        for setting, (takes, default, commands) in sorted(rows.items())
    )


def all_commands() -> str:
    """Return the table of all commands: name, and the first line of what it does."""
    rows = (f"| {_link(name)} | {description(name).splitlines()[0]} |" for name in COMMANDS)
    return "| command | does |\n|---|---|\n" + "\n".join(rows)


def _link(name: str) -> str:
    return f"[`{name}`](commands/{name}.md)"


_HEAD = "| flag | takes | default | |\n|---|---|---|---|"
_OTHERS = """## Other options

| flag | |
|---|---|
| `--config` | A TOML file with any of these settings ([how](../settings.md)). |
| `--version` | Show the version and exit. |
| `-h`, `--help` | Show the flags and exit. |"""


def _usage(command: Any) -> str:
    words = [f" {param.metavar}" for param in command.params if isinstance(param, click.Argument)]
    return f"```\ndafre-fast {command.name} [OPTIONS]{''.join(words)}\n```"


def _words(command: Any, kinds: Mapping[str, inspect.Field]) -> Iterator[str]:
    for param in command.params:
        if isinstance(param, click.Argument):
            yield f"`{param.metavar}`: {text_of(kinds[param.name])}"


def _row(option: click.Option, field: inspect.Field) -> str:
    spelt = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    takes = "" if option.secondary_opts else must_be(field.type)
    return f"| {spelt} | {takes} | {_default(field)} | {text_of(field)} |"


def text_of(field: inspect.Field) -> str:
    """Return what a setting does, for a cell of a table."""
    assert isinstance(field.type, inspect.Metadata)
    text = str((field.type.extra_json_schema or {})["description"])
    return with_flags(text).replace("|", "\\|").replace("*", "\\*")


def with_flags(text: str) -> str:
    """Return a text with its flags as code; else `--` would become a dash, or be parted."""
    return re.sub(r"(?<![\w`-])--[a-z][a-z-]*", r"`\g<0>`", text)


def _default(field: inspect.Field) -> str:
    if field.required:
        return "*needed*"
    value = field.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value in ("", ()):
        return ""
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"
