"""Run a coroutine to its end from code that is not asynchronous, also inside a running event loop,
such as that of a notebook.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from signal import getsignal, signal
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import Any, Generic, NamedTuple, TypeVar

from dafre_fast.core.stopping import PATIENCE_SECONDS, SIGNALS, heed

T = TypeVar("T")
Main = Coroutine[Any, Any, T]
NewLoop = Callable[[], asyncio.AbstractEventLoop]

_LOOKS_SECONDS = 0.1
"""Interval at which the caller checks for cancellation of its own task: its loop cannot report it
meanwhile."""


def run(main: Main[T], new_loop: NewLoop = asyncio.SelectorEventLoop) -> T:
    """Return the result of `main`, run in a loop of its own: in this thread if no loop runs here,
    else in another thread while this one waits.

    Ctrl-C, or another signal that stops this process, and a cancellation of the calling task
    cancel `main`, which is waited for; then KeyboardInterrupt or CancelledError is raised.
    """
    try:
        caller = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        with asyncio.Runner(loop_factory=new_loop) as runner:
            loop = runner.get_loop()
            task = loop.create_task(main)
            with _cancelled_by_signals(loop, task):
                return loop.run_until_complete(task)
    # Counted before the thread starts, which may cancel the caller at once.
    cancellations = caller.cancelling() if caller else 0
    other = _Thread(main, new_loop)
    try:
        other.start()
        _wait(other.done, caller, cancellations)
    except BaseException:
        other.cancel()
        raise
    other.join()
    return other.done.result()


@contextmanager
def _cancelled_by_signals(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
) -> Iterator[None]:
    """Have signals that stop this process cancel a task. When it has ended, the signal goes to
    whoever answered it before, and so does one that comes while the task takes long to end.
    """
    came: list[tuple[int, float]] = []

    def cancel(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not came:
            came.append((number, now))
            heed()
            loop.call_soon_threadsafe(task.cancel)
        elif now - came[0][1] > PATIENCE_SECONDS:
            before[number](number, frame)

    before: dict[int, Callable[[int, FrameType | None], object]] = {
        number: handler
        for number in SIGNALS
        if callable(handler := getsignal(number)) and current_thread() is main_thread()
    }
    for number in before:
        signal(number, cancel)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal(number, handler)
        if came:
            before[came[0][0]](came[0][0], None)


def _wait(done: Future[T], caller: asyncio.Task[Any] | None, cancellations: int) -> None:
    """Wait until `done` is. Raises CancelledError if the calling task is cancelled meanwhile, as
    `asyncio.run` does at the first Ctrl-C.
    """
    while not wait([done], _LOOKS_SECONDS).done:
        if caller and caller.cancelling() > cancellations:
            raise asyncio.CancelledError


class _Running(NamedTuple):
    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[Any]


class _Thread(Thread, Generic[T]):
    """A thread with a loop that runs one coroutine; `done` has its result or exception.

    `cancel` works at any moment: Ctrl-C may come while the thread is being started.
    """

    def __init__(self, main: Main[T], new_loop: NewLoop) -> None:
        super().__init__(name="dafre_fast")
        self._main, self._new_loop = main, new_loop
        self._running = Future[_Running]()
        self.done = Future[T]()

    def run(self) -> None:
        if not self._running.set_running_or_notify_cancel():
            self._main.close()
            return
        try:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                result = runner.run(self._announced())
        except BaseException as error:  # noqa: BLE001  (raised again by the caller)
            self.done.set_exception(error)
        else:
            self.done.set_result(result)

    async def _announced(self) -> T:
        task = asyncio.current_task()
        assert task
        self._running.set_result(_Running(asyncio.get_running_loop(), task))
        return await self._main

    def cancel(self) -> None:
        """Cancel the coroutine, and wait until it has ended."""
        if self._running.cancel():  # it has not begun
            return
        either: list[Future[Any]] = [self._running, self.done]
        wait(either, return_when=FIRST_COMPLETED)
        if self._running.done():
            loop, task = self._running.result()
            with suppress(RuntimeError):  # it has just ended, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)
        wait([self.done])
