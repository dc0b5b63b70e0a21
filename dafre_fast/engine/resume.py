"""Open the state of an output for a run, and clear what earlier runs left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.spools import clear_spools
from dafre_fast.engine.input_files import remove_temporaries


@contextmanager
def resumed(output: Path, *, resume: bool) -> Iterator[Ledger]:
    """Open the ledger of an output for one run, emptied unless `resume`. Files that a killed run
    left half-written in the output are removed first.

    Raises UsageError if another run has the ledger open, OutputError if it cannot be written.
    """
    with Ledger(output / STATE) as ledger:
        if ledger.interrupted:
            remove_temporaries(output)
        if not resume:
            ledger.forget()
            clear_spools(output)
        yield ledger
