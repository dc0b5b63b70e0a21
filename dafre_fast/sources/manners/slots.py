"""Slots: which downloads count as running, and which have given their slot to another.

A download holds a slot while its bytes come. While it waits for its turn at a host, or while hardly
any bytes come, it gives the slot to another, so that slow hosts do not slow the others. The number
of all downloads under way is bounded as well.

State only, without I/O. Callers give all times, in seconds of a monotonic clock.
"""

from collections.abc import Callable

from dafre_fast.core.limits import most_downloads
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.pace import Pace

_UNDER_WAY_PER_CONNECTION, _MOST_UNDER_WAY = 8, 400
"""As far as so many files may be open (`core.limits`)."""
_MOST_AT_A_SLOW_HOST = 2
_FIRST_GRACE_SECONDS, _LEAST_GRACE_SECONDS, _MOST_GRACE_SECONDS = 1.0, 0.15, 2.0
_GRACE = 4.0
"""Multiples of the usual time of a download."""

Changed = Callable[[str | None], None]
"""Called when a slot may have become free, with the reason if the number of slots changed."""


class Slot:
    """The slot of one download after another, passed down to whatever may have to wait.

    Without `slots` there is nothing to share, and giving the slot away changes nothing.
    """

    def __init__(self, slots: "Slots | None" = None) -> None:
        self._slots = slots
        self.begin(0.0)
        self.under_way = False

    def begin(self, now: float) -> None:
        """Start the next download."""
        self.under_way = True
        self.host: str | None = None
        self.asked_at = now
        self.asking = self.waiting = self.slow = False
        self.bytes = 0
        self.measure_from(now)

    def measure_from(self, now: float) -> None:
        """Measure the rate of the download from now on."""
        self.measured_from, self.measured_bytes = now, 0

    @property
    def is_given_away(self) -> bool:
        """Whether another download may run in its place."""
        return self.waiting or self.slow

    def wait(self) -> None:
        """Give the slot away, because the download has to wait for its turn at a host."""
        if self._slots:
            self._slots.wait(self)

    def ask(self, host: str, now: float) -> None:
        """Take the slot back, because a request goes out to the host."""
        if self._slots:
            self._slots.ask(self, host, now)

    def answered(self) -> None:
        """Note that the request is over, however it ended."""
        self.asking = False

    def host_failed(self, now: float) -> None:
        """Note that the host failed, and not just this download."""
        if self._slots:
            self._slots.host_failed(self, now)

    def received(self, size: int) -> None:
        """Count bytes that have come."""
        self.bytes += size
        self.measured_bytes += size

    def __repr__(self) -> str:
        if not self.under_way:
            return "<Slot [idle]>"
        state = "waiting" if self.waiting else "slow" if self.slow else "held"
        host = f", {self.host}" if self.host else ""
        return f"<Slot [{state}{host}, {self.bytes:,} bytes]>"


class Slots:
    """All slots of a run, as many as `Pace` allows."""

    def __init__(self, settings: Fetching, now: float, changed: Changed) -> None:
        self._pace = Pace(settings.connections, now)
        under_way = min(settings.connections * _UNDER_WAY_PER_CONNECTION, _MOST_UNDER_WAY)
        self._most = min(max(under_way, settings.connections), most_downloads())
        self._min_rate = settings.min_rate
        self._changed = changed
        self._slots = set[Slot]()
        self._held = self._handing_over = 0
        self._hosts, self._slow_hosts = set[str](), set[str]()
        self._usual_seconds: float | None = None

    @property
    def count(self) -> int:
        """How many slots there are now."""
        return self._pace.slots

    @property
    def in_use(self) -> bool:
        """Whether any download is under way."""
        return bool(self._slots)

    @property
    def is_one_free(self) -> bool:
        """Whether another download may start."""
        used = self._held + self._handing_over
        return used < self._pace.slots and len(self._slots) < self._most

    def open(self) -> Slot:
        """Return a free slot, held from now on."""
        slot = Slot(self)
        self._slots.add(slot)
        self._held += 1
        return slot

    def close(self, slot: Slot) -> None:
        """Give up a slot that is held."""
        self._slots.remove(slot)
        self._held -= 1

    def should_start(self, host: str, *, free: bool) -> bool:
        """Return whether a download from `host` should start now, not at the end of the list.

        It should not if there are other hosts, and enough downloads wait for hosts or are slow at
        this one. `free` tells whether the host can be asked at once.
        """
        self._hosts.add(host)
        if len(self._hosts) == 1:
            return True
        if host in self._slow_hosts:
            there = sum(slot.host == host and slot.slow for slot in self._slots)
            if there >= _MOST_AT_A_SLOW_HOST:
                return False
        return free or sum(slot.waiting for slot in self._slots) < self._most // 2

    def wait(self, slot: Slot) -> None:
        """Give a slot away until its download asks a host."""
        self._set(slot, waiting=True, slow=slot.slow)
        self._changed(None)

    def ask(self, slot: Slot, host: str, now: float) -> None:
        """Take a slot back, unless the host is known to be slow."""
        slot.host, slot.asked_at, slot.asking = host, now, True
        slot.measure_from(now)
        self._set(slot, waiting=False, slow=host in self._slow_hosts)
        self._changed(None)

    def host_failed(self, slot: Slot, now: float) -> None:
        """Have fewer slots, as far as the host that failed used them."""
        there = sum(other.host == slot.host and not other.is_given_away for other in self._slots)
        share = min(there / max(self._held, 1), 1.0)
        self._report(self._pace.failed(now, slot.asked_at, share))

    def finish(self, slot: Slot, now: float) -> None:
        """End a download. Its slot stays in use while the original is handed over."""
        full = self._held >= self._pace.slots
        if not slot.is_given_away:
            self._slow_hosts.discard(slot.host or "")
            usual, seconds = self._usual_seconds, now - slot.asked_at
            self._usual_seconds = seconds if usual is None else usual + (seconds - usual) / 16
        self._set(slot, waiting=False, slow=False)
        slot.under_way = False
        self._held, self._handing_over = self._held - 1, self._handing_over + 1
        self._report(self._pace.finished(now, slot.bytes, full=full))

    def resume(self) -> bool:
        """Hold a slot again after its original was handed over. Return False if there are fewer
        slots by now, and this is one too many.
        """
        self._held, self._handing_over = self._held + 1, self._handing_over - 1
        return self._held + self._handing_over <= self._pace.slots

    def look(self, now: float) -> None:
        """Find out which downloads are slow: they get less than `--min-rate` for several times as
        long as a download usually takes in all.
        """
        grace = self._grace_seconds()
        for slot in self._slots:
            seconds = now - slot.measured_from
            if not slot.under_way or slot.waiting or seconds < grace:
                continue
            slow = slot.measured_bytes < self._min_rate * seconds
            slot.measure_from(now)
            self._set(slot, waiting=False, slow=slow)
            if slot.asking and slot.host:
                (self._slow_hosts.add if slow else self._slow_hosts.discard)(slot.host)
        self._changed(None)

    def __repr__(self) -> str:
        waiting, slow = (
            sum(getattr(slot, state) for slot in self._slots) for state in ("waiting", "slow")
        )
        return (
            f"<Slots [{self._held} of {self.count} held, {self._handing_over} handing over"
            f" | {len(self._slots)} under way, {waiting} waiting, {slow} slow]>"
        )

    def _report(self, why: str | None) -> None:
        if why:
            self._changed(why)

    def _set(self, slot: Slot, *, waiting: bool, slow: bool) -> None:
        before = slot.is_given_away
        slot.waiting, slot.slow = waiting, slow
        self._held += before - slot.is_given_away

    def _grace_seconds(self) -> float:
        if self._usual_seconds is None:
            return _FIRST_GRACE_SECONDS
        usual = _GRACE * self._usual_seconds
        return min(max(usual, _LEAST_GRACE_SECONDS), _MOST_GRACE_SECONDS)
