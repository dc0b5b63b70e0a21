"""Originals behind a URL template such as `https://host/original/{bucket}/{id}.{ext}`."""

import asyncio
from collections.abc import Callable
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
_CHUNK_BYTES = 1 << 16
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_FORBIDDEN = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}
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
        self._check = check

    async def __aenter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder}: {error.strerror}") from error
        self._there = Tree(self._folder)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.connections),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
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
        attempts = 0
        for extension in self._settings.extensions if "{ext" in self._template else ("jpg",):
            url = self._template.format(id=int(key), bucket=bucket(int(key)), ext=extension)
            path = self._folder / bucket(int(key)) / f"{key}.{extension}"
            async for attempt in stamina.retry_context(
                on=_Passing, attempts=self._settings.retries + 1, timeout=self._settings.timeout
            ):
                with attempt:
                    attempts += 1
                    if size := await self._get(url, path):
                        return Fetched(
                            key=key, path=str(path), url=url, bytes=size, attempts=attempts
                        )
        raise Refusal(Reason.NOT_FOUND, f"{url} and other extensions" if attempts > 1 else url)

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
        part, size, head = temporary(path), 0, b""
        try:
            path.parent.mkdir(exist_ok=True)
            with part.open("wb", buffering=0) as file:
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    if len(head) < CHECK_BYTES:
                        head += chunk
                        if len(head) >= CHECK_BYTES:
                            self._look(head, response)
                    size += len(chunk)
                    if size > self._settings.max_bytes:
                        raise Refusal(Reason.TOO_MANY_BYTES, f"{response.url}: {size:,} and more")
                    file.write(chunk)
            if len(head) < CHECK_BYTES:
                self._look(head, response)
            part.replace(path)
        except OSError as error:
            if isinstance(error, aiohttp.ClientError | ConnectionError | TimeoutError):
                raise
            raise OutputError(f"{path}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def _look(self, head: bytes, response: aiohttp.ClientResponse) -> None:
        try:
            self._check(head)
        except Refusal as refusal:
            raise Refusal(refusal.reason, f"{response.url}: {refusal.detail}") from refusal


class _Passing(Refusal):
    """Worth another attempt."""


def _check_status(response: aiohttp.ClientResponse) -> None:
    status, detail = response.status, f"{response.url}: status {response.status}"
    if status in _TRY_AGAIN or status >= 500:
        raise _Passing(Reason.SERVER_ERROR, detail)
    if status in _FORBIDDEN:
        raise Refusal(Reason.FORBIDDEN, detail)
    if status != HTTPStatus.OK:
        raise Refusal(Reason.HTTP_ERROR, detail)
