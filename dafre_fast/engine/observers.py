"""Everyone who is told how a run goes on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from dafre_fast.core.events import Asked, Event, Tell
from dafre_fast.core.settings.fetching import Watching
from dafre_fast.engine.timing import Tally
from dafre_fast.views.event_log import EventLog
from dafre_fast.views.progress import Progress


class Watch(NamedTuple):
    """The line on the screen, the counts of the summary, and the one way to tell them and others
    of events.
    """

    progress: Progress
    tally: Tally
    tell: Tell

    def begin(self, images: int, standing: int) -> None:
        """So many are asked for, and so many of them were done by earlier runs."""
        self.progress.begin(images, standing)
        self.tell(Asked(images, standing))


@contextmanager
def watching(label: str, settings: Watching | None = None) -> Iterator[Watch]:
    """Raises OutputError where the log or the metrics cannot be written."""
    settings = settings or Watching()
    with ExitStack() as stack:
        progress, tally = stack.enter_context(Progress(label)), Tally()
        watchers: list[Tell] = [tally, progress.tell]
        if settings.log_json:
            watchers.append(stack.enter_context(EventLog(settings.log_json)))
        if settings.metrics_file or settings.metrics_port is not None:
            from dafre_fast.views.metrics import Metrics  # its library takes 60 ms

            watchers.append(stack.enter_context(Metrics(settings, progress.say)))

        def tell(event: Event) -> None:
            for watcher in watchers:
                watcher(event)

        yield Watch(progress, tally, tell)
