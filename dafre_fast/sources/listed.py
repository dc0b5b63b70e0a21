"""Originals at addresses of their own, one for each image: those of a table.

Addresses are of http(s), s3 and gs, and fetched; or paths on this machine, read where they are.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Self

from dafre_fast.core.events import Tell
from dafre_fast.core.layout import bucket
from dafre_fast.core.paths import to_text
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addresses import Place
from dafre_fast.sources.interface import Body, Check, Planned, Source, Span, Take, Transport
from dafre_fast.sources.manners.effort import Effort
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.template import Template
from dafre_fast.sources.transports.http import Http


def open_listed(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """Return the source for the addresses of a table; each is the `name` of what is sought."""
    transport = _ByScheme(settings, tell)
    places = _Listed(folder)
    return _Anywhere(Template(spec, transport, folder, settings, check, tell, places))


class _Listed:
    """The address of each image, and the file `folder/{bucket}/{id}.{ext}` that it becomes."""

    have_one_host = False

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def of(self, sought: Sought) -> Iterator[Place]:
        name = f"{sought.key}.{sought.extension or 'jpg'}"
        path = f"{self._folder}/{bucket(int(sought.key))}/{name}"
        yield Place(sought.name or "", path)


class _ByScheme:
    """A transport (`sources.interface`) that has one for the web and one for object stores."""

    def __init__(self, settings: Fetching, tell: Tell) -> None:
        self._settings, self._hosts = settings, Hosts(settings, tell)
        self._web = Http(settings, self._hosts)
        self._store: Transport | None = None

    async def __aenter__(self) -> Self:
        await self._web.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._web.__aexit__(*error)
        if self._store:
            await self._store.__aexit__(*error)

    def host(self, address: str) -> str | None:
        return self._of(address).host(address)

    def is_free(self, host: str) -> bool:
        return self._hosts.is_free(host)

    def open(
        self, address: str, effort: Effort, span: Span | None = None, etag: str | None = None
    ) -> AbstractAsyncContextManager[Body]:
        return self._of(address).open(address, effort, span, etag)

    def _of(self, address: str) -> Transport:
        if address.startswith(("http://", "https://")):
            return self._web
        if self._store is None:
            from dafre_fast.sources.transports.object_store import Objects  # an extra

            self._store = Objects(self._settings, self._hosts)
        return self._store


class _Anywhere:
    """Finds the originals that are paths, and has `remote` fetch the others."""

    def __init__(self, remote: Template) -> None:
        self._remote = remote

    async def __aenter__(self) -> Self:
        await self._remote.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._remote.__aexit__(*error)

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        here = list[Sought]()
        await self._remote.fetch(_away(sought, here), take)
        for one in here:
            await take(one, _found(one))

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        here = list[Sought]()
        await self._remote.plan(_away(sought, here), take)
        for one in here:
            take(one, _planned(one.name or ""))


def _away(sought: Iterable[Sought], here: list[Sought]) -> Iterator[Sought]:
    """Yield what has to be fetched, and collect in `here` what is on this machine."""
    for one in sought:
        if "://" in (one.name or ""):
            yield one
        else:
            here.append(one)


def _planned(path: str) -> Planned | None:
    with suppress(OSError):
        return Planned(path, Path(path).stat().st_size)
    return None


def _found(sought: Sought) -> Fetched:
    path = sought.name or ""
    if Path(path).exists():
        return Fetched(key=sought.key, path=to_text(path))
    return Fetched(key=sought.key, reason=Reason.MISSING_ORIGINAL, detail=path)
