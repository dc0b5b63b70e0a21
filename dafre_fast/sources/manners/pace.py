"""How many originals at once: more while that brings more, fewer where a host fails or all wait.

Additive increase and multiplicative decrease, as TCP has it (RFC 5681), with the delay of a queue
as a sign of its own, as TCP Vegas has it. Pure: whoever uses it gives the times, in seconds of a
monotonic clock.
"""

_FIRST = 4
_ROUND_SECONDS = 0.05
"""Less tells nothing: originals come in bunches."""
_REQUEST_BYTES = 20_000
"""What a request costs besides its bytes, in bytes: so large and small originals can be added."""
_HARMLESS_SECONDS = 0.1
"""Per original. To wait no longer than this in a queue of one's own making harms nobody."""
_LATE, _PROMPT = 2.0, 1.5
"""In multiples of what an original took when it took least."""
_RISEN, _FALLEN = 1.05, 0.9
_AFTER_LATE = 0.7
_FORGET = 1.002
"""Per round, of the least that was ever seen: networks change."""


class Pace:
    """Between 1 and `most` slots. It judges in rounds, each of about two originals per slot."""

    def __init__(self, most: int, now: float) -> None:
        self._most = most
        self._slots = float(min(_FIRST, most))
        self._doubling = True
        self._fell = now
        self._rate = 0.0
        self._least: float | None = None
        self._begin_anew(now)

    @property
    def slots(self) -> int:
        return int(self._slots)

    def finished(self, now: float, size: int, *, full: bool) -> str | None:
        """An original of `size` bytes has come; `full` where all slots were in use until then.
        Gives the reason where the number of slots is another now.
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
        """A host failed at what it was asked for at `asked`. Its share of the slots (0 to 1) is
        halved, once per round trip: what was asked before that tells nothing new.
        """
        if asked < self._fell:
            return None
        before = self.slots
        self._fell = now
        self._fall(1 - share / 2)
        self._begin_anew(now)
        return "a host failed" if self.slots != before else None

    def _judge(self, seconds: float) -> str | None:
        """Of a round in which all slots were in use: then a slot's time per byte is what each
        waits (Little's law), and rises where more slots bring no more.
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

    def _begin_anew(self, now: float) -> None:
        self._rate = 0.0  # whatever comes next is more
        self._begin_round(now)

    def _begin_round(self, now: float) -> None:
        self._began = now
        self._originals, self._work, self._full = 0, 0, True
