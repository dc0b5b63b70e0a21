"""Names of originals in a module of an rsync daemon, relative to it."""

from collections.abc import Iterator
from pathlib import Path

from dafre_fast.core.errors import UsageError
from dafre_fast.core.records import Sought
from dafre_fast.sources.addresses import Addresses, Place

_LAYOUT = "{bucket}/{id}.{ext}"


class Names:
    """The names that originals may have, by `rsync://host/module/folder` or a template there.

    An address without fields is that of a folder with `{bucket}/{id}.{ext}` in it. Raises
    UsageError for an address that is not of a module, and as `Addresses` does.
    """

    def __init__(self, source: str, folder: Path, extensions: tuple[str, ...]) -> None:
        template = source if "{" in source else f"{source.rstrip('/')}/{_LAYOUT}"
        self.module, inside = split_module(template)
        if "{" in self.module or {"", ".", ".."} & {*inside.split("/")}:
            raise UsageError(f"--source {source!r}: not rsync://host/module/… or a template there")
        self._addresses = Addresses(template, folder, extensions)

    def of(self, sought: Sought) -> Iterator[tuple[str, Place]]:
        """Yield each name that an original may have, and its place, in the order to be tried."""
        for place in self._addresses.of(sought):
            yield place.address.removeprefix(self.module), place


def split_module(source: str) -> tuple[str, str]:
    """Split `rsync://host/module/path` into the address of the module and the path in it."""
    host, _, path = source.removeprefix("rsync://").partition("/")
    module, _, inside = path.partition("/")
    return f"rsync://{host}/{module}/", inside
