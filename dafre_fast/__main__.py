"""`python -m dafre_fast NAME`, the same as `dafre-fast NAME`: every command under one name."""

from importlib import import_module
from typing import Any

import click

from dafre_fast.cli import run

COMMANDS = {
    "full": "the whole run: tables, originals, images, labels, manifest, summary",
    "labels": "label files from faces.tsv, no image needed",
    "download": "originals from a URL template",
    "resize": "full images from a tree of originals",
    "crop": "face crops from a tree of originals",
    "tags": "tables of tags from Danbooru's metadata, no image needed",
    "lists": "the parts of a mirror's list of files that splits need, for rsync",
    "stats": "what is in a table of images and their tags, counted and drawn",
    "report": "a page that shows what a finished dataset is",
    "pack": "a dataset handed on: archives, shards, Parquet, a folder for Hugging Face",
    "gallery": "a finished dataset in a browser",
    "verify": "whether everything is there and as it was recorded",
    "audit": "duplicates within and across splits, and which images to leave out",
}


class Commands(click.Group):
    """Imports a command's module when it is called, not before: `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"dafre_fast.{cmd_name}.__main__").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


group = Commands(
    "dafre-fast",
    help="From faces.tsv and a source of originals to a ready image dataset.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> Any:
    """Entry point of the console script."""
    run(group)


if __name__ == "__main__":
    main()
