"""Decoders that misbehave, processes that are killed, and a long download, as a table."""

import json
import random
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dafre_fast.pixels.decoders.turbo import turbo
from tests.commands import dafre
from tests.torture import downloads
from tests.torture.kills import survive_kills
from tests.torture.misbehaving import GOOD, MISBEHAVING, put_in_place_of_turbojpeg, write_originals

_DOWNLOADS = 2000
"""Originals of the download that is killed: enough to make those under way at a kill few."""


def survive_everything(console: Console, kills: int, workers: int, long: int) -> bool:
    """True where nothing but the images that were to blame was lost."""
    table = Table(title="workers and runs", title_justify="left", show_header=False, min_width=60)
    with tempfile.TemporaryDirectory() as folder:
        good = _survive_decoders(table, Path(folder), workers)
    with tempfile.TemporaryDirectory() as folder:
        good &= _survive_kills(table, Path(folder), kills)
    with tempfile.TemporaryDirectory() as folder:
        good &= _survive_kills_of_downloads(table, Path(folder), kills)
    if long:
        with tempfile.TemporaryDirectory() as folder:
            good &= _endure(table, Path(folder), long)
    console.print(table)
    return good


def _survive_decoders(table: Table, folder: Path, workers: int) -> bool:
    if turbo() is None:
        table.add_row("decoders that misbehave", "not tried: libturbojpeg is not installed")
        return True
    write_originals(folder / "original")
    put_in_place_of_turbojpeg(folder)
    flags = ("--workers", workers, "--image-timeout", 2, "--worker-memory", 300_000_000)
    summary = json.loads(dafre("resize", *flags, "--json", cwd=folder).stdout)
    table.add_row("originals beside those that their decoder cannot bear", f"{GOOD}")
    table.add_row("made", f"{summary['success']}")
    for reason, images in summary["refused"].items():
        table.add_row(f"refused as {reason}", f"{images}")
    return bool(summary["success"] == GOOD and sum(summary["refused"].values()) == len(MISBEHAVING))


def _survive_kills(table: Table, folder: Path, kills: int) -> bool:
    survival = survive_kills(folder, kills, random.randrange(1 << 30))
    told = ", ".join(f"{count} of a {victim.value}" for victim, count in survival.killed.items())
    table.add_row("originals of a run that is killed", f"{survival.images}")
    table.add_row("kill -9", f"{survival.killed.total()}: {told.replace('a both', 'both')}")
    table.add_row("tree, manifest and summary", ", ".join(survival.faults) or "as undisturbed")
    return not survival.faults


def _survive_kills_of_downloads(table: Table, folder: Path, kills: int) -> bool:
    survival = downloads.survive_kills(folder, _DOWNLOADS, kills, random.randrange(1 << 30))
    table.add_row("originals of a download that is killed", f"{survival.originals:,}")
    table.add_row("kill -9", f"{survival.kills}")
    table.add_row("fetched twice", f"{survival.fetched_twice}")
    table.add_row("there, but not in the ledger", f"{survival.unrecorded}")
    table.add_row("tree, ledger and summary", ", ".join(survival.faults) or "as undisturbed")
    return not survival.faults


def _endure(table: Table, folder: Path, originals: int) -> bool:
    endurance = downloads.endure(folder, originals)
    told = ", ".join(f"{count} {fault.value}" for fault, count in endurance.failed.items())
    most = max(sample.descriptors for sample in endurance.samples)
    table.add_row("originals of a long download", f"{originals:,}")
    table.add_row("faults", told)
    table.add_row("seconds", f"{endurance.seconds:,.0f}")
    table.add_row("CPU-seconds per 10,000", f"{endurance.cpu_seconds:.1f}")
    table.add_row("most descriptors", f"{most}")
    table.add_row("more memory per 10,000", f"{endurance.growth / 1e6:.2f} MB")
    table.add_row("rows, originals and ledger", ", ".join(endurance.faults) or "as they should be")
    return not endurance.faults
