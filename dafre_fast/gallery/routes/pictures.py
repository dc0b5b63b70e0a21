"""Pictures of the dataset, and the files that pages load.

Pictures are found by id through the manifest: no part of a path comes from an address, and no
symbolic link is followed.
"""

import asyncio
import os
import stat
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from dafre_fast.dataset.pictures import Pictures, Place
from dafre_fast.dataset.stored import size_in_store
from dafre_fast.gallery import queries
from dafre_fast.gallery.beside import SHOWN, find_original
from dafre_fast.gallery.index import Index
from dafre_fast.gallery.pages import STATIC, static
from dafre_fast.gallery.replies import unless_known

_SECONDS_KEPT = 600


class PictureRoutes:
    """Pictures by output and id, originals by id, and static files by name."""

    def __init__(self, dataset: Path, index: Index) -> None:
        self._index, self._pictures = index, Pictures.of(dataset)
        self._outputs = {output.name: output for output in index.outputs}

    def routes(self, prefix: str) -> Sequence[web.RouteDef]:
        """Return the routes below a prefix."""
        names = "|".join(self._outputs)
        endings = f"{{ending:{'|'.join({one.extension for one in self._outputs.values()})}}}"
        return [
            web.get(f"{prefix}/{{output:{names}}}/{{id:[0-9]{{1,18}}}}.{endings}", self._picture),
            web.get(f"{prefix}/original/{{id:[0-9]{{1,18}}}}", self._original),
            web.get(f"{prefix}/static/{{name}}", self._static),
        ]

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        content = static(name)
        return unless_known(request, sha256(content).hexdigest(), content, STATIC[name])

    async def _original(self, request: web.Request) -> web.StreamResponse:
        image = int(request.match_info["id"])
        known = queries.exists(self._index, image)
        path = find_original(self._pictures.folder, image) if known else None
        if path is None:
            raise web.HTTPNotFound(text=f"The original of image {image} is not on this disk.")
        try:
            place = Place(path, path)
            content, tag = await asyncio.to_thread(_read_inside, self._pictures.folder, place)
        except OSError as error:
            raise web.HTTPNotFound(text=f"{path}: {error.strerror or error}") from error
        name = Path(path)
        kind = SHOWN.get(name.suffix[1:].lower())
        answer = unless_known(request, tag, content, kind or "application/octet-stream")
        if kind is None:
            answer.headers["Content-Disposition"] = f'attachment; filename="{name.name}"'
        return answer

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        image, output = int(request.match_info["id"]), request.match_info["output"]
        if not queries.exists(self._index, image):
            raise web.HTTPNotFound(text=f"The manifest has no image {image}.")
        place = self._pictures.place(self._outputs[output], image)
        try:
            content, tag = await asyncio.to_thread(_read_inside, self._pictures.folder, place)
        except OSError as error:
            raise web.HTTPNotFound(text=f"{place.name}: {error.strerror or error}") from error
        kind = SHOWN[self._outputs[output].extension]
        answer = unless_known(request, tag, content, kind)
        answer.headers["Cache-Control"] = f"private, max-age={_SECONDS_KEPT}"
        return answer


def _read_inside(root: Path, wanted: Place) -> tuple[bytes, str]:
    """Return the bytes of a picture below `root`, and an entity tag for them.

    The tag is made of the file's change time and size, and the offset of the picture in it. Raises
    OSError if the file does not exist, or if any part of its path is a symbolic link, and
    InputError if it lies in an object store that cannot be read.
    """
    if size_in_store(root, wanted.file) is not None and not (root / wanted.file).exists():
        content = wanted.read(root)
        return content, sha256(content).hexdigest()
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *folders, name = wanted.file.split("/")
        for inner, kind in [*((one, os.O_DIRECTORY) for one in folders), (name, os.O_NONBLOCK)]:
            opened = os.open(inner, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=place)
            os.close(place)
            place = opened
        status = os.fstat(place)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
            raise OSError(0, "is not a regular file")
        with open(place, "rb", closefd=False) as file:
            file.seek(wanted.offset)
            content = file.read(-1 if wanted.size is None else wanted.size)
        return content, f"{status.st_mtime_ns:x}-{status.st_size:x}-{wanted.offset:x}"
    finally:
        os.close(place)
