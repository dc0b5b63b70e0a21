"""Options of img2dataset: those with an equal here are understood under their names, and for the
others a line says what to do instead.

The options are those of `img2dataset.main.download`, version 1.47. Commands that read a table
understand them; a flag of this program that has the same name is meant first.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dafre_fast.core.errors import UsageError


class Option(NamedTuple):
    """An option: the flag that is its equal, or the flags that stand for each of its values, in
    small letters. `instead` says what to do about any other value.
    """

    flag: str = ""
    values: Mapping[str, Sequence[str]] = {}
    instead: str = ""


def _switch(instead: str, *flags: str) -> Option:
    """Return an option that is off by default; on, it is `flags`, or there is none."""
    on = {"true": flags} if flags else {}
    return Option(values={"false": (), **on}, instead=instead)


_ENCODED = "outputs are always encoded; `download` keeps originals as they come"
_TRACKING = "--metrics-file, --metrics-port and --log-json tell others how a run goes"

OPTIONS: Mapping[str, Option] = {
    "url-list": Option("table"),
    "url-col": Option("url-column"),
    "caption-col": Option("caption-column"),
    "output-folder": Option("output"),
    "image-size": Option("size"),
    "encode-quality": Option("quality"),
    "processes-count": Option("workers"),
    "thread-count": Option("connections"),
    "number-sample-per-shard": Option("shard-size"),
    "max-image-area": Option("max-pixels"),
    "user-agent-token": Option("contact"),
    "output-format": Option(
        values={"webdataset": ("--compat", "img2dataset"), "files": ()},
        instead="webdataset and files are known; run `pack --format parquet` for Parquet",
    ),
    "incremental-mode": Option(
        values={"incremental": (), "overwrite": ("--no-resume",)},
        instead="incremental and overwrite are known; a run with a longer table goes on",
    ),
    "distributor": Option(
        values={"multiprocessing": (), "ray": ("--executor", "ray")},
        instead="multiprocessing and ray are known; --part I/N is for any other scheduler",
    ),
    "disallowed-header-directives": Option(
        values={"[]": ("--no-respect-noai",)},
        instead="noai and noimageai are refused; [] or --no-respect-noai takes all",
    ),
    "compute-hash": Option(
        values={"sha256": (), "none": ()},
        instead="the hash of originals is SHA-256; leave it out",
    ),
    "verify-hash": Option(instead="--md5-column names a column of MD5s"),
    "ignore-ssl-certificate": _switch("give true or false", "--insecure"),
    "resize-only-if-bigger": _switch(
        "small originals are enlarged; --min-image-size refuses them, --resize-mode no keeps sizes"
    ),
    "skip-reencode": _switch(_ENCODED),
    "disable-all-reencoding": _switch(_ENCODED),
    "extract-exif": _switch("no EXIF is read; originals keep theirs"),
    "enable-wandb": _switch(_TRACKING),
    "wandb-project": Option(instead=_TRACKING),
    "input-format": Option(instead="leave it out: the first bytes of a table show its format"),
    "save-additional-columns": Option(instead="leave it out: all columns of a table are kept"),
    "bbox-col": Option(instead="nothing is blurred; --box-columns are heads to cut out"),
    "upscale-interpolation": Option(instead="leave it out: the filter is Lanczos-3"),
    "downscale-interpolation": Option(instead="leave it out: the filter is Lanczos-3"),
    "oom-shard-count": Option(instead="leave it out: numbers of shards have five digits or more"),
    "subjob-size": Option(instead="leave it out: memory does not grow with a run"),
    "max-shard-retry": Option(
        instead="leave it out: images are tried again one by one (--retries)"
    ),
}


def translated(args: Sequence[str], settings: set[str], command: str) -> list[str]:
    """Return the arguments of a command with its own flags in place of options of img2dataset.

    `settings` are the names of its settings. Raises UsageError for an option without an equal.
    """
    left, found = [*args], list[str]()
    while left:
        arg = left.pop(0)
        given, separator, value = arg.partition("=")
        name = given.removeprefix("--").replace("_", "-")
        option = OPTIONS.get(name) if arg.startswith("--") else None
        if option is None or name.replace("-", "_") in settings:
            found.append(arg)
        elif option.flag:
            flags: Sequence[str] = [f"--{option.flag}{separator}{value}"]
            found += _known(flags, settings, given, command)
        else:
            if not separator:
                value = left.pop(0) if left and not left[0].startswith("--") else "true"
            flags = option.values.get(value.lower().replace(" ", ""), ("",))
            if flags == ("",):
                raise UsageError(f"{given} {value}: {option.instead}")
            found += _known(flags, settings, given, command)
    return found


def _known(flags: Sequence[str], settings: set[str], given: str, command: str) -> Sequence[str]:
    for flag in flags[:1]:
        name = flag.partition("=")[0]
        if name.removeprefix("--").removeprefix("no-").replace("-", "_") not in settings:
            raise UsageError(f"{given} is {name} here, which `{command}` does not have")
    return flags
