"""Data sets on the Hugging Face hub, by short names: `hf:nyanko7/danbooru2023`.

Files have the address `{endpoint}/datasets/{repo}/resolve/{revision}/{path}`; the hub's API lists
them. HF_ENDPOINT names another endpoint, HF_TOKEN is sent to it for data sets that need an account.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
from yarl import URL

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

_SET = re.compile(r"hf:(?!//)([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_FILE = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+?)(?:@([^/]+))?/(.+)")
_MAIN = "main"


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
    a template. Raises UsageError for other addresses.
    """
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    token = os.environ.get("HF_TOKEN")
    bearer = {str(URL(endpoint).host): token} if token else None
    login = "HF_TOKEN has no access to it" if token else "set HF_TOKEN"
    transport = Http(settings, Hosts(settings, tell), bearer, login)
    if match := _FILE.fullmatch(spec):
        repo, revision, path = match.groups()
        address = f"{Hub(endpoint, repo, revision or _MAIN).files}/{path}"
        return addressed(address, transport, folder, settings, check, tell)
    if match := _SET.fullmatch(spec):
        hub = Hub(endpoint, match[1], match[2] or _MAIN)
        layout = KnownSet(hub, KNOWN[hub.repo]) if hub.repo in KNOWN else ListedSet(hub)
        return Archives(layout, transport, folder, settings, check, tell)
    raise UsageError(f"--source {spec!r}: neither hf:OWNER/NAME nor hf://datasets/OWNER/NAME/PATH")


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
        return f"{self.endpoint}/datasets/{self.repo}/resolve/{self.revision}"

    async def listing(self, desk: Desk, folder: str = "") -> list[str]:
        """Return the paths of all files below a folder; an empty list if there is no such folder.

        Raises Refusal.
        """
        path = f"/{folder}" if folder else ""
        tree = f"{self.endpoint}/api/datasets/{self.repo}/tree/{self.revision}{path}"
        following: str | None = f"{tree}?recursive=true"
        found: list[str] = []
        while following:
            try:
                text, body = await desk.load(following)
                files = msgspec.json.decode(text, type=list[_File])
            except msgspec.DecodeError as error:
                raise Refusal(Reason.BAD_INDEX, f"{following}: {error}") from error
            except Refusal as refusal:
                if folder and refusal.reason is Reason.NOT_FOUND:
                    return []
                raise
            found += (file.path for file in files if file.type == "file")
            following = getattr(body, "following", None)
        return sorted(found)


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
        index = f"{self._indexes.files}/{path.removesuffix('.tar')}.json"
        return Archive(f"{self._hub.files}/{path}", index)


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
                index = f"{self._hub.files}/{beside}" if beside in present else None
                archives.append(Archive(f"{self._hub.files}/{path}", index))
        if not archives:
            endings = ", ".join(SUFFIXES)
            raise Refusal(Reason.BAD_INDEX, f"{self._hub.repo}: has no archives ({endings})")
        self._tiers = (tuple(archives),)

    def tiers(self, image_id: int) -> Tiers:  # noqa: ARG002
        return self._tiers
