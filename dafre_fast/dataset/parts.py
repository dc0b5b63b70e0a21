"""Parts on disk: a folder in the state folder of their output for each, with what it alone has.

`parts/3-10/` holds the ledger of part 3 of 10, its lock, its record of settings and its spools;
and, once it is finished, `done.json` (`Done`). `parts/rows-HASH.parquet` is the table of all
images, of every part; whichever part ends first writes it.

A part counts what the ledger of the whole has as done, and a whole run what the ledgers of parts
have: it takes these over (`take_over`). Parts hold the lock of the whole together, so that neither
a whole run nor a merge begins beside them.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.layout import STATE
from dafre_fast.core.parts import Part
from dafre_fast.dataset.ledger import LOCK, NAME, Ledger, take_lock
from dafre_fast.dataset.provenance import add_makings, makings_in
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_NAMED = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)", re.ASCII)
FOLDER = f"{STATE}/parts"
"""The folder of parts in an output."""
DONE = "done.json"
_ANEW, _SPOOLS = "anew", "spools"
_HASHED_ROWS = 100_000


class Plan(Struct, frozen=True):
    """The request of a part, and the facts that finish the whole when all parts are done.

    Parts belong together if `command`, `settings` (what decides the images and tables, as flags or
    names of files) and `rows` (the hash of the table of all images) are the same in all of them.
    """

    command: str
    settings: Mapping[str, Any]
    rows: str
    facts: Mapping[str, Any] = {}
    """Facts of the command about all images alike, such as its funnel."""


class Done(Struct, frozen=True):
    """A part that is finished: its plan, the summary of its last run, and when that run began and
    ended, in seconds since 1970.
    """

    plan: Plan
    summary: Mapping[str, Any]
    began: float
    ended: float


def state_folder(output: Path, part: Part | None) -> Path:
    """Return the folder of ledger and lock of a part, or of the whole."""
    return _parts(output) / part.folder if part else output / STATE


def _parts(output: Path) -> Path:
    return output / FOLDER


def spools_folder(output: Path, part: Part | None) -> Path:
    """Return the folder of the spools of a part, or of the whole."""
    return state_folder(output, part) / _SPOOLS


def parts_of(output: Path) -> list[Part]:
    """Return the parts that ever began and were not taken over by a whole run, in order. Raises
    InputError if the folder cannot be read.
    """
    try:
        names = os.listdir(_parts(output))  # noqa: PTH208
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{_parts(output)}: {error.strerror}") from error
    found = filter(None, map(part_named, names))
    return sorted(found, key=lambda part: (part.of, part.number))


def part_named(folder: str) -> Part | None:
    """Return the part of a folder by its name, such as `3-10`, None if it is none of a part."""
    match = _NAMED.fullmatch(folder)
    return Part(*map(int, match.groups())) if match else None


def ledgers(output: Path, part: Part | None) -> list[Path]:
    """Return the folders of the ledgers that count in a run: of the whole, then of the part, or of
    all parts in a whole run.
    """
    if part is None:
        return [output / STATE, *(state_folder(output, one) for one in parts_of(output))]
    own = state_folder(output, part)
    return [own] if (own / _ANEW).exists() else [output / STATE, own]


@contextmanager
def open_part(output: Path, part: Part, *, resume: bool) -> Iterator[Ledger]:
    """Open the ledger of a part for one run. What the whole has done counts, unless the part was
    ever run without `resume`, which empties it. It is not finished until `finish` says so.

    Raises UsageError if the part or a whole run is at work, or parts of another number have
    outcomes; OutputError if a folder cannot be written.
    """
    own = state_folder(output, part)
    with ExitStack() as stack:
        stack.enter_context(_beside_other_parts(output))
        _refuse_others(output, part)
        ledger = stack.enter_context(Ledger(own))
        try:
            (own / DONE).unlink(missing_ok=True)
            if not resume:
                (own / _ANEW).touch()
                ledger.forget()
                shutil.rmtree(own / _SPOOLS, ignore_errors=True)
        except OSError as error:
            raise OutputError(f"{own}: {error.strerror}") from error
        ledger.paths = [folder / NAME for folder in ledgers(output, part)]
        yield ledger


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the lock of a state folder, which is created if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error
    try:
        take_lock(lock, folder, how)
        yield
    finally:
        os.close(lock)


@contextmanager
def _beside_other_parts(output: Path) -> Iterator[None]:
    """Keep whole runs and merges from starting."""
    with _locked(output / STATE, fcntl.LOCK_SH):
        yield


@contextmanager
def holding(output: Path, part: Part) -> Iterator[None]:
    """Be the only one at a part, which has a ledger elsewhere; keep whole runs and merges from
    starting. Raises UsageError if the part or a whole run is at work, OutputError if a folder
    cannot be written.
    """
    with _beside_other_parts(output), _locked(state_folder(output, part), fcntl.LOCK_EX):
        yield


def _refuse_others(output: Path, part: Part) -> None:
    """Refuse a part beside parts of another number, unless those are merged; forget these."""
    for other in parts_of(output):
        if other.of == part.of:
            continue
        folder = state_folder(output, other)
        if _has_outcomes(folder) or _is_at_work(folder):
            raise UsageError(
                f"--part {part}: {output} has part {other}, which is not merged; go on with parts"
                f" of {other.of}, or run the command once without --part, which takes them over"
            )
        shutil.rmtree(folder, ignore_errors=True)


def _has_outcomes(folder: Path) -> bool:
    with suppress(OSError):
        return (folder / NAME).stat().st_size > 0
    return False


def _is_at_work(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(lock)
    return False


def refuse_while_parts_work(output: Path) -> None:
    """Raise UsageError if a part is at work on an output."""
    with suppress(InputError):
        for part in parts_of(output):
            if _is_at_work(state_folder(output, part)):
                raise UsageError(f"{output}: part {part} is at work here; wait until it has ended")


def finish(
    output: Path,
    part: Part,
    plan: Plan,
    rows: pl.DataFrame,
    summary: Struct,
    times: Sequence[float],
) -> None:
    """Record that a part is finished, with the table of all images if nobody wrote it yet. `times`
    are begin and end, in seconds since 1970. Raises OutputError.
    """
    table = _table(output, plan)
    if not table.exists():
        write_parquet(rows, table)
    done = Done(plan, msgspec.to_builtins(summary), *times)
    with replacing(state_folder(output, part) / DONE) as file:
        file.write_bytes(msgspec.json.encode(done))


def done(output: Path, part: Part) -> Done | None:
    """Return what a finished part recorded, None if it is not finished. Raises InputError if the
    record is damaged.
    """
    path = state_folder(output, part) / DONE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Done)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is damaged ({error}); run part {part} again") from error


def all_rows(output: Path, plan: Plan) -> pl.DataFrame:
    """Return the table of all images that parts were cut from. Raises InputError."""
    path = _table(output, plan)
    with reading(path):
        return pl.read_parquet(path, glob=False)


def _table(output: Path, plan: Plan) -> Path:
    return _parts(output) / rows_of(plan)


def rows_of(plan: Plan) -> str:
    """Return the name of the table of all images, in the folder of parts."""
    return f"rows-{plan.rows}.parquet"


def hash_of(rows: pl.DataFrame) -> str:
    """Return the first 16 hexadecimal digits of a hash of a table: its columns and values."""
    hashed = hashlib.sha256()
    for piece in rows.iter_slices(_HASHED_ROWS):
        hashed.update(piece.write_csv(include_header=True).encode())
    return hashed.hexdigest()[:16]


def take_over(output: Path, whole: Ledger) -> bool:
    """Add the ledgers, spools and settings of all parts to those of the whole, whose ledger is
    open. Returns whether there was anything to take over.

    It can be killed at any moment and done again. Raises UsageError if a part is at work.
    """
    taken = False
    for part in parts_of(output):
        folder = state_folder(output, part)
        if not (folder / NAME).exists():
            continue
        taken = True
        with Ledger(folder) as ledger:
            add_makings(output / STATE, makings_in(folder))
            _move_spools(folder / _SPOOLS, spools_folder(output, None))
            whole.add(ledger)
            try:
                (folder / _ANEW).unlink(missing_ok=True)
                ledger.path.unlink()
            except OSError as error:
                raise OutputError(f"{folder}: {error.strerror}") from error
    return taken


def _move_spools(source: Path, target: Path) -> None:
    try:
        names = os.listdir(source)  # noqa: PTH208
    except OSError:
        return
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            (source / name).rename(target / name)
    except OSError as error:
        raise OutputError(f"{error.filename}: {error.strerror}") from error


def forget_parts(output: Path) -> None:
    """Remove the folders of all parts."""
    shutil.rmtree(_parts(output), ignore_errors=True)


def by_plan(plans: Mapping[Part, Plan]) -> list[tuple[Plan, list[int]]]:
    """Return the different plans and the numbers of the parts that have them; facts aside."""
    found = defaultdict[bytes, list[Part]](list)
    for part, plan in plans.items():
        found[msgspec.json.encode((plan.command, plan.settings, plan.rows), order="sorted")] += [
            part
        ]
    return [(plans[parts[0]], [part.number for part in parts]) for parts in found.values()]
