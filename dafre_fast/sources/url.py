"""Originals behind a URL template such as `https://host/original/{bucket}/{id}.{ext}`."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Self

import aiohttp
import stamina

from dafre_fast.model.errors import OutputError, Refusal, UsageError
from dafre_fast.model.files import bucket, temporary
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Fetched
from dafre_fast.model.settings import Fetching
from dafre_fast.sources.tree import Tree

USER_AGENT = f"dafre_fast/{version('dafre_fast')}"
CHECK_BYTES = 512
"""As many first bytes of a body as `check` is given, or all of a shorter one."""
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_FORBIDDEN = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}
_NETWORK_ERRORS = (aiohttp.ClientError, ConnectionError, TimeoutError)
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}

Check = Callable[[bytes], object]


class UrlTemplate:
    """Fetches originals over HTTP into `folder/{bucket}/{id}.{ext}`.

    What lies there already costs no request. Where the template asks for `{ext}`, the extensions
    are tried in order; the name of the file remembers which it was. `check` looks at the first
    bytes of a body and raises Refusal where that is no image.
    Raises UsageError for a template that names no image or an unknown field.
    """

    def __init__(self, template: str, folder: Path, settings: Fetching, check: Check) -> None:
        try:
            one = template.format(id=1, bucket=bucket(1), ext="jpg")
            different = one != template.format(id=2, bucket=bucket(1), ext="jpg")
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise UsageError(f"--source {template!r}: not a URL template ({error})") from error
        if not different:
            raise UsageError(f"--source {template!r}: names the same file for every {{id}}")
        self.parallel = settings.connections
        self._template, self._folder, self._settings = template, folder, settings
        self._extensions = settings.extensions if "{ext" in template else ("jpg",)
        self._check = check

    async def __aenter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder}: {error.strerror}") from error
        self._there = Tree(self._folder)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.connections),
            timeout=aiohttp.ClientTimeout(),  # `fetch` has its own, for all attempts together
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def fetch(self, key: str) -> Fetched:
        if path := self._there.find(key):
            return Fetched(key=key, path=str(path))
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._try_extensions(key)
        except Refusal as refusal:
            return Fetched(key=key, reason=refusal.reason, detail=refusal.detail)
        except TimeoutError:
            detail = f"after {self._settings.timeout:g} s"
            return Fetched(key=key, reason=Reason.DOWNLOAD_TIMEOUT, detail=detail)

    async def _try_extensions(self, key: str) -> Fetched:
        number, folder, attempts = int(key), bucket(int(key)), 0
        for extension in self._extensions:
            url = self._template.format(id=number, bucket=folder, ext=extension)
            path = self._folder / folder / f"{key}.{extension}"
            size, tries = await self._get_with_retries(url, path)
            attempts += tries
            if size:
                return Fetched(key=key, path=str(path), url=url, bytes=size, attempts=attempts)
        others = " and other extensions" if len(self._extensions) > 1 else ""
        raise Refusal(Reason.NOT_FOUND, url + others)

    async def _get_with_retries(self, url: str, path: Path) -> tuple[int | None, int]:
        """What `_get` gives, and how often it was tried."""
        try:
            return await self._get(url, path), 1
        except _Passing as passing:
            failure = passing
        # The first attempt of these is the one above: a retry context takes as much CPU time as a
        # small original, and most never need it.
        async for attempt in stamina.retry_context(
            on=_Passing, attempts=self._settings.retries + 1, timeout=self._settings.timeout
        ):
            with attempt:
                if attempt.num == 1:
                    raise failure
                return await self._get(url, path), attempt.num
        raise AssertionError("stamina raises the last failure")

    async def _get(self, url: str, path: Path) -> int | None:
        """Bytes written to `path`, or None where the server has no such file."""
        try:
            async with self._session.get(url) as response:
                if response.status in _GONE:
                    return None
                _check_status(response)
                return await self._save(response, path)
        except aiohttp.InvalidURL as error:
            raise Refusal(Reason.HTTP_ERROR, f"{url}: not a URL") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            detail = f"{url}: {str(error) or type(error).__name__}"
            raise _Passing(Reason.NETWORK_ERROR, detail) from error

    async def _save(self, response: aiohttp.ClientResponse, path: Path) -> int:
        chunk = await response.content.readany()
        while len(chunk) < CHECK_BYTES and (more := await response.content.readany()):
            chunk += more
        self._look(chunk, response)
        part, size = temporary(path), 0
        try:
            file = _create(part)
            try:
                while chunk:
                    size += len(chunk)
                    if size > self._settings.max_bytes:
                        raise Refusal(Reason.TOO_MANY_BYTES, f"{response.url}: {size:,} and more")
                    _write(file, chunk)
                    chunk = await response.content.readany()
            finally:
                os.close(file)
            part.replace(path)
        except BaseException as error:
            with suppress(OSError):
                part.unlink()
            if isinstance(error, OSError) and not isinstance(error, _NETWORK_ERRORS):
                raise OutputError(f"{path}: {error.strerror}") from error
            raise
        return size

    def _look(self, head: bytes, response: aiohttp.ClientResponse) -> None:
        try:
            self._check(head)
        except Refusal as refusal:
            raise Refusal(refusal.reason, f"{response.url}: {refusal.detail}") from refusal


class _Passing(Refusal):
    """Worth another attempt."""


def _create(path: Path) -> int:
    """A new file, opened, and the folder for it where there is none yet."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        return os.open(path, flags, 0o666)


def _write(file: int, data: bytes) -> None:
    """Write all of it: a disk that fills up takes a part, and raises at the rest."""
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])


def _check_status(response: aiohttp.ClientResponse) -> None:
    status, detail = response.status, f"{response.url}: status {response.status}"
    if status in _TRY_AGAIN or status >= 500:
        raise _Passing(Reason.SERVER_ERROR, detail)
    if status in _FORBIDDEN:
        raise Refusal(Reason.FORBIDDEN, detail)
    if status != HTTPStatus.OK:
        raise Refusal(Reason.HTTP_ERROR, detail)
