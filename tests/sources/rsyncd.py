"""A daemon of the system's rsync, on the loopback."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONFIG = """
use chroot = no
address = 127.0.0.1
reverse lookup = no
{ids}
[danbooru]
path = {root}
[guarded]
path = {root}
auth users = someone
secrets file = {root}/secrets
"""


class Daemon:
    """Serves `root`, with originals in `root/original`."""

    def __init__(self, root: Path, port: int, pid: int) -> None:
        self.root, self.pid = root, pid
        self.source = f"rsync://127.0.0.1:{port}/danbooru/original"

    def put(self, name: str, body: bytes) -> Path:
        path = self.root / "original" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path


def free_port() -> int:
    """Return a port below those that the system hands out, so that no server or connection of
    another test takes it before the daemon does.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            return client.recv(8) == b"@RSYNCD:"
    except OSError:
        return False


@contextmanager
def daemon_of(root: Path, config: Path, limit: int | None = None) -> Iterator[Daemon]:
    """Run a daemon for `root`; `limit` is in KiB per second."""
    port = free_port()
    ids = f"uid = {os.getuid()}\ngid = {os.getgid()}" if os.getuid() == 0 else ""
    config.write_text(CONFIG.format(root=root, ids=ids))
    command = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={port}"]
    if limit:
        command.append(f"--bwlimit={limit}")
    log = f"--log-file={config}.log"
    with subprocess.Popen([*command, log], start_new_session=True) as process:
        try:
            while not answers(port):
                assert process.poll() is None, Path(f"{config}.log").read_text()
                time.sleep(0.01)
            yield Daemon(root, port, process.pid)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
