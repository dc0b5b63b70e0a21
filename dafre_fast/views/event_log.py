"""Events as lines of JSON in a file, for machines and for afterwards."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Event, Outcome

_encode = msgspec.json.Encoder().encode


class EventLog:
    """A context that adds a line for each event it is called with: `time` (UTC, ISO 8601), `event`
    and its fields; those of an outcome are those of `Fetched`.

    Raises OutputError where the file cannot be written.
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
