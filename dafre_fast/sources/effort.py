"""What one original may cost: attempts, time, and the share of the whole run in both."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from dafre_fast.model.errors import Refusal
from dafre_fast.model.events import Again, Failed, Tell
from dafre_fast.model.reason import Reason
from dafre_fast.model.settings import Fetching

T = TypeVar("T")
set_on_retry_hooks([])  # or each retry is a line on standard error; `Failed` tells of it
_FREE_RETRIES = 100
_LONGEST_BACKOFF_SECONDS = 30.0


class Passing(Refusal):
    """Worth another attempt."""

    def __init__(self, reason: Reason, detail: str = "", body: bytes | None = None) -> None:
        """`body` is the hash of what came, where the bytes themselves were wrong: the same ones a
        second time are what the server has.
        """
        super().__init__(reason, detail)
        self.body = body


class Budget:
    """Retries of a whole run: each image adds a share of one, and a hundred are free.

    The idea is that of Finagle's retry budgets: where most attempts fail, more of them do harm.
    """

    def __init__(self, per_image: float) -> None:
        self._per_image, self._left = per_image, float(_FREE_RETRIES)

    def one_more_image(self) -> None:
        self._left += self._per_image

    def spend(self) -> bool:
        """True where one more retry is within the budget; it is spent then."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Effort:
    """Of one original: a context that ends in `Refusal` DOWNLOAD_TIMEOUT when its time is over."""

    def __init__(self, settings: Fetching, budget: Budget, tell: Tell) -> None:
        self._settings, self._budget, self._tell = settings, budget, tell
        self.attempts = 0
        self.seconds = 0.0
        self._waited = 0.0

    async def __aenter__(self) -> Self:
        self._budget.one_more_image()
        self._began = time.monotonic()
        self._timeout = asyncio.timeout(self._settings.timeout)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.seconds = time.monotonic() - self._began - self._waited
        try:
            await self._timeout.__aexit__(*error)  # type: ignore[arg-type]
        except TimeoutError as timeout:
            detail = f"after {self._settings.timeout:g} s"
            raise Refusal(Reason.DOWNLOAD_TIMEOUT, detail) from timeout

    def waited(self, seconds: float) -> None:
        """For a turn at a host: that much more time is left."""
        self._waited += seconds
        if (end := self._timeout.when()) is not None:
            self._timeout.reschedule(end + seconds)

    async def persist(self, url: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Attempt it until it succeeds, is refused for good, fails with the same bytes twice, or
        has no retry left. Backoff is exponential, with jitter.
        """
        try:
            return await self._count(url, attempt, None)
        except Passing as passing:
            failure = passing
        # The first attempt of these is the one above: a retry context takes as much CPU time as a
        # small original, and most never need it.
        async for retry in stamina.retry_context(
            on=Passing,
            attempts=self._settings.retries + 1,
            timeout=None,
            wait_max=_LONGEST_BACKOFF_SECONDS,
        ):
            with retry:
                if retry.num == 1:
                    raise failure
                if not self._budget.spend():
                    raise Refusal(failure.reason, f"{failure.detail} (no retries left in this run)")
                self._tell(Again(url, self.attempts + 1, failure.reason))
                try:
                    return await self._count(url, attempt, failure)
                except Passing as passing:
                    failure = passing
                    raise
        raise AssertionError("stamina raises the last failure")

    async def _count(
        self, url: str, attempt: Callable[[], Awaitable[T]], before: Passing | None
    ) -> T:
        self.attempts += 1
        try:
            return await attempt()
        except Refusal as refusal:
            self._tell(Failed(url, self.attempts, refusal.reason, refusal.detail))
            if before and _says_again(before, refusal):
                raise Refusal(refusal.reason, f"{refusal.detail}, twice") from refusal
            raise


def _says_again(before: Passing, refusal: Refusal) -> bool:
    """True for the same wrong bytes as before: that is what the server has."""
    return isinstance(refusal, Passing) and refusal.body in {before.body} - {None}
