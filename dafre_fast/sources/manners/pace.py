"""Pace: how many downloads at once. More slots while more originals come with them, fewer when a
host fails or all downloads wait.

Additive increase and multiplicative decrease, as in TCP (RFC 5681), with the delay of a queue as a
second signal, as in TCP Vegas. Pure: callers give all times, in seconds of a monotonic clock.
"""

_FIRST = 4
_ROUND_SECONDS = 0.05
"""A shorter round says nothing: originals come in bursts."""
_REQUEST_BYTES = 20_000
"""The cost of a request besides its bytes, in bytes, so that small and large originals add up."""
_HARMLESS_SECONDS = 0.1
"""Per original. A wait no longer than this, in a queue of our own making, harms nobody."""
_LATE, _PROMPT = 2.0, 1.5
"""Multiples of the least time an original took."""
_RISEN, _FALLEN = 1.05, 0.9
_AFTER_LATE = 0.7
_FORGET = 1.002
"""Growth per round of the least time ever seen: networks change."""


class Pace:
    """The number of slots, from 1 to `most`. It is judged in rounds, each of about two originals
    per slot.
    """

    def __init__(self, most: int, now: float) -> None:
        self._most = most
        self._slots = float(min(_FIRST, most))
        self._doubling = True
        self._fell = now
        self._rate = 0.0
        self._least: float | None = None
        self._began = now
        self._originals, self._work, self._full = 0, 0, True

    @property
    def slots(self) -> int:
        """The number of slots."""
        return int(self._slots)

    def finished(self, now: float, size: int, *, full: bool) -> str | None:
        """Note that an original of `size` bytes came; `full` if all slots were in use until then.

        Return the reason if the number of slots changed.
        """
        self._originals += 1
        self._work += size + _REQUEST_BYTES
        self._full &= full
        seconds = now - self._began
        if self._originals < 2 * self.slots or seconds < _ROUND_SECONDS:
            return None
        before = self.slots
        why = self._judge(seconds) if self._full else None
        self._begin_round(now)
        return why if self.slots != before else None

    def failed(self, now: float, asked: float, share: float) -> str | None:
        """Note that a host failed at a request of the time `asked`. Return the reason if the
        number of slots changed.

        The share of the slots that the host uses (0 to 1) is halved, once per round trip: a
        request from before the last halving changes nothing.
        """
        if asked < self._fell:
            return None
        before = self.slots
        self._fell = now
        self._fall(1 - share / 2)
        self._rate = 0.0  # any rate is more
        self._begin_round(now)
        return "a host failed" if self.slots != before else None

    def __repr__(self) -> str:
        growth = "doubling" if self._doubling else "one by one"
        return f"<Pace [{self.slots} of at most {self._most} slots, {growth}]>"

    def _judge(self, seconds: float) -> str | None:
        """Judge a round in which all slots were in use. The time of a slot per byte is then what
        each original waits (Little's law); it rises if more slots give no more.
        """
        rate = self._work / seconds
        cost = self._slots / rate
        wait = self._slots * seconds / self._originals
        last, self._rate = self._rate, rate
        self._least = min(cost, _FORGET * (self._least or cost))
        risen = rate > _RISEN * last
        if cost > _LATE * self._least and wait > _HARMLESS_SECONDS and not risen:
            self._fall(_AFTER_LATE)
            return "downloads take longer, and no more come"
        prompt = cost <= _PROMPT * self._least or wait <= _HARMLESS_SECONDS
        if risen or (prompt and rate >= _FALLEN * last):
            more = self._slots * 2 if self._doubling and prompt else self._slots + 1
            self._slots = min(more, self._most)
            return "all slots are in use, and more come with more"
        self._doubling = False
        return None

    def _fall(self, factor: float) -> None:
        self._slots = max(1.0, self._slots * factor)
        self._doubling = False

    def _begin_round(self, now: float) -> None:
        self._began = now
        self._originals, self._work, self._full = 0, 0, True
