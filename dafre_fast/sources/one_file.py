"""Fetch one file, such as a model, with the manners of downloads: a path, a URL, a file of the
Hugging Face hub (`hf:OWNER/NAME/PATH`), or an object of a store (`s3://`, `gs://`).
"""

import hashlib
import re
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote, urljoin

from dafre_fast.core.addresses import public
from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.events import Doing, Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.huggingface import endpoint, find_token
from dafre_fast.sources.interface import Transport
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.stretch import Stretch
from dafre_fast.sources.transports.http import Http
from dafre_fast.sources.transports.urls import origin, url_of

_STORES = ("s3://", "gs://")
_HUB = re.compile(r"hf:([\w.-]+/[\w.-]+?)(?:@([^/]+))?/(.+)")


async def fetch_file(spec: str, folder: Path, settings: Fetching, tell: Tell) -> Path:
    """Return the path of a file; one that has to be fetched is put into `folder`, once.

    Raises UsageError for an address of no known kind, SourceError if it cannot be fetched, and
    OutputError if it cannot be written.
    """
    if not _is_address(spec):
        return Path(spec)
    address = _address(spec)
    path = _place(folder, address)
    if not path.exists():
        tell(Doing(f"fetching {public(address)}"))
        try:
            await _fetch(address, path, settings, tell)
        except Refusal as refusal:
            raise SourceError(f"{public(address)}: {refusal}") from refusal
    return path


async def fetch_beside(
    spec: str, names: Sequence[str], folder: Path, settings: Fetching, tell: Tell
) -> dict[str, Path]:
    """Return the paths of files with these names beside the file of `spec`, as `fetch_file` does;
    those that are not there are left out. Raises as `fetch_file` does.
    """
    if not _is_address(spec):
        beside = {name: Path(spec).with_name(name) for name in names}
        return {name: path for name, path in beside.items() if path.exists()}
    found = {}
    for name in names:
        address = urljoin(_address(spec), name)  # without a query: a signature is for one file
        path = _place(folder, address)
        if not path.exists():
            await _fetch_or_note(address, path, settings, tell)
        if path.stat().st_size:
            found[name] = path
    return found


async def _fetch_or_note(address: str, path: Path, settings: Fetching, tell: Tell) -> None:
    """Fetch a file; one that is not there, or is a page in its place, leaves an empty file."""
    try:
        await _fetch(address, path, settings, tell)
    except Refusal as refusal:
        if refusal.reason not in _ABSENT:
            raise SourceError(f"{public(address)}: {refusal}") from refusal
        _write(path, b"")
    _empty_a_page(path)


def _empty_a_page(path: Path) -> None:
    if path.read_bytes()[:1000].lstrip().startswith(b"<"):
        _write(path, b"")


_ABSENT = {Reason.NOT_FOUND, Reason.FORBIDDEN, Reason.UNAUTHORIZED}


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as part:
        part.write_bytes(data)


def _is_address(spec: str) -> bool:
    return "://" in spec or spec.startswith("hf:")


def _place(folder: Path, address: str) -> Path:
    return folder / hashlib.sha256(address.encode()).hexdigest()[:16]


def _address(spec: str) -> str:
    if match := _HUB.fullmatch(spec):
        name, revision, path = match.groups()
        return f"{endpoint()}/{name}/resolve/{quote(revision or 'main', safe='')}/{quote(path)}"
    if spec.startswith(("http://", "https://", *_STORES)):
        return spec
    raise UsageError(
        f"{public(spec)}: is no file, http(s)://…, hf:OWNER/NAME/PATH, s3://… or gs://…"
    )


async def _fetch(address: str, path: Path, settings: Fetching, tell: Tell) -> None:
    transport = _transport(address, settings, tell)
    async with transport, Effort(settings, Budget.of(settings), tell) as effort:
        await effort.persist(address, lambda: _copy(transport, address, effort, path))


def _transport(address: str, settings: Fetching, tell: Tell) -> Transport:
    hosts = Hosts(settings, tell)
    if address.startswith(_STORES):
        from dafre_fast.sources.transports.object_store import Objects  # an extra

        return Objects(settings, hosts)
    token, place = find_token(), origin(url_of(endpoint()))
    return Http(settings, hosts, {place: token} if token else None)


async def _copy(transport: Transport, address: str, effort: Effort, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("wb") as file:
        async with (
            Stretch(transport, address, effort) as body,
            aclosing(body.chunks()) as chunks,
        ):
            async for chunk in chunks:
                file.write(chunk)
