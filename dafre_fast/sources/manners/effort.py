"""Effort: what one original may cost in attempts and time, and its share of a run's retries."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self, TypeVar

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Again, Failed, Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching, sharers_of
from dafre_fast.sources.manners.slots import Slot

T = TypeVar("T")
_FREE_RETRIES = 100
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.1, 30.0
_JITTER_SECONDS = 1.0
_LONGEST_DETAIL = 300
"""Characters."""


class Passing(Refusal):
    """A failure after which another attempt may succeed."""

    def __init__(self, reason: Reason, detail: str = "", wrong: bytes | None = None) -> None:
        """`wrong` identifies wrong content, for example by its hash. If the same comes a second
        time, it is what the server has.
        """
        super().__init__(reason, detail)
        self.wrong = wrong


class HostFailed(Passing):
    """A failure of the host as such, not of one object."""


class Budget:
    """The retries of a whole run: 100, and a share of one for each image. Runs that share hosts
    share the 100, too, and each has one at least.

    The idea is that of Finagle's retry budgets: if most attempts fail, more of them do harm.
    """

    def __init__(self, per_image: float, sharers: int = 1) -> None:
        self._per_image, self._left = per_image, max(_FREE_RETRIES / sharers, 1.0)

    @classmethod
    def of(cls, settings: Fetching) -> Self:
        """Return the retries that a run with these settings begins with."""
        return cls(settings.retry_budget, sharers_of(settings))

    def one_more_image(self) -> None:
        """Add the share of one image."""
        self._left += self._per_image

    def spend(self) -> bool:
        """Take one retry; return False if none is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def __repr__(self) -> str:
        return f"<Budget [{self._left:,.1f} retries left]>"


class Answer(NamedTuple):
    """The address that answered last, and the HTTP status."""

    url: str
    status: int | None = None


class Effort:
    """The attempts and the time spent on one original.

    A context that raises Refusal DOWNLOAD_TIMEOUT when `--timeout` has passed, pauses aside.
    """

    def __init__(
        self, settings: Fetching, budget: Budget, tell: Tell, slot: Slot | None = None
    ) -> None:
        self._settings, self._budget, self._tell = settings, budget, tell
        self._began = time.monotonic()
        self._timeout = asyncio.Timeout(None)
        self.waited = 0.0
        """Seconds in pauses."""
        self.slot = slot or Slot()
        self.attempts = 0
        self.answer: Answer | None = None
        """The answer to the last attempt; set by the transport."""

    async def __aenter__(self) -> Self:
        self._budget.one_more_image()
        self._began = time.monotonic()
        await self._timeout.__aenter__()
        self._timeout.reschedule(asyncio.get_running_loop().time() + self._settings.timeout)
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._timeout.__aexit__(*error)  # type: ignore[arg-type]
        except TimeoutError as timeout:
            detail = f"after {self._settings.timeout:g} s"
            raise Refusal(Reason.DOWNLOAD_TIMEOUT, detail) from timeout

    @property
    def seconds(self) -> float:
        """Seconds since it began, pauses aside."""
        return time.monotonic() - self._began - self.waited

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while the original waits for a host, or for whoever takes it."""
        began, end = time.monotonic(), self._timeout.when()
        if end is not None:
            self._timeout.reschedule(None)
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            self.waited += seconds
            if end is not None:
                self._timeout.reschedule(end + seconds)

    async def persist(
        self,
        url: str,
        attempt: Callable[[], Awaitable[T]],
        gives_way: Callable[[Passing], bool] = lambda _: False,
    ) -> T:
        """Return what an attempt returns; repeat it after passing failures, unless such a failure
        gives way to something else that can be tried.

        Raises Refusal if it is refused for good, gets the same wrong content twice, or no retry is
        left, of its own or in the budget.
        """
        seen, retries = set[bytes](), 0
        while True:
            try:
                return await self._attempt(url, attempt, seen)
            except Passing as passing:
                if retries == self._settings.retries or gives_way(passing):
                    raise
                reason, detail = passing.reason, passing.detail
            retries += 1
            await asyncio.sleep(_backoff_seconds(retries))
            if not self._budget.spend():
                raise Refusal(reason, f"{detail} (no retries left in this run)")
            self._tell(Again(public(url), self.attempts + 1, reason))

    async def _attempt(self, url: str, attempt: Callable[[], Awaitable[T]], seen: set[bytes]) -> T:
        """Make one attempt. `seen` are the wrong contents of earlier ones."""
        self.attempts += 1
        self.answer = None
        try:
            return await attempt()
        except Refusal as refusal:
            refusal.detail = _one_line(refusal.detail)
            self._tell(Failed(public(url), self.attempts, refusal.reason, refusal.detail))
            wrong = refusal.wrong if isinstance(refusal, Passing) else None
            if wrong in seen:
                raise Refusal(refusal.reason, f"{refusal.detail}, twice") from refusal
            if wrong is not None:
                seen.add(wrong)
            raise

    def __repr__(self) -> str:
        clock = "stopped" if self._timeout.when() is None else "running"
        return f"<Effort [{self.attempts} attempts, clock {clock}]>"


def _backoff_seconds(retry: int) -> float:
    """Return how long to wait before a retry, counted from 1: exponential, with jitter."""
    seconds = _FIRST_BACKOFF_SECONDS * 2.0 ** min(retry - 1, 16)
    jitter = random.uniform(0, _JITTER_SECONDS)  # noqa: S311  (nothing secret)
    return min(seconds + jitter, _LONGEST_BACKOFF_SECONDS)


def _one_line(text: str) -> str:
    """Return what a server or library says as one short line of printable characters."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST_DETAIL else f"{line[: _LONGEST_DETAIL - 1]}…"
