"""Tar archives for tests."""

import io
import tarfile


def tar(*members: tuple[str, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    """Return an archive with these files, and a folder before them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
