"""Clients of object stores: endpoint, credentials, and errors in plain words.

Endpoint and credentials come from the environment, under the names that each store's own tools
use. S3: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`, and `AWS_SKIP_SIGNATURE` for a public bucket without credentials. Google:
`GOOGLE_BASE_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `GOOGLE_SKIP_SIGNATURE`.

Proxies and certificates are those of the environment, as for HTTP.

Importing this module raises UsageError if obstore is not installed.
"""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import HostFailed
from dafre_fast.sources.transports import certificates, http_answers
from dafre_fast.sources.transports.http import user_agent
from dafre_fast.sources.transports.proxies import Proxies
from dafre_fast.sources.transports.urls import url_of

try:
    import obstore
    from obstore.exceptions import BaseError, PreconditionError
    from obstore.store import GCSStore, S3Store
except ImportError as error:
    raise UsageError(
        "s3:// and gs:// addresses need obstore: pip install 'dafre_fast[objects]'"
    ) from error

if TYPE_CHECKING:
    from obstore.store import ClientConfig

__all__ = ["ENDPOINTS", "ERRORS", "Bucket", "PreconditionError", "connect", "obstore", "refusal"]

ENDPOINTS = {
    "s3": (
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "https://s3.amazonaws.com",
    ),
    "gs": (("GOOGLE_BASE_URL",), "https://storage.googleapis.com"),
}
"""Variables that may name the endpoint, in this order, and the endpoint without them."""
_OF_THE_SOURCE = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidBucketName": "not the name of a bucket",
    "InvalidAccessKeyId": "the access key is not known; see AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is not the right one; see AWS_SECRET_ACCESS_KEY",
    "InvalidToken": "the session token is not valid; see AWS_SESSION_TOKEN",
    "ExpiredToken": "the session token has expired; see AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
}
"""Error codes of S3 that concern the whole bucket."""
_LOGIN = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true",
}
_FOR_CREDENTIALS = re.compile(r"//[^/\s]+/(latest/(api/token|meta-data/)|computeMetadata/)")
"""Addresses that obstore asks for credentials if the environment holds none."""
_WITHOUT_END = timedelta(days=365)
"""An effort limits the time of all attempts together."""


@dataclass
class Bucket:
    """A bucket, and the host that is asked for it."""

    scheme: str
    store: S3Store | GCSStore
    host: str
    port: int
    answered: bool = False
    """Whether it answered at least once: then there are credentials."""


def connect(
    scheme: str,
    name: str,
    settings: Fetching,
    prefix: str | None = None,
    longest: timedelta = _WITHOUT_END,
) -> Bucket:
    """Return a client of a bucket; paths are below `prefix`, and `longest` is the time for one
    request. Nothing is sent yet, and nothing is tried again. Raises UsageError for
    settings of the environment that make no sense.
    """
    variables, usual = ENDPOINTS[scheme]
    endpoint = next(filter(None, map(os.environ.get, variables)), usual)
    options: ClientConfig = {
        "allow_http": endpoint.startswith("http://"),  # as the user wrote
        "allow_invalid_certificates": settings.insecure,
        # Less than for an answer, so that the error says what could not be reached.
        "connect_timeout": timedelta(seconds=min(5, settings.stall_timeout / 2)),
        "timeout": longest,
        "user_agent": user_agent(settings.contact),
    }
    if path := certificates.bundle():
        options["root_certificate"] = certificates.pem(path)
    kind = S3Store if scheme == "s3" else GCSStore
    try:
        url = urlsplit(endpoint)
        port = url.port or (80 if url.scheme == "http" else 443)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"the endpoint {endpoint!r} is not a URL of HTTP")
        if way := Proxies().way(url_of(endpoint)):
            # The library reads the environment, too, but not all forms of no_proxy.
            options["proxy_url"], options["proxy_excludes"] = way
        store = kind(name, prefix=prefix, client_options=options, retry_config={"max_retries": 0})
    except (BaseError, ValueError) as error:
        raise UsageError(f"{scheme}://{name}: {_first_line(error)}") from error
    return Bucket(scheme, store, url.hostname, port)


_REDIRECTED = http_answers.Refused(Refusal, Reason.HTTP_ERROR)
"""Obstore follows no redirect."""
ERRORS = (BaseError, FileNotFoundError, ValueError, TimeoutError)
"""All that obstore raises, and the timeout of an answer."""


def refusal(address: str, bucket: Bucket, error: Exception) -> Refusal | SourceError:
    """Return the refusal that an error of the library means."""
    if isinstance(error, TimeoutError):
        return HostFailed(Reason.TOO_SLOW, f"{address}: no answer")
    text, line = str(error), _first_line(error)
    if isinstance(error, ValueError):
        return Refusal(Reason.HTTP_ERROR, f"{address}: {line}")
    if _FOR_CREDENTIALS.search(line) and not bucket.answered:
        return SourceError(f"{address}: no credentials; {_LOGIN[bucket.scheme]}")
    if "incorrectly configured region" in line:
        return SourceError(f"{address}: the bucket is in another region; see AWS_REGION")
    code = re.search(r"<Code>(\w+)</Code>", text)
    if code and code[1] in _OF_THE_SOURCE:
        return SourceError(f"{address}: {_OF_THE_SOURCE[code[1]]} ({code[1]})")
    if status := re.search(r"status code: (\d{3})", line):
        refused = http_answers.refused(int(status[1])) or _REDIRECTED
        login = _LOGIN[bucket.scheme]
        said = http_answers.detail(int(status[1]), {}, login) + (f", {code[1]}" if code else "")
        return refused.kind(refused.reason, f"{address}: {said}")
    if certificate := re.search(r"InvalidCertificate\(\s*(\w+)", text):
        detail = f"{address}: its certificate is not valid ({certificate[1]})"
        return Refusal(Reason.BAD_CERTIFICATE, detail)
    detail = f"{address}: {_cause(text)}"
    return HostFailed(Reason.DNS_ERROR if "dns error" in text else Reason.NETWORK_ERROR, detail)


def _first_line(error: Exception) -> str:
    """Return the first line of an error. A dump of the library's structures follows it."""
    return re.sub(r"^Generic \w+ error: ", "", str(error).partition("\n")[0])


def _cause(text: str) -> str:
    """Return the last part of the first line, and the system's message from the dump."""
    last = text.partition("\n")[0].rpartition(" - ")[2].rpartition("error: ")[2]
    system = re.search(r'\b(?:message|error): "([^"]+)"', text)
    return f"{last} ({system[1]})" if system else last
