"""Judge doubtful files in a process of its own, which `python -m dafre_fast.engine.judge` is.

A file that breaks off, or ends in an odd way, is decoded to see whether its picture is there. A
decoder that dies or hangs on it costs that process alone; the file is then left to the command that
makes images, whose workers are as safe.
"""

import select
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from mmap import mmap
from typing import IO

import msgspec
from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.damage import decode_doubtful, is_sound

_JUDGING_SECONDS = 20
_IDLE_SECONDS = 60
"""The process ends by itself when it has had nothing to do for so long."""
_SIZE_BYTES = 8


class _Verdict(Struct):
    """The reason to refuse a file, None if its picture is there."""

    reason: Reason | None = None
    detail: str = ""


class Judge:
    """A check of whole files (`sources.interface.Check.whole`), as `pixels.damage.check_end` is.

    Its process is started for the first doubtful file, and anew after it ended.
    """

    _process: subprocess.Popen[bytes] | None = None

    def __call__(self, data: bytes | mmap) -> bool:
        """Return True if nothing is wrong with a file, False if something is that costs no pixel,
        or if that cannot be found out here. Raises Refusal.
        """
        if is_sound(data):
            return True
        verdict = self._ask(bytes(data)) or _Verdict()
        if verdict.reason:
            raise Refusal(verdict.reason, verdict.detail)
        return False

    def _ask(self, data: bytes) -> _Verdict | None:
        """Return the verdict on a file, None if the process died or was too slow."""
        process = self._running()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(len(data).to_bytes(_SIZE_BYTES, "little") + data)
            process.stdin.flush()
            if _has_answered(process.stdout):
                return msgspec.json.decode(process.stdout.readline(), type=_Verdict)
        except (OSError, msgspec.DecodeError):
            pass
        self._end()
        return None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(  # noqa: S603  (this module)
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._kill = weakref.finalize(self, _killed, self._process)
        return self._process

    def _end(self) -> None:
        if self._process:
            self._kill()
            self._process = None


def _killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(OSError):
        process.communicate()


def _has_answered(pipe: IO[bytes]) -> bool:
    """Wait for an answer; return whether one has come. A run may have thousands of files open, more
    than `select` takes.
    """
    answers = select.poll()
    answers.register(pipe, select.POLLIN)
    return bool(answers.poll(1000 * _JUDGING_SECONDS))


def _serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """Judge files until the end of input: each is its size, 8 bytes, and its bytes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the parent decides
    while True:
        signal.alarm(_IDLE_SECONDS)
        size = asked.read(_SIZE_BYTES)
        if len(size) < _SIZE_BYTES:
            return
        signal.alarm(2 * _JUDGING_SECONDS)  # the parent may be gone by then
        data = asked.read(int.from_bytes(size, "little"))
        told.write(msgspec.json.encode(_judge(data)) + b"\n")
        told.flush()


def _judge(data: bytes) -> _Verdict:
    try:
        decode_doubtful(data)
    except Refusal as refusal:
        return _Verdict(refusal.reason, refusal.detail)
    return _Verdict()


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
