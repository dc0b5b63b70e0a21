"""The shared frame of all commands: settings become flags, exceptions become exit statuses.

`command` turns groups of settings into a click command. A value comes from the command line, else
from the file given by `--config` (its table named like the command, then its top level), else from
the default; all pass the same check. `run` turns an exception into one line and an exit status:
0 done, 1 too many refusals or a failure on the way, 2 wrong usage or unreadable input, 130 stopped
by Ctrl-C (143 by SIGTERM, 129 by SIGHUP).
"""

import gc
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem
from msgspec import inspect

from dafre_fast.core.errors import (
    InputError,
    OutputError,
    PartsError,
    SourceError,
    TrainingError,
    UsageError,
    WorkerError,
)
from dafre_fast.core.limits import raise_open_files
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.build import build, fields
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.img2dataset import translated
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.stopping import asked_by, end, raise_stopped
from dafre_fast.core.summaries import Summary

COMMANDS = (
    "full",
    "heads",
    "labels",
    "download",
    "resize",
    "crop",
    "merge",
    "tags",
    "lists",
    "stats",
    "report",
    "pack",
    "export",
    "gallery",
    "verify",
    "audit",
    "train",
    "evaluate",
    "predict",
    "warm-up",
)
"""The names of the commands; each is a package here, whose docstring says what it does."""

_OF_NETWORKS = {"heads", "train", "evaluate", "predict"}
"""Commands that may multiply matrices, which takes more than one thread."""

Values = Mapping[str, object]
G = TypeVar("G", bound=Group)


def description(name: str) -> str:
    """Return what a command does: the docstring of its package, which its help and the list of all
    commands show (that list only the first line).
    """
    return cleandoc(import_module(package_of(name)).__doc__ or "")


def package_of(name: str) -> str:
    """Return the name of a command's package."""
    return f"dafre_fast.{name.replace('-', '_')}"


def command(
    name: str, *groups: type[Group], words: str = ""
) -> Callable[[Callable[..., int]], click.Command]:
    """Return a decorator that makes a command with one flag for each setting of `groups`. The
    setting `words` has none: it takes the words that belong to no flag, as they are.

    The function decorated is called with one instance of each group, in order, and returns the exit
    status. Its docstring, or else `description(name)`, is the help text.
    """

    def decorate(function: Callable[..., int]) -> click.Command:
        def callback(config: Path | None, **flags: object) -> int:
            if name not in _OF_NETWORKS:
                # Or else numpy starts a thread per core when it is imported, which takes as long.
                os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            given = {key: value for key, value in flags.items() if value not in (None, ())}
            if isinstance(told := given.get(words), tuple):
                given[words] = _Words(told)
            in_file = _read_config(config, name, {*flags}) if config else {}
            return function(*(_build(group, {**in_file, **given}) for group in groups))

        sections = _sections(groups, words)
        flags: list[click.Parameter] = [one for section in sections for one in section.options]
        if words:
            flags.append(click.Argument([words], nargs=-1, metavar=f"[{words.upper()}]…"))
        return _Command(
            name,
            groups,
            sections,
            callback=callback,
            params=[*flags, _config_option(), version_option()],
            help=function.__doc__ or description(name),
            context_settings={
                "help_option_names": ["-h", "--help"],
                "max_content_width": 100,
                "token_normalize_func": lambda token: token.replace("_", "-"),
            },
        )

    return decorate


class _Section(NamedTuple):
    """The flags of one group of settings, under one heading of the help text."""

    heading: str
    options: Sequence[click.Option]


class _Words(tuple[str, ...]):
    """Words of the command line that belong to no flag; they are not split at commas."""

    __slots__ = ()


def _sections(groups: Sequence[type[Group]], words: str) -> list[_Section]:
    """Make the flags of each group; a setting that groups share is one flag, of the first, and
    `words` has none.
    """
    last = {field.encode_name: field for group in groups for field in fields(group)}
    found, seen = [], {words}
    for group in groups:
        new = [field.encode_name for field in fields(group) if field.encode_name not in seen]
        seen.update(new)
        if new:
            found.append(_Section(_heading(group), [_option(last[name]) for name in new]))
    return found


def _heading(group: type[Group]) -> str:
    """Return the first clause of a group's docstring."""
    return re.split(r"[.;:](?:\s|$)", cleandoc(group.__doc__ or ""))[0]


class _Command(click.Command):
    """A command whose help shows its flags in sections, and whose lists take all values that
    follow: `--metadata a.json b.json`, as a shell expands a pattern. Options of img2dataset are
    understood.
    """

    def __init__(
        self,
        name: str,
        groups: Sequence[type[Group]],
        sections: Sequence[_Section],
        *,
        callback: Callable[..., int],
        params: list[click.Parameter],
        help: str,
        context_settings: dict[str, object],
    ) -> None:
        super().__init__(
            name, callback=callback, params=params, help=help, context_settings=context_settings
        )
        self.groups, self.sections = groups, sections

    @property
    def settings(self) -> set[str]:
        """The names of the settings that it has flags for."""
        return {option.name or "" for section in self.sections for option in section.options}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        of_settings = {id(option) for section in self.sections for option in section.options}
        others = [param for param in self.get_params(ctx) if id(param) not in of_settings]
        shown = [(section.heading, section.options) for section in self.sections]
        for heading, options in [*shown, ("Other options", others)]:
            records = [record for option in options if (record := option.get_help_record(ctx))]
            with formatter.section(heading):
                formatter.write_dl(records)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        lists = {
            name
            for option in self.params
            if isinstance(option, click.Option) and option.multiple
            for name in option.opts
        }
        spread, flag = list[str](), ""
        args = translated(args, self.settings, self.name or "")
        for place, arg in enumerate(args):
            if arg.startswith("-"):
                flag = arg.replace("_", "-")
            elif flag in lists and not args[place - 1].startswith("-"):
                spread.append(flag)
            spread.append(arg)
        return super().parse_args(ctx, spread)


def report(summary: Summary, reporting: Reporting) -> int:
    """Print the summary of a run and return its exit status."""
    from dafre_fast.views.summary import show

    show(summary, as_json=reporting.json)
    if summary.work and got_nothing(summary):
        return 1
    damaged = summary.packed.damaged.values() if summary.packed else ()
    of_search = summary.heads.refused.values() if summary.heads else ()
    refused = sum(summary.refused.values()) + sum(of_search)
    return judge(refused + sum(damaged), reporting)


def show_next(summary: Summary, reporting: Reporting, **commands: Sequence[object]) -> None:
    """Name the commands that may follow a run, each with what it is for (`look=("gallery", …)`),
    unless there is nothing for them, or the summary is JSON.
    """
    if summary.success and not reporting.json:
        lines = (
            f"{why.replace('_', ' ')}: dafre-fast {shlex.join(map(str, words))}"
            for why, words in commands.items()
        )
        print("; ".join(lines))


def got_nothing(summary: Summary) -> bool:
    """Return whether not a single image of a run succeeded, by now or earlier; say so, and why."""
    if not summary.images or summary.success:
        return False
    reason, number = max(summary.refused.items(), key=lambda item: item[1])
    why = Reason(reason)
    cause = f"{why.cause[0].lower()}{why.cause[1:].rstrip('.')}"
    print(
        f"none of {summary.images:,} images succeeded: {number:,} {why} ({cause}); {why.advice}",
        file=sys.stderr,
    )
    return True


def judge(refused: int, reporting: Reporting) -> int:
    """Return the exit status of a run with so many refusals."""
    return int(reporting.max_refused is not None and refused > reporting.max_refused)


def run(entry: click.Command) -> NoReturn:
    """Run a command on the arguments of this process and exit with its status."""
    # Imports make a few hundred thousand objects that live to the end: to search them for garbage
    # is a tenth of the time it takes to start.
    gc.set_threshold(200_000, 50, 50)
    prefix = f"dafre-fast {entry.name}" if entry.name != "dafre-fast" else "dafre-fast"
    try:
        raise_stopped(prefix)
        raise_open_files()
        status = entry.main(prog_name=prefix, standalone_mode=False)
        gc.freeze()  # they need not be searched at the exit either
        sys.exit(status)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(prefix, error.format_message(), 2)
    except (UsageError, InputError) as error:
        _fail(prefix, error, 2)
    except (OutputError, PartsError, SourceError, TrainingError, WorkerError) as error:
        _fail(prefix, error, 1)
    except ImportError as error:
        _fail(prefix, missing(error), 2)
    except (KeyboardInterrupt, click.Abort) as stop:
        # click turns every KeyboardInterrupt into its own Abort.
        cause = stop.__cause__ if isinstance(stop, click.Abort) else stop
        end(prefix, asked_by(cause))


_PACKAGES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "pyvips": "'pyvips[binary]'",
    "turbojpeg": "PyTurboJPEG",
}
"""Packages whose names are others than those of their modules."""


def missing(error: ImportError) -> str:
    """Return a line for a library that cannot be loaded: which, why, and how to install it.

    Raises the error if it is a fault of this package.
    """
    name = (error.name or "").partition(".")[0]
    if name in ("", "dafre_fast"):
        raise error
    return (
        f"the library {name} cannot be loaded: {error};"
        f" pip install --force-reinstall {_PACKAGES.get(name, name)}"
    )


def _fail(prefix: str, message: object, status: int) -> NoReturn:
    line = " ".join(str(message).split())
    print(f"{prefix}: {line}", file=sys.stderr)
    sys.exit(status)


def _option(field: inspect.Field) -> click.Option:
    """Return the flag of one setting. It takes text: `_build` checks types and bounds, once."""
    assert isinstance(field.type, inspect.Metadata), f"{field.encode_name} lacks a description"
    kind, flag = field.type.type, _flag(field.encode_name)
    help_text = (field.type.extra_json_schema or {})["description"]
    if field.required:
        help_text += "  [required]"
    elif field.default is not None and field.default is not False and field.default not in ("", ()):
        help_text += f"  [default: {_show(field.default)}]"
    if _is_switch(kind):
        switch = f"{flag}/--no-{flag[2:]}"
        return click.Option([switch, field.encode_name], default=None, help=help_text)
    return click.Option(
        [flag, field.encode_name],
        metavar=_metavar(kind),
        help=help_text,
        multiple=isinstance(kind, inspect.VarTupleType),
        shell_complete=lambda _ctx, _param, begun: _completions(kind, begun),
    )


def _is_switch(kind: inspect.Type) -> bool:
    """Return True for a setting that is true, false, or, at most, left open."""
    match kind:
        case inspect.BoolType():
            return True
        case inspect.UnionType(types=(inner, inspect.NoneType())) | inspect.Metadata(type=inner):
            return _is_switch(inner)
    return False


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


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


def _completions(kind: inspect.Type, begun: str) -> list[CompletionItem]:
    """Return what a shell offers for a value: the choices, or for a path the shell's own files."""
    match kind:
        case (
            inspect.UnionType(types=(inner, inspect.NoneType()))
            | inspect.Metadata(type=inner)
            | inspect.VarTupleType(item_type=inner)
        ):
            return _completions(inner, begun)
        case inspect.LiteralType(values=values):
            return [CompletionItem(str(one)) for one in values if str(one).startswith(begun)]
        case inspect.CustomType():
            return [CompletionItem(begun, type="file")]
    return []


def version_option() -> click.Option:
    """Return the flag `--version`, which prints the version of the package and exits."""

    def show(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            from importlib.metadata import version

            click.echo(f"dafre-fast {version('dafre_fast')}")
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        help="TOML file with any of these settings, at its top level or in a table [COMMAND].",
    )


def _read_config(path: Path, name: str, flags: set[str]) -> dict[str, object]:
    """Return the settings of the command `name`, which has these flags, in a TOML file."""
    from dafre_fast.core.settings.config_file import read_settings

    modules = {other: import_module(f"{package_of(other)}.__main__") for other in COMMANDS}
    known = {other: module.command.settings for other, module in modules.items()}
    return read_settings(path, name, {**known, name: flags})


def _build(group: type[G], values: Values) -> G:
    """Return one group from raw values: text, or what TOML gives."""
    mine: dict[str, object] = {}
    for field in fields(group):
        if field.encode_name in values:
            mine[field.encode_name] = _split_list(field, values[field.encode_name])
            _check_text(field.encode_name, mine[field.encode_name])
        if field.required and mine.get(field.encode_name, ()) == ():
            raise UsageError(f"{_flag(field.encode_name)} is needed")
    return build(group, mine, _flag, strict=False)


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
    """Return the items of a list: text is split at commas, but not within paths that exist."""
    assert isinstance(field.type, inspect.Metadata)
    kind = field.type.type
    if not isinstance(kind, inspect.VarTupleType) or not isinstance(value, (str, tuple)):
        return value
    if isinstance(value, _Words):
        return tuple(value)
    split = _paths_in if isinstance(kind.item_type, inspect.CustomType) else _words_in
    return tuple(
        part for one in ((value,) if isinstance(value, str) else value) for part in split(one)
    )


def _words_in(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _paths_in(text: str) -> list[str]:
    """Return the paths in a text: of parts between commas, as many as together name a file."""
    parts, paths = text.split(","), list[str]()
    while parts:
        whole = (",".join(parts[:size]).strip() for size in range(len(parts), 1, -1))
        path = next((one for one in whole if _exists(one)), parts[0].strip())
        parts = parts[path.count(",") + 1 :]
        paths.append(path)
    return [path for path in paths if path]


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL, or no home
        return False
