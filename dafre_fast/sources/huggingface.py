"""Data sets on the Hugging Face hub, by short names: `hf:nyanko7/danbooru2023`.

Files have the address `{endpoint}/datasets/{repo}/resolve/{revision}/{path}`; the hub's API lists
them. HF_ENDPOINT names another endpoint. A token (HF_TOKEN, or the file that `hf auth login` wrote)
is sent to the endpoint alone, for data sets that need an account.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import msgspec

from dafre_fast.core.errors import Refusal, UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addressed import addressed
from dafre_fast.sources.archives.desk import Archive, Desk
from dafre_fast.sources.archives.source import Archives, Tiers
from dafre_fast.sources.interface import SUFFIXES, Check, Source
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.transports.http import Http
from dafre_fast.sources.transports.urls import joined, origin, url_of

_SET = re.compile(r"hf:(?!//)([\w.-]+/[\w.-]+)(?:@(.+))?")
_FILE = re.compile(
    r"hf://datasets/([\w.-]+/[\w.-]+?)(?:@(refs/pr/\d+|refs/convert/[^/]+|[^/]+))?/(.+)"
)
_MAIN = "main"
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_OF_TEMPLATES = "/{}[]:"
"""Characters of a path that stand for themselves, or belong to the fields of templates."""


class Known(NamedTuple):
    """A data set in which the archive of an original follows from its id."""

    tiers: tuple[Callable[[int], str], ...]
    """Path of an archive by id, in the order in which they are searched."""
    updates: str
    """Folder of further archives, named `*-{id % 10}.tar`."""
    indexes: str
    """The data set that has the indexes."""


KNOWN = {
    "nyanko7/danbooru2023": Known(
        tiers=(
            lambda image: f"original/data-0{image % 1000:03}.tar",
            lambda image: f"recent/data-1{image % 1000:03}.tar",
        ),
        updates="updates",
        indexes="deepghs/danbooru2023_index",
    )
}


def hub_source(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """Return the source for an address on the hub.

    `hf:OWNER/NAME[@REVISION]` is a data set of archives, `hf://datasets/OWNER/NAME[@REVISION]/PATH`
    a template. A revision with `/` stands there as it is if it begins with `refs/`, else as `%2F`
    if a path follows. Raises UsageError for other addresses, and for an endpoint or a token of the
    environment that cannot be used.
    """
    place, token = endpoint(), find_token()
    bearer = {origin(url_of(place)): token} if token else None
    login = "the token has no access to it" if token else "set HF_TOKEN"
    transport = Http(settings, Hosts(settings, tell), bearer, login)
    if match := _FILE.fullmatch(spec):
        repo, revision, path = match.groups()
        hub = Hub(place, repo, unquote(revision or _MAIN))
        address = f"{hub.files}/{quote(path, safe=_OF_TEMPLATES)}"
        return addressed(address, transport, folder, settings, check, tell)
    if match := _SET.fullmatch(spec):
        hub = Hub(place, match[1], unquote(match[2] or _MAIN))
        layout = KnownSet(hub, KNOWN[hub.repo]) if hub.repo in KNOWN else ListedSet(hub)
        return Archives(layout, transport, folder, settings, check, tell)
    raise UsageError(f"--source {spec!r}: neither hf:OWNER/NAME nor hf://datasets/OWNER/NAME/PATH")


def endpoint() -> str:
    """Return the address of the hub, or of the mirror that HF_ENDPOINT names, without a `/` at its
    end.
    """
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        url_of(endpoint)
    except ValueError as error:
        raise UsageError(f"HF_ENDPOINT {endpoint!r} of the environment: {error}") from error
    return endpoint.rstrip("/")


def find_token() -> str | None:
    """Return the token with which huggingface_hub would ask: of HF_TOKEN, or of the file that
    `hf auth login` writes; None if there is none. Raises UsageError for text that is no token.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    file = Path(os.environ.get("HF_TOKEN_PATH") or Path(os.environ.get("HF_HOME") or home, "token"))
    name = next((name for name in _TOKENS if os.environ.get(name)), None)
    try:
        text = os.environ[name] if name else Path(os.path.expandvars(file)).expanduser().read_text()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}, the token of the hub, cannot be read: {error}") from error
    token = text.strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise UsageError(f"{name or file}: holds blanks or characters that no token of the hub has")
    return token or None


class _File(msgspec.Struct):
    type: str
    path: str


class Hub(NamedTuple):
    """A data set on the hub."""

    endpoint: str
    repo: str
    revision: str

    @property
    def files(self) -> str:
        """Address of the folder with its files."""
        revision = quote(self.revision, safe="")
        return f"{self.endpoint}/datasets/{self.repo}/resolve/{revision}"

    def file(self, path: str) -> str:
        """Return the address of a file."""
        return f"{self.files}/{quote(path)}"

    async def listing(self, desk: Desk, folder: str = "") -> list[str]:
        """Return the paths of all files below a folder; an empty list if there is no such folder.

        Raises Refusal.
        """
        path = f"/{quote(folder, safe='')}" if folder else ""
        revision = quote(self.revision, safe="")
        tree = f"{self.endpoint}/api/datasets/{self.repo}/tree/{revision}{path}"
        page: str | None = f"{tree}?recursive=true"
        found, seen = list[str](), set[str]()
        while page:
            seen.add(page)
            try:
                text, body = await desk.load(page)
                files = msgspec.json.decode(text, type=list[_File])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Refusal(Reason.BAD_INDEX, f"{page}: {error}") from error
            except Refusal as refusal:
                if folder and refusal.reason is Reason.NOT_FOUND:
                    return []
                raise
            found += (file.path for file in files if file.type == "file")
            page = self._following(page, getattr(body, "following", None))
            if page in seen:
                raise Refusal(Reason.BAD_INDEX, f"{page}: the list goes round in circles")
        return sorted(found)

    def _following(self, page: str, reference: str | None) -> str | None:
        """Return the address of the page that follows another one. A mirror may hand on the hub's
        own address, which need not be in reach: all pages are asked of the endpoint.
        """
        if not reference:
            return None
        try:
            url = joined(url_of(page), reference)
        except ValueError as error:
            detail = f"{page}: the next page is {reference!r}: {error}"
            raise Refusal(Reason.BAD_INDEX, detail) from error
        if origin(url) == origin(url_of(self.endpoint)):
            return str(url)
        return f"{self.endpoint}{url.raw_path_qs}"


class KnownSet:
    """The layout of a data set in `KNOWN`."""

    def __init__(self, hub: Hub, known: Known) -> None:
        self._hub, self._known = hub, known
        self._indexes = hub._replace(repo=known.indexes, revision=_MAIN)
        self._updates: list[str] = []

    async def prepare(self, desk: Desk) -> None:
        """Ask for the list of updates. Raises Refusal."""
        listed = await self._hub.listing(desk, self._known.updates)
        self._updates = [path for path in listed if path.endswith(".tar")]

    def tiers(self, image_id: int) -> Tiers:
        end = f"-{image_id % 10}.tar"
        updates = tuple(self._archive(path) for path in self._updates if path.endswith(end))
        known = tuple((self._archive(path(image_id)),) for path in self._known.tiers)
        return (*known, updates)

    def _archive(self, path: str) -> Archive:
        index = self._indexes.file(path.removesuffix(".tar") + ".json")
        return Archive(self._hub.file(path), index, has_index=True)


class ListedSet:
    """The layout of any other data set: all its archives, each with the index beside it, if any."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tiers: Tiers = ()

    async def prepare(self, desk: Desk) -> None:
        """Ask for the list of files. Raises Refusal, also if there are no archives."""
        files = await self._hub.listing(desk)
        present = {*files}
        archives = []
        for path in files:
            if path.endswith(SUFFIXES):
                beside = path.removesuffix(".tar") + ".json"
                index = self._hub.file(beside) if beside in present else None
                archives.append(Archive(self._hub.file(path), index, has_index=True))
        if not archives:
            endings = ", ".join(SUFFIXES)
            raise Refusal(Reason.BAD_INDEX, f"{self._hub.repo}: has no archives ({endings})")
        self._tiers = (tuple(archives),)

    def tiers(self, image_id: int) -> Tiers:  # noqa: ARG002
        return self._tiers
