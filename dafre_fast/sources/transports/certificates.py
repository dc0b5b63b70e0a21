"""Certificates that are trusted: those of the system, or of the file that the environment names."""

import os
import ssl
from pathlib import Path

from dafre_fast.core.errors import UsageError

_OF_OPENSSL = "SSL_CERT_FILE"
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", _OF_OPENSSL)
"""Names that requests, curl and OpenSSL know, in the order of requests."""


def bundle() -> Path | None:
    """Return the file of certificates, or the folder, that the environment names. Raises UsageError
    if it is not there.
    """
    variable = _variable()
    if variable is None:
        return None
    path = Path(os.environ[variable])
    if not path.exists():
        raise UsageError(f"{variable} of the environment: {path}: there is no such file")
    return path


def trusting() -> ssl.SSLContext | bool:
    """Return what the HTTP library takes as `ssl`: True for the certificates of the system. Raises
    UsageError if the environment names others that cannot be read.
    """
    path = bundle()
    if path is None:
        return True
    try:
        context = ssl.create_default_context(
            cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None
        )
    except OSError as error:  # an SSLError is one, too
        raise _unreadable(path, error) from error
    if _variable() == _OF_OPENSSL:  # which reads its folder of certificates, too
        context.load_default_certs()
    context.set_alpn_protocols(("http/1.1",))
    return context


def pem(path: Path) -> bytes:
    """Return all certificates of a file or a folder. Raises UsageError if they cannot be read."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return b"\n".join(file.read_bytes() for file in files if file.is_file())
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    problem = "holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
    return UsageError(f"{path}, which the environment names for certificates: {problem}")


def _variable() -> str | None:
    return next((name for name in _VARIABLES if os.environ.get(name)), None)
