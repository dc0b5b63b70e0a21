"""Tell folders that runs have put images or a pack into from folders of originals."""

import os
from pathlib import Path

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import LOCK, NAME
from dafre_fast.dataset.provenance import NAME as MAKINGS


def holds_products(folder: Path) -> bool:
    """Return True if a folder has a state folder, and not one of downloads alone."""
    state = folder / STATE
    if not os.path.isdir(state):  # noqa: PTH112  (False, too, where nobody may look)
        return False
    parts = [*state.glob("parts/*-*")]
    if any(os.path.exists(folder / MAKINGS) for folder in (state, *parts)):  # noqa: PTH110
        return True
    try:
        with (state / NAME).open("rb") as ledger:  # of a version that recorded no settings
            return any(line.startswith(b'{"stage":"make"') for line in ledger)
    except OSError:  # a pack has no ledger, but the lock of a run
        return not parts and os.path.exists(state / LOCK)  # noqa: PTH110
