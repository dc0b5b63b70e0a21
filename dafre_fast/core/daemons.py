"""Threads for calls that may hang: neither an event loop nor the interpreter waits for them at its
end, as both do for those of `concurrent.futures`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Daemons:
    """Up to `most` daemon threads, started as they are needed. They live as long as the process."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._calls = SimpleQueue[tuple[Future[Any], Callable[[], Any]]]()
        self._idle, self._threads = Semaphore(0), 0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have a thread make a call; return its future result."""
        future = Future[T]()
        self._calls.put((future, call))
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            Thread(target=self._work, name=f"dafre_fast {self._name}", daemon=True).start()
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """Have a thread make a call, and return its result. A cancellation does not wait for it."""
        from asyncio import wrap_future  # tables are read without an event loop

        return await wrap_future(self.submit(call))

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001  (raised where it is awaited)
                    future.set_exception(error)
            del future, call  # nothing is kept while it waits for the next
            self._idle.release()


@contextmanager
def pool(most: int) -> Iterator[ThreadPoolExecutor]:
    """Yield an executor of `most` threads; wait for them at the end, but not after an exception."""
    threads = ThreadPoolExecutor(most)
    try:
        yield threads
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        raise
    threads.shutdown()
