"""Settings become flags: the shared frame of all commands.

`command` turns groups of settings into a click command. A value comes from the command line, else
from the file given by `--config` (its table named like the command, then its top level), else from
the default; all pass the same check. `run` turns whatever is raised into one line and an exit
status: 0 done, 1 ran but not to satisfaction, 2 wrong usage or unreadable input, 130 stopped.
"""

import gc
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec
from msgspec import inspect

from dafre_fast.core.errors import InputError, OutputError, SourceError, UsageError, WorkerError
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.summaries import Summary

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as shells have it."""

Values = Mapping[str, object]


def command(name: str, *groups: type[Group]) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function of settings a command with a flag for every field of its groups.

    The function is called with one instance of each group, in order, and returns the exit status.
    """

    def decorate(function: Callable[..., int]) -> click.Command:
        def callback(config: Path | None, **flags: object) -> int:
            given = {key: value for key, value in flags.items() if value not in (None, ())}
            in_file = _read_config(config, name, {*flags}) if config else {}
            return function(*(_build(group, {**in_file, **given}) for group in groups))

        # Groups may share a field: it is one flag.
        fields = {field.name: field for group in groups for field in _fields(group)}
        return _Command(
            name,
            callback=callback,
            params=[*map(_option, fields.values()), _config_option()],
            help=function.__doc__,
            context_settings={
                "help_option_names": ["-h", "--help"],
                "max_content_width": 100,
                "token_normalize_func": lambda token: token.replace("_", "-"),
            },
        )

    return decorate


class _Command(click.Command):
    """Its lists take all values that follow: `--metadata a.json b.json`, as shells have it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        lists = {name for option in self.params if option.multiple for name in option.opts}
        spread, flag = list[str](), ""
        for place, arg in enumerate(args):
            if arg.startswith("-"):
                flag = arg.replace("_", "-")
            elif flag in lists and not args[place - 1].startswith("-"):
                spread.append(flag)
            spread.append(arg)
        return super().parse_args(ctx, spread)


def report(summary: Summary, reporting: Reporting) -> int:
    """Print the summary; the exit status follows from the refusals allowed."""
    from dafre_fast.views.summary import show

    show(summary, as_json=reporting.json)
    damaged = summary.packed.damaged.values() if summary.packed else ()
    return judge(sum(summary.refused.values()) + sum(damaged), reporting)


def judge(refused: int, reporting: Reporting) -> int:
    """The exit status of a run that refused so many."""
    return int(reporting.max_refused is not None and refused > reporting.max_refused)


def run(entry: click.Command) -> NoReturn:
    """Run a command on the arguments of this process and exit with its status."""
    # Imports make a few hundred thousand objects that live to the end: searching them for garbage
    # is a tenth of the time it takes to start.
    gc.set_threshold(200_000, 50, 50)
    prefix = f"dafre-fast {entry.name}" if entry.name != "dafre-fast" else "dafre-fast"
    try:
        status = entry.main(prog_name=prefix, standalone_mode=False)
        gc.freeze()  # nor need they be searched on the way out
        sys.exit(status)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(prefix, error.format_message(), 2)
    except (UsageError, InputError) as error:
        _fail(prefix, error, 2)
    except (OutputError, SourceError, WorkerError) as error:
        _fail(prefix, error, 1)
    except (KeyboardInterrupt, click.Abort):
        _fail(
            prefix, "stopped; what is finished is kept, and the same command goes on", INTERRUPTED
        )


def _fail(prefix: str, message: object, status: int) -> NoReturn:
    line = " ".join(str(message).split())
    print(f"{prefix}: {line}", file=sys.stderr)
    sys.exit(status)


def _fields(group: type[Group]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(group)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _option(field: inspect.Field) -> click.Option:
    """The flag of one field. It takes text: bounds and types are checked once, in `_build`."""
    assert isinstance(field.type, inspect.Metadata), f"{field.name} lacks a description"
    kind, flag = field.type.type, "--" + field.name.replace("_", "-")
    help_text = (field.type.extra_json_schema or {})["description"]
    if field.required:
        help_text += "  [required]"
    elif field.default is not None and field.default is not False:
        help_text += f"  [default: {_show(field.default)}]"
    if isinstance(kind, inspect.BoolType):
        switch = f"{flag}/--no-{flag[2:]}"
        return click.Option([switch, field.name], default=None, help=help_text)
    is_list = isinstance(kind, inspect.VarTupleType)
    metavar = _metavar(kind)
    return click.Option([flag, field.name], metavar=metavar, help=help_text, multiple=is_list)


def _show(default: object) -> str:
    if isinstance(default, bool):
        return "on"
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _metavar(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=(first, inspect.NoneType())):
            return _metavar(first)
        case inspect.Metadata(type=inner):
            return _metavar(inner)
        case inspect.LiteralType(values=values):
            return "|".join(map(str, values))
        case inspect.VarTupleType():
            return "A,B,…"
        case inspect.CustomType():
            return "PATH"
    return type(kind).__name__.removesuffix("Type").upper()


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        help="TOML file with any of these settings, at its top level or in a table [COMMAND].",
    )


def _read_config(path: Path, command_name: str, known: set[str]) -> dict[str, object]:
    """Settings of one command from a TOML file; keys may be written with `-` or `_`."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {_cause(error)}") from error
    table = content.get(command_name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{command_name}] is not a table")
    own = {key.replace("-", "_"): value for key, value in table.items()}
    if unknown := sorted(own.keys() - known):
        raise UsageError(f"{path}: [{command_name}] has no setting {', '.join(unknown)}")
    shared = {key.replace("-", "_"): value for key, value in content.items()}
    # The top level serves every command, so a key that only another command knows is no error.
    return {key: shared[key] for key in shared.keys() & known} | own


def _cause(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _build(group: type[Group], values: Values) -> Group:
    """One group from raw values: text, or what TOML gives."""
    mine: dict[str, Any] = {}
    for field in _fields(group):
        if field.name in values:
            mine[field.name] = _split_list(field, values[field.name])
            _check_text(field.name, mine[field.name])
        if field.required and mine.get(field.name, ()) == ():
            raise UsageError(f"--{field.name.replace('_', '-')} is needed")
    try:
        return msgspec.convert(mine, group, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = where.partition("`")[0].partition("[")[0]
        raise UsageError(f"--{name.replace('_', '-')} {mine.get(name)!r}: {what}") from error


def _check_text(name: str, value: object) -> None:
    """Refuse bytes that are not UTF-8: no table, no ledger and no page can hold such a path."""
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} {text!r}: is not UTF-8; give it another name") from error


def _split_list(field: inspect.Field, value: object) -> object:
    assert isinstance(field.type, inspect.Metadata)
    if isinstance(field.type.type, inspect.VarTupleType) and isinstance(value, (str, tuple)):
        given = (value,) if isinstance(value, str) else value
        return tuple(part.strip() for one in given for part in one.split(",") if part.strip())
    return value


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise TypeError(f"Expected `path`, got `{type(value).__name__}`")
