"""Join parts: check that they belong together, take over their ledgers, and finish the whole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import msgspec

from dafre_fast.core.errors import InputError, PartsError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import STATE
from dafre_fast.core.parts import Part, ranges
from dafre_fast.core.summaries import Downloads, HeadsSummary, Summary, Work
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.parts import Done, Plan, all_rows, by_plan, done, parts_of, take_over
from dafre_fast.engine.input_files import remove_temporaries
from dafre_fast.engine.parts import Finishing

Finish = Callable[[Path, Finishing, Tell], Summary | HeadsSummary]
"""Writes what stands at the end of a run. Takes the output, what the parts left, and an observer;
returns the summary of the whole.
"""
FINISHING = {
    "crop": "dafre_fast.engine.images:finish",
    "download": "dafre_fast.download.run:finish",
    "full": "dafre_fast.full.run:finish",
    "heads": "dafre_fast.heads.run:finish",
    "resize": "dafre_fast.engine.images:finish",
}
"""The `Finish` of each command with parts, as `module:name`: these commands merge, too."""


class Merged(NamedTuple):
    """The whole that parts were merged to: the plan of the parts, and the summary of the whole."""

    plan: Plan
    summary: Summary | HeadsSummary


def merge(output: Path, tell: Tell = silent) -> Merged:
    """Join the parts in `output`, and write the manifest, tables and shards of the whole.

    Raises PartsError if a part is missing or unfinished, UsageError if parts do not belong
    together or a run is at work, InputError if there are no parts or a record is damaged, and
    OutputError if something cannot be written. It can be killed at any moment and done again.
    """
    tell(Doing("reading the parts"))
    _finished(output)
    with Ledger(output / STATE) as ledger:
        parts = _finished(output)  # nobody is at work any more
        tell(Doing("joining the ledgers"))
        if take_over(output, ledger) or ledger.interrupted:
            remove_temporaries(output)
    plan = next(iter(parts.values())).plan
    finish: Finish = resolve_name(FINISHING[plan.command])
    tell(Doing("writing the manifest"))
    records = [*parts.values()]
    summaries = [one.summary for one in records]
    left = Finishing(plan, all_rows(output, plan), summaries, _sum_of(records))
    return Merged(plan, finish(output, left, tell))


def _finished(output: Path) -> Mapping[Part, Done]:
    """Return what all parts recorded. Raises as `merge` does."""
    begun = parts_of(output)
    if not begun:
        raise InputError(f"{output}: has no parts to merge; --part I/N of a command makes them")
    _refuse_other_numbers(output, begun)
    found = {part: record for part in begun if (record := done(output, part))}
    _refuse_unfinished(output, begun, {*found})
    _refuse_other_plans(output, {part: record.plan for part, record in found.items()})
    return found


def _refuse_other_numbers(output: Path, begun: Sequence[Part]) -> None:
    cuts = [[*parts] for _, parts in groupby(begun, key=lambda part: part.of)]
    if len(cuts) > 1:
        raise UsageError(
            f"{output}: part {cuts[0][0]} and part {cuts[1][0]} are of different numbers of parts;"
            " run the command once without --part, which takes over what all of them have done"
        )


def _refuse_unfinished(output: Path, begun: Sequence[Part], finished: set[Part]) -> None:
    of = begun[0].of
    there = {part.number for part in begun}
    missing = [number for number in range(1, of + 1) if number not in there]
    unfinished = [part.number for part in begun if part not in finished]
    told = [
        f"parts {ranges(numbers)} {what}"
        for numbers, what in ((missing, "are missing"), (unfinished, "are unfinished"))
        if numbers
    ]
    if told:
        raise PartsError(
            f"{output}: of {of:,} parts, {' and '.join(told)}; run these again, then merge"
        )


def _refuse_other_plans(output: Path, plans: Mapping[Part, Plan]) -> None:
    found = by_plan(plans)
    if len(found) > 1:
        (one, ones), (other, others) = found[:2]
        raise UsageError(
            f"{output}: parts {ranges(ones)} and parts {ranges(others)} differ:"
            f" {_difference(one, other)}; run those that are wrong again"
        )


def _difference(one: Plan, other: Plan) -> str:
    """Say in what two plans differ, for the first settings that do."""
    if one.command != other.command:
        return f"`{one.command}` and `{other.command}`"
    mine, yours = (dict(_flat(plan.settings)) for plan in (one, other))
    names = [name for name in {**mine, **yours} if mine.get(name) != yours.get(name)]
    if names:
        flags = [name if "." in name else f"--{name.replace('_', '-')}" for name in names[:3]]
        values = (" ".join(str(values.get(name)) for name in names[:3]) for values in (mine, yours))
        return f"{' '.join(flags)} is {' and '.join(values)}"
    return "their tables or folders list other images"


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the innermost settings by name."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value


def _sum_of(records: Sequence[Done]) -> Work:
    """Return the work of all parts; its seconds are those in which any of them was at work."""
    works = [msgspec.convert(one.summary["work"], Work) for one in records]
    return Work(
        images=sum(work.images for work in works),
        seconds=_seconds([(one.began, one.ended) for one in records]),
        cpu_seconds=sum(work.cpu_seconds for work in works),
        downloads=_downloads([work.downloads for work in works if work.downloads]),
        refused_before=sum(work.refused_before for work in works),
    )


def _seconds(times: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of spans of time."""
    total, until = 0.0, 0.0
    for began, ended in sorted(times):
        total += max(ended - max(began, until), 0.0)
        until = max(until, ended)
    return total


def _downloads(found: Sequence[Downloads]) -> Downloads | None:
    """Return the sum of downloads; shares are weighted by requests."""
    if not found:
        return None
    requests = sum(one.requests for one in found)
    causes = {cause for one in found for cause in one.shares}
    shares = {
        cause: round(sum(one.shares.get(cause, 0.0) * one.requests for one in found) / requests, 3)
        for cause in sorted(causes)
    }
    return Downloads(
        originals=sum(one.originals for one in found),
        bytes=sum(one.bytes for one in found),
        requests=requests,
        retries=sum(one.retries for one in found),
        bottleneck=max(shares, key=shares.__getitem__),
        shares=shares,
    )
