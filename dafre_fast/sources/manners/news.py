"""News of hosts that other engines of the same run learned, for all that ask hosts in this process.

An engine tells its events to its parent, which passes news on to the other engines.
"""

import time
from threading import Lock
from typing import Protocol
from weakref import WeakSet

from dafre_fast.core.events import Held, News


class Listener(Protocol):
    """Whoever asks hosts."""

    def hear(self, news: News, at: float) -> None:
        """Take over news of a time of the monotonic clock. Called by any thread."""
        ...


_lock, _listeners = Lock(), WeakSet[Listener]()
_news = dict[tuple[str, bool], tuple[News, float]]()
"""The last news of each host, whether it asks to wait and whether it is down."""


def listen(listener: Listener, host: str) -> list[tuple[News, float]]:
    """Have a listener hear news from now on; return those that there are of a host."""
    with _lock:
        _listeners.add(listener)
        return [news for (name, _), news in _news.items() if name == host]


def hear(news: News) -> None:
    """Keep news, and pass them on to all that listen."""
    now = time.monotonic()
    with _lock:
        _news[news.host, isinstance(news, Held)] = news, now
        listening = [*_listeners]
    for listener in listening:
        listener.hear(news, now)
