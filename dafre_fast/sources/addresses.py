"""Addresses of originals by a template: `https://host/original/{bucket}/{id}.{ext}`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dafre_fast.core.errors import Refusal, UsageError
from dafre_fast.core.layout import bucket
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought

_SLICE = re.compile(r"(\d*):(\d*)")
_EXTENSION = re.compile(r"[a-z0-9]{1,5}")


class Place(NamedTuple):
    """An address at which an original may be, and the file that it becomes."""

    address: str
    path: str


class _Digits(str):
    """Text that templates can slice, as in `{md5[0:2]}`."""

    __slots__ = ()

    def __getitem__(self, part: object) -> str:
        match = _SLICE.fullmatch(str(part))
        if match is None:
            raise ValueError(f"[{part}] is not a slice")
        start, stop = (int(end) if end else None for end in match.groups())
        return str(self)[start:stop]


class Addresses:
    """The addresses of a template, for originals that become `folder/{bucket}/{id}.{ext}`.

    The fields are `{id}`, `{bucket}`, `{ext}`, `{md5}` and slices of it, and `{name}`, the path in
    a list of files. Raises UsageError if the template has an unknown field, or gives every image
    the same address.
    """

    def __init__(self, template: str, folder: Path, extensions: tuple[str, ...]) -> None:
        self._template, self._folder, self._extensions = template, str(folder), extensions
        self._asks_extension, self._asks_md5 = "{ext" in template, "{md5" in template
        self.have_one_host = "{" not in template.partition("://")[2].partition("/")[0]
        try:
            one, other = (
                self._address(Sought(str(n), md5=f"{n:032}", name=str(n)), "jpg") for n in (1, 1001)
            )
        except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
            raise UsageError(
                f"--source {template!r}: not a template of addresses ({error});"
                " fields are {id}, {bucket}, {ext}, {md5}, {name}"
            ) from error
        if one == other:
            raise UsageError(
                f"--source {template!r}: gives every image the same address; add {{id}}"
            )

    def of(self, sought: Sought) -> Iterator[Place]:
        """Yield the addresses of an original in the order in which to try them: one if the
        extension is known, else one for each; none if the template needs an md5 that is not known.
        """
        if self._asks_md5 and not sought.md5:
            return
        known = sought.extension
        if not known or not _EXTENSION.fullmatch(known):
            known = None if self._asks_extension else "jpg"
        name = bucket(int(sought.key))
        for extension in (known,) if known else self._extensions:
            path = f"{self._folder}/{name}/{sought.key}.{extension}"
            yield Place(self._address(sought, extension), path)

    def _address(self, sought: Sought, extension: str) -> str:
        number, name = int(sought.key), sought.name
        if name and self._template.startswith(("http://", "https://")):
            name = quote(name)  # the path of a file: `#`, `?` and `%` are part of names
        md5 = _Digits(sought.md5 or "")
        return self._template.format(
            id=number, bucket=bucket(number), ext=extension, md5=md5, name=name
        )


def nowhere(sought: Sought, last: str | None) -> Refusal:
    """Return the refusal of an original that is at none of its addresses. `last` is the last of
    them, None if there was none.
    """
    if last is None:
        return Refusal(Reason.MISSING_ORIGINAL, f"the md5 of {sought.key} is not in --metadata")
    return Refusal(Reason.NOT_FOUND, last if sought.extension else f"{last} and other extensions")
