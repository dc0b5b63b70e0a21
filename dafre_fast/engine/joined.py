"""The events of several runs at once, as those of one run."""

from dafre_fast.core.events import (
    Advanced,
    Asked,
    Began,
    Doing,
    Ended,
    Event,
    Notice,
    Pace,
    Tell,
)


class Joined:
    """Passes on the events of `runs` runs, numbered from 1, each of which makes images in one
    stage. These stages are shown as one, with the sums of their counts; it begins when all have
    begun, or, if some begin late, with the first of them. A run may begin again.
    """

    def __init__(self, runs: int, tell: Tell, *, late: bool = False) -> None:
        self._tell, self._late = tell, late
        self._left = {*range(1, runs + 1)}
        self._begun = dict[int, Began]()
        self._asked = dict[int, Asked]()
        self._images = self._standing = 0
        self._done = dict.fromkeys(self._left, 0)
        self._making = set[int]()
        self._connections = dict[int, int]()
        self._said = set[str]()
        self._early: list[Advanced] | None = []
        """Counts from before the stage has begun; None from then on."""

    def done_by(self, run: int) -> int:
        """Return how many images a run has brought to an outcome."""
        return self._done[run]

    def take(self, run: int, event: Event) -> None:
        """Pass on an event of a run, as far as it is one of all together."""
        match event:
            case Began():
                self._begun[run] = event
            case Asked():
                self._begin(run, event)
            case Advanced(reasons):
                if run in self._making:
                    self._done[run] += len(reasons)
                    self._advance(event)
            case Ended():
                self._making.discard(run)
            case Doing(text) | Notice(text):
                if text not in self._said and (
                    isinstance(event, Notice) or self._early is not None
                ):
                    self._said.add(text)
                    self._tell(event)
            case Pace():
                self._connections[run] = event.connections
                self._tell(Pace(sum(self._connections.values()), event.why))
            case _:
                self._tell(event)

    def ended(self, run: int) -> None:
        """Note that a run is over."""
        self._left.discard(run)
        self._making.discard(run)
        self._connections.pop(run, None)
        if self._left:
            self._start()
        else:
            self._tell(Ended())

    def _begin(self, run: int, asked: Asked) -> None:
        self._making.add(run)
        if run not in self._asked:
            self._asked[run] = asked
            self._standing += asked.standing
            if self._late:
                self._images = max(self._images, asked.whole or asked.images)
            else:
                self._images += asked.images
            self._start()
            if self._late:
                self._tell(Asked(self._images, self._standing))
                self._advance(Advanced((None,) * asked.standing, earlier=True))
            return
        # It begins again: what it did before it died may not have been told.
        untold = asked.standing - self._asked[run].standing - self._done[run]
        if untold > 0:
            self._done[run] += untold
            self._advance(Advanced((None,) * untold))

    def _start(self) -> None:
        """Begin the stage of all together once all have begun."""
        all_asked = self._late or self._left <= self._asked.keys()
        if self._early is None or not self._asked or not all_asked:
            return
        standing = 0 if self._late else self._standing
        first = self._begun[min(self._asked)]
        self._tell(Began(first.label, self._images, standing, first.bad))
        if not self._late:
            self._tell(Asked(self._images, standing))
        early, self._early = self._early, None
        for event in early:
            self._tell(event)

    def _advance(self, event: Advanced) -> None:
        if self._early is None:
            self._tell(event)
        else:
            self._early.append(event)
