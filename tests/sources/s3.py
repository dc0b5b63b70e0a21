"""An S3 server of one's own (moto), in a process of its own."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_numbers = count()


class S3:
    """A bucket on the server."""

    def __init__(self, port: int) -> None:
        from obstore.store import S3Store

        self.port, self.bucket = port, f"bucket-{next(_numbers)}"
        self.ask("PUT", self.bucket)
        endpoint = f"http://127.0.0.1:{port}"
        self._store = S3Store(self.bucket, endpoint=endpoint, client_options={"allow_http": True})

    def ask(self, method: str, path: str, body: bytes = b"") -> None:
        url = f"http://127.0.0.1:{self.port}/{path}"
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(url, body, headers, method=method)
        urllib.request.urlopen(request, timeout=30).close()

    def put(self, key: str, body: bytes) -> None:
        import obstore

        obstore.put(self._store, key, body)

    @property
    def source(self) -> str:
        return f"s3://{self.bucket}/original/{{bucket}}/{{id}}.{{ext}}"


@contextmanager
def s3_server() -> Iterator[int]:
    """Run the server; yields its port on the loopback."""
    command = [sys.executable, "-c", SERVER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:
        assert server.stdout
        assert server.stdin
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(10)
