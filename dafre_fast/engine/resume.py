"""How a run takes up what earlier ones left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.spools import clear_spools
from dafre_fast.engine.input_files import remove_temporaries


@contextmanager
def resumed(output: Path, *, resume: bool) -> Iterator[Ledger]:
    """The ledger of an output, empty without `resume`; what a killed run left half-written beside
    it is gone.
    """
    with Ledger(output / STATE) as ledger:
        if ledger.interrupted:
            remove_temporaries(output)
        if not resume:
            ledger.forget()
            clear_spools(output)
        yield ledger
