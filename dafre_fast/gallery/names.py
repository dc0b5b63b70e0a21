"""The path and the names under which browsers ask for the gallery."""

import re
import socket
from ipaddress import ip_address

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery.settings import GalleryRun

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


def prefix_of(run: GalleryRun) -> str:
    """Return the path that precedes all others, such as `/photos`, or ''. Raises UsageError."""
    prefix = run.prefix.rstrip("/")
    prefix = f"/{prefix}" if prefix and not prefix.startswith("/") else prefix
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(
            f"--prefix {run.prefix!r}: must be a path such as /photos, of letters, digits and -._~"
        )
    return prefix


def allowed_names(run: GalleryRun) -> set[str]:
    """Return the names given by --allow-host as a Host header has them. Raises UsageError."""
    names = set[str]()
    for name in run.allow_host:
        try:
            ascii_name = name.rstrip(".").encode("idna").decode().lower()
        except UnicodeError:
            ascii_name = ""
        if not _NAME.fullmatch(ascii_name):
            raise UsageError(
                f"--allow-host {name!r}: must be a name such as photos.example.com, without scheme,"
                " port and *"
            )
        names.add(ascii_name)
    return names


def own_names(run: GalleryRun) -> set[str]:
    """Return all names in lower case that requests may ask for. Raises UsageError."""
    names = {"localhost", run.host.lower(), *allowed_names(run)}
    if not is_loopback(run.host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return names


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_own(run: GalleryRun) -> bool:
    """Return whether nobody but the people at this machine is served: at a loopback address, and
    behind no reverse proxy as far as the settings tell.
    """
    return is_loopback(run.host) and not run.allow_host and not run.prefix.strip("/")


def in_address(host: str) -> str:
    """Return a host as an address (URL) has it."""
    return f"[{host}]" if ":" in host else host
