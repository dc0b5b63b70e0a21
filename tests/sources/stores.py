"""Object stores for tests: a bucket on a server of one's own, behind a proxy with faults."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from dafre_fast.dataset import object_store
from dafre_fast.dataset.object_store import ObjectStore
from tests.sources.faulty_store import Faults, faulty
from tests.sources.s3 import S3, s3_server

needs_stores = [
    *(
        pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
        for name in ("obstore", "moto")
    ),
    pytest.mark.usefixtures("environment"),
]
"""Marks of tests that use the fixtures `proxy`, `environment` and `store`."""


@contextmanager
def faulty_s3() -> Iterator[Faults]:
    with s3_server() as port, faulty(port) as proxy:
        yield proxy


def use(proxy: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and its children find the server, and wait little."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
    monkeypatch.setattr(object_store, "WAITS_SECONDS", (0.01,) * 3)
    proxy.forget()


def new_store(proxy: Faults) -> ObjectStore:
    return ObjectStore(f"s3://{S3(proxy.port).bucket}/some where/in")


def objects(store: ObjectStore) -> dict[str, bytes]:
    """All objects but the records of runs."""
    return {name: store.read(name) for name in store.names() if ".dafre_fast" not in name}
