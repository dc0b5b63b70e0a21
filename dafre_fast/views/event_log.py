"""Events as lines of JSON in a file, for machines and for afterwards."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Event, Outcome, StageEvent

_encode = msgspec.json.Encoder().encode


class EventLog:
    """An observer that adds one line to a file for each event, and a context that closes the file.

    A line has `time` (UTC, ISO 8601), `event` and the event's fields; those of an outcome are the
    fields of `Fetched`. Events that only count progress are left out: every image has its outcome.
    Raises OutputError if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageEvent):
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        fields = msgspec.to_builtins(event)
        if isinstance(event, Outcome):
            fields |= fields.pop("fetched")
            del fields["stage"]
        line = _encode({"time": now} | fields) + b"\n"
        try:
            written = self._file.write(line)
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error
        if written != len(line):
            raise OutputError(f"{self._path}: No space left on device")
