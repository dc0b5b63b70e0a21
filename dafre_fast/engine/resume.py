"""Open the state of an output for a run, and clear what earlier runs left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.parts import forget_parts, open_part, parts_of, take_over
from dafre_fast.dataset.spools import clear_spools
from dafre_fast.engine.input_files import remove_temporaries


@contextmanager
def resumed(output: Path, running: Running) -> Iterator[Ledger]:
    """Open the ledger of an output for one run, or that of its part, emptied unless the run is to
    resume. A run of the whole takes over what parts have done. Files that a killed run left
    half-written in the output are removed first; a part leaves them to the whole, for they may be
    of other parts at work.

    Raises UsageError if another run has the ledger open, OutputError if it cannot be written.
    """
    if part := part_of(running):
        with open_part(output, part, resume=running.resume) as ledger:
            yield ledger
        return
    with Ledger(output / STATE) as ledger:
        had_parts = bool(parts_of(output))
        if ledger.interrupted or had_parts:
            remove_temporaries(output)
        if not running.resume:
            ledger.forget()
            clear_spools(output)
        elif had_parts:
            take_over(output, ledger)
        forget_parts(output)
        yield ledger
