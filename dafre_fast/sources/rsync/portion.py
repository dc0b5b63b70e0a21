"""Plan a portion of originals: which file of the daemon each one is, if any. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.sources.addresses import Place, nowhere
from dafre_fast.sources.rsync.names import Names


class Wanted(NamedTuple):
    """An original to be fetched, and its place."""

    sought: Sought
    place: Place


class Refused(NamedTuple):
    """An original that is not asked for, the address that was tried last, and why."""

    sought: Sought
    address: str | None
    refusal: Refusal


@dataclass(frozen=True)
class Portion:
    """A plan for each original of a portion."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    """Originals to be fetched, by name in the module."""
    refused: list[Refused] = field(default_factory=list)
    again: list[Sought] = field(default_factory=list)
    """Originals whose file is wanted for another one: each gets it in a portion of its own."""


def plan_portion(
    sought: Iterable[Sought], sizes: Mapping[str, int], names: Names, max_bytes: int
) -> Portion:
    """Return what to fetch, by the sizes in bytes of the files that exist, by name."""
    portion = Portion()
    for one in sought:
        found = find(one, sizes, names)
        if found is None:
            address = next((place.address for _, place in reversed([*names.of(one)])), None)
            portion.refused.append(Refused(one, address, nowhere(one, address)))
            continue
        name, place = found
        if (size := sizes[name]) > max_bytes:
            refusal = Refusal(Reason.TOO_MANY_BYTES, f"{place.address}: {size:,}")
            portion.refused.append(Refused(one, place.address, refusal))
        elif name in portion.wanted:
            portion.again.append(one)
        else:
            portion.wanted[name] = Wanted(one, place)
    return portion


def find(sought: Sought, sizes: Mapping[str, int], names: Names) -> tuple[str, Place] | None:
    """Return the first name of an original that exists, and its place; None if none does."""
    return next(((name, place) for name, place in names.of(sought) if name in sizes), None)
