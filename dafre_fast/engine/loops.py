"""Run a coroutine to its end from code that is not asynchronous, also inside a running event loop,
such as that of a notebook.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from threading import Thread
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
Main = Coroutine[Any, Any, T]
NewLoop = Callable[[], asyncio.AbstractEventLoop]

_LOOKS_SECONDS = 0.1
"""Interval at which the caller checks for cancellation of its own task: its loop cannot report it
meanwhile."""


def run(main: Main[T], new_loop: NewLoop) -> T:
    """Return the result of `main`, run in a loop of its own: in this thread if no loop runs here,
    else in another thread while this one waits.

    Ctrl-C and a cancellation of the calling task cancel `main`, which is waited for; then
    KeyboardInterrupt or CancelledError is raised.
    """
    try:
        caller = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main)
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
