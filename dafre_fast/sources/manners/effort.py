"""What one original may cost: attempts, time, and the share of the whole run in both."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import NamedTuple, Self, TypeVar

import stamina
from stamina.instrumentation import RetryHook, get_on_retry_hooks, set_on_retry_hooks

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Again, Failed, Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching

T = TypeVar("T")
_FREE_RETRIES = 100
_LONGEST_BACKOFF_SECONDS = 30.0
_LONGEST_DETAIL = 300
"""Characters."""


class _Silence:
    """A context in which stamina's hooks, those of the whole process, are not called: they would
    write a line to standard error for each retry, and `Failed` reports it. It may be entered again
    before it is left; the hooks are restored at the last exit.
    """

    def __init__(self) -> None:
        self._lock, self._entered = Lock(), 0
        self._hooks: tuple[RetryHook, ...] = ()

    def __enter__(self) -> None:
        with self._lock:
            if self._entered == 0:
                self._hooks = get_on_retry_hooks()
                set_on_retry_hooks([])
            self._entered += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._entered -= 1
            if self._entered == 0:
                set_on_retry_hooks(self._hooks)


_silence = _Silence()


class Passing(Refusal):
    """Worth another attempt."""

    def __init__(self, reason: Reason, detail: str = "", wrong: bytes | None = None) -> None:
        """`wrong` tells what came (by a hash, say) where that itself was wrong: the same a second
        time is what the server has.
        """
        super().__init__(reason, detail)
        self.wrong = wrong


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


class Answer(NamedTuple):
    """Who answered at last, and with which status of HTTP."""

    url: str
    status: int | None = None


class Effort:
    """Of one original: a context that ends in `Refusal` DOWNLOAD_TIMEOUT when its time is over."""

    def __init__(self, settings: Fetching, budget: Budget, tell: Tell) -> None:
        self._settings, self._budget, self._tell = settings, budget, tell
        self._waited = 0.0
        self._left: float | None = None
        self.attempts = 0
        self.answer: Answer | None = None
        """Of the last attempt; set by the transport."""

    async def __aenter__(self) -> Self:
        self._budget.one_more_image()
        self._began = time.monotonic()
        self._timeout = asyncio.timeout(self._settings.timeout)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._timeout.__aexit__(*error)  # type: ignore[arg-type]
        except TimeoutError as timeout:
            detail = f"after {self._settings.timeout:g} s"
            raise Refusal(Reason.DOWNLOAD_TIMEOUT, detail) from timeout

    @property
    def seconds(self) -> float:
        """Since it began, waits for a turn at a host aside."""
        return time.monotonic() - self._began - self._waited

    def wait(self) -> None:
        """A turn at a host is waited for: until `waited` no time is taken off."""
        now = asyncio.get_running_loop().time()
        self._left = (self._timeout.when() or now) - now
        self._timeout.reschedule(None)

    def waited(self, seconds: float) -> None:
        """As long as that, and now it is over."""
        self._waited += seconds
        if self._left is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left)
            self._left = None

    async def persist(self, url: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Attempt it until it succeeds, is refused for good, fails twice with the same wrong
        content, or has no retry left. Backoff is exponential, with jitter.
        """
        seen = set[bytes]()
        try:
            return await self._count(url, attempt, seen)
        except Passing as passing:
            failure = passing
        # The first attempt of these is the one above: a retry context takes as much CPU time as a
        # small original, and most never need it.
        with _silence:
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
                        detail = f"{failure.detail} (no retries left in this run)"
                        raise Refusal(failure.reason, detail)
                    self._tell(Again(url, self.attempts + 1, failure.reason))
                    try:
                        return await self._count(url, attempt, seen)
                    except Passing as passing:
                        failure = passing
                        raise
        raise AssertionError("stamina raises the last failure")

    async def _count(self, url: str, attempt: Callable[[], Awaitable[T]], seen: set[bytes]) -> T:
        """One attempt; adds to what was seen of wrong content."""
        self.attempts += 1
        self.answer = None
        try:
            return await attempt()
        except Refusal as refusal:
            refusal.detail = _one_line(refusal.detail)
            self._tell(Failed(url, self.attempts, refusal.reason, refusal.detail))
            wrong = refusal.wrong if isinstance(refusal, Passing) else None
            if wrong in seen:
                raise Refusal(refusal.reason, f"{refusal.detail}, twice") from refusal
            if wrong is not None:
                seen.add(wrong)
            raise


def refused(sought: Sought, refusal: Refusal, effort: Effort, url: str | None) -> Fetched:
    """The outcome of an original that was not to be had from there."""
    answer = effort.answer
    return Fetched(
        key=sought.key,
        reason=refusal.reason,
        detail=refusal.detail,
        url=url,
        final_url=answer.url if answer and answer.url != url else None,
        http_status=answer.status if answer else None,
        attempts=effort.attempts,
        seconds=effort.seconds,
    )


def _one_line(text: str) -> str:
    """What servers and libraries say may be long, of several lines, and no text at all."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST_DETAIL else f"{line[: _LONGEST_DETAIL - 1]}…"
