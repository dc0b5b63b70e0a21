"""Messages between an executor and its workers over a socket: each follows its length in 4 bytes,
big-endian.
"""

MOST_BYTES = 1 << 18
"""Received at once: more than a socket holds."""
_LENGTH_BYTES = 4


def framed(message: bytes) -> bytes:
    """Return the bytes to send for a message."""
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


class Inbox:
    """Puts messages together from bytes as they arrive."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def mid_message(self) -> bool:
        """True if the rest of a message has yet to arrive."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that `data` completes, oldest first; the rest is kept."""
        data = self._rest + data
        messages, start = [], 0
        while (begin := start + _LENGTH_BYTES) <= len(data):
            end = begin + int.from_bytes(data[start:begin], "big")
            if end > len(data):
                break
            messages.append(data[begin:end])
            start = end
        self._rest = data[start:]
        return messages
