"""Refuse inputs that do not go together, before anything is read."""

from collections.abc import Iterator
from itertools import chain

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.build import fields
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.running import Dividing
from dafre_fast.core.settings.tables import AnyTable
from dafre_fast.full.settings import FullRun, Search

_OF_TAGS_TOO = ("ratings", "tag_ids")


def refuse_unfit(
    run: FullRun,
    table: AnyTable,
    fetching: Fetching,
    search: Search,
    detecting: Detecting,
    running: Dividing,
) -> None:
    """Refuse tables of heads together with a detector, inputs of which some are missing, and parts
    of what has none.

    Raises UsageError.
    """
    _refuse_unfit_rehearsal(run, table, detecting, running)
    _refuse_unfit_compat(run, running)
    if table.table:
        _refuse_beside_table(run, search, detecting)
        return
    parts = "executor ray" if running.executor == "ray" else "part" if running.part else None
    if parts and not run.source:
        raise UsageError(f"--{parts} needs --faces, --tag-ids and --source: a sample has no parts")
    if detecting.detector and parts and run.into:
        raise UsageError(
            f"--{parts} and --into do not go with --detector, since shards follow from the heads of"
            " all: run `heads` first, then this with its --faces and --tag-ids"
        )
    if detecting.detector and run.faces:
        raise UsageError("--faces has heads already, which --detector would find: give one of both")
    if detecting.detector:
        if any((run.source, fetching.metadata, run.tag_ids)) and not (
            run.source and fetching.metadata
        ):
            raise UsageError(
                "--detector needs --metadata and --source; without both, it searches a sample"
            )
        return
    if flag := next(chain(_given(search), _given(detecting)), None):
        raise UsageError(f"--{flag} needs --detector, which finds the heads")
    named = (run.faces, run.tag_ids, run.source)
    if any(named) and not all(named):
        raise UsageError("--faces, --tag-ids and --source go together; without all three, a sample")


def _refuse_beside_table(run: FullRun, search: Search, detecting: Detecting) -> None:
    if run.tag_ids:
        raise UsageError("--tag-ids goes with --faces; a --table has --class-column")
    if flag := next(chain(_given(search), _given(detecting)), None):
        raise UsageError(f"--{flag} does not go with --table, which has boxes or none")


def _refuse_unfit_compat(run: FullRun, running: Dividing) -> None:
    if run.compat and (run.into or running.part or running.executor == "ray"):
        flag = "--into" if run.into else "--part" if running.part else "--executor ray"
        raise UsageError(
            f"--compat does not go with {flag}: `pack --format {run.compat}` writes such shards"
            " afterwards"
        )


def _refuse_unfit_rehearsal(
    run: FullRun, table: AnyTable, detecting: Detecting, running: Dividing
) -> None:
    if run.probe and not run.dry_run:
        raise UsageError("--probe needs --dry-run: a run itself tries all originals")
    if run.dry_run and detecting.detector:
        raise UsageError(
            "--dry-run does not go with --detector, since rows follow from the heads that are found"
        )
    if run.dry_run and run.into and running.part:
        raise UsageError("--dry-run does not go with --into and --part: leave out --part")
    if run.dry_run and not (run.source or table.table):
        raise UsageError("--dry-run needs --faces, --tag-ids and --source: a sample is drawn first")


def _given(group: Group) -> Iterator[str]:
    """Yield the flags of settings that are not the defaults."""
    for field in fields(type(group)):
        name = field.encode_name
        if field.name not in _OF_TAGS_TOO and getattr(group, field.name) != field.default:
            yield name.replace("_", "-")
