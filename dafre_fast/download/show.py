"""Print what a download would do, on standard output: a table for people, or JSON."""

from dafre_fast.core.summaries import Simulation
from dafre_fast.views import show as shown
from dafre_fast.views.simulation import lines_of_simulation


def show(found: Simulation, *, as_json: bool) -> None:
    """Print all places as JSON, or the twenty with the most originals as text."""
    shown.show(found, lines_of_simulation(found), as_json=as_json)
