"""Run `dafre-fast NAME`, or `python -m dafre_fast NAME`: all commands under one name."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from dafre_fast.cli import COMMANDS, description, package_of, run, version_option


class Commands(click.Group):
    """All commands. The module of one is imported when it is called, so that `--help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{package_of(cmd_name)}.__main__").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        near = get_close_matches(name, COMMANDS, n=1)
        if near and name not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {name!r}. Did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, description(name).split("\n")[0]) for name in COMMANDS])


group = Commands(
    "dafre-fast",
    params=[version_option()],
    help="Make an image dataset from faces.tsv and a source of originals.",
    epilog=(
        "\b\nCompletion of commands and flags with the tab key, for bash (zsh, fish alike):\n"
        '  eval "$(_DAFRE_FAST_COMPLETE=bash_source dafre-fast)"'
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> Any:
    """Run the console script."""
    run(group)


if __name__ == "__main__":
    main()
