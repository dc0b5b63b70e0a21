"""Join parts: check that they belong together, take over their ledgers, and finish the whole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path, PurePosixPath
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import InputError, PartsError, UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.core.parts import Part, named
from dafre_fast.core.summaries import Downloads, HeadsSummary, Summary, Work
from dafre_fast.dataset.in_store import InStore, address_of
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.parts import Done, Plan, all_rows, by_plan, done, parts_of, take_over
from dafre_fast.dataset.stored import record_archives
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


def merge(output: Path, tell: Tell = silent, *, fetch: bool = True) -> Merged:
    """Join the parts in `output`, and write the manifest, tables and shards of the whole.

    If its shards lie in a store, the records of parts are fetched first, unless all were made in
    `output` (not `fetch`), and the ledger and the shards are put there; the rest of the dataset is
    put by `dataset.in_store.InStore.put_dataset`.

    Raises PartsError if a part is missing or unfinished, UsageError if parts do not belong
    together, a run is at work or the store cannot be written, InputError if there are no parts or
    a record is damaged, and OutputError if something cannot be written. It can be killed at any
    moment and done again.
    """
    store = _store(output)
    if store and fetch:
        store.fetch(tell, tables=True)
    tell(Doing("reading the parts"))
    place = store.store.address if store else str(output)
    _finished(output, place)
    with Ledger(output / STATE) as ledger:
        parts = _finished(output, place)  # nobody is at work any more
        tell(Doing("joining the ledgers"))
        if take_over(output, ledger) or ledger.interrupted:
            remove_temporaries(output)
    if store:
        store.put_records()
    plan = next(iter(parts.values())).plan
    finish: Finish = resolve_name(FINISHING[plan.command])
    tell(Doing("writing the manifest"))
    records = [*parts.values()]
    summaries = [one.summary for one in records]
    left = Finishing(plan, all_rows(output, plan), summaries, _sum_of(records))
    return Merged(plan, finish(output, left, tell))


@contextmanager
def folder_of(output: Path) -> Iterator[Path]:
    """Yield the folder in which to merge: that of the output, or, if it is the address of a store,
    a temporary one for the records.
    """
    address = store_address(output)
    if address is None:
        yield output
        return
    with TemporaryDirectory(prefix="dafre_fast-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / PurePosixPath(address).name
        record_archives(folder / SHARDS, f"{address}/{SHARDS}", {})
        yield folder


def _store(output: Path) -> InStore | None:
    """Return the store of a dataset, None if it lies in none. Raises UsageError if the store cannot
    be written.
    """
    address = address_of(output)
    if address is None:
        return None
    found = InStore(address, output)
    found.store.check_writable("--output")
    return found


def _finished(output: Path, place: str) -> Mapping[Part, Done]:
    """Return what all parts recorded; `place` is the name of the output. Raises as `merge` does."""
    begun = parts_of(output)
    if not begun:
        raise InputError(f"{place}: has no parts to merge; --part I/N of a command makes them")
    _refuse_other_numbers(place, begun)
    found = {part: record for part in begun if (record := done(output, part))}
    _refuse_unfinished(place, begun, {*found})
    _refuse_other_plans(place, {part: record.plan for part, record in found.items()})
    return found


def _refuse_other_numbers(output: str, begun: Sequence[Part]) -> None:
    cuts = [[*parts] for _, parts in groupby(begun, key=lambda part: part.of)]
    if len(cuts) > 1:
        raise UsageError(
            f"{output}: part {cuts[0][0]} and part {cuts[1][0]} are of different numbers of parts;"
            " run the command once without --part, which takes over what all of them have done"
        )


def _refuse_unfinished(output: str, begun: Sequence[Part], finished: set[Part]) -> None:
    of = begun[0].of
    there = {part.number for part in begun}
    missing = [number for number in range(1, of + 1) if number not in there]
    unfinished = [part.number for part in begun if part not in finished]
    told = [
        f"{named(numbers)} {'is' if len(numbers) == 1 else 'are'} {what}"
        for numbers, what in ((missing, "missing"), (unfinished, "unfinished"))
        if numbers
    ]
    if told:
        again = "it" if len(missing) + len(unfinished) == 1 else "them"
        all_parts = "1 part" if of == 1 else f"{of:,} parts"
        raise PartsError(
            f"{output}: of {all_parts}, {' and '.join(told)}; run {again} again, then merge"
        )


def _refuse_other_plans(output: str, plans: Mapping[Part, Plan]) -> None:
    found = by_plan(plans)
    if len(found) > 1:
        (one, ones), (other, others) = found[:2]
        raise UsageError(
            f"{output}: {named(ones)} and {named(others)} differ: {_difference(one, other)};"
            " run those that are wrong again"
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
