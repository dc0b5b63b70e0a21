"""Fetch one file, such as a model, with the manners of downloads: a path, a URL, or a file of the
Hugging Face hub (`hf:OWNER/NAME/PATH`).
"""

import hashlib
import re
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

from dafre_fast.core.addresses import public
from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.events import Doing, Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.huggingface import endpoint, find_token
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.stretch import Stretch
from dafre_fast.sources.transports.http import Http
from dafre_fast.sources.transports.urls import origin, url_of

_HUB = re.compile(r"hf:([\w.-]+/[\w.-]+?)(?:@([^/]+))?/(.+)")


async def fetch_file(spec: str, folder: Path, settings: Fetching, tell: Tell) -> Path:
    """Return the path of a file; one that has to be fetched is put into `folder`, once.

    Raises UsageError for an address of no known kind, SourceError if it cannot be fetched, and
    OutputError if it cannot be written.
    """
    if "://" not in spec and not spec.startswith("hf:"):
        return Path(spec)
    address = _address(spec)
    path = folder / hashlib.sha256(address.encode()).hexdigest()[:16]
    if not path.exists():
        tell(Doing(f"fetching {public(address)}"))
        await _fetch(address, path, settings, tell)
    return path


def _address(spec: str) -> str:
    if match := _HUB.fullmatch(spec):
        name, revision, path = match.groups()
        return f"{endpoint()}/{name}/resolve/{quote(revision or 'main', safe='')}/{quote(path)}"
    if spec.startswith(("http://", "https://")):
        return spec
    raise UsageError(f"{public(spec)}: is neither a file, nor http(s)://…, nor hf:OWNER/NAME/PATH")


async def _fetch(address: str, path: Path, settings: Fetching, tell: Tell) -> None:
    token, place = find_token(), origin(url_of(endpoint()))
    bearer = {place: token} if token else None
    transport = Http(settings, Hosts(settings, tell), bearer)
    try:
        async with transport, Effort(settings, Budget(settings.retry_budget), tell) as effort:
            await effort.persist(address, lambda: _copy(transport, address, effort, path))
    except Refusal as refusal:
        raise SourceError(f"{public(address)}: {refusal}") from refusal


async def _copy(transport: Http, address: str, effort: Effort, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("wb") as file:
        async with (
            Stretch(transport, address, effort) as body,
            aclosing(body.chunks()) as chunks,
        ):
            async for chunk in chunks:
                file.write(chunk)
