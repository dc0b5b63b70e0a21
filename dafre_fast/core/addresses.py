"""Addresses as they may be shown and stored: without passwords, tokens and signatures.

Whatever a person, a file or a log gets to see goes through `public` or `scrubbed`; only requests
are sent with addresses as they are.
"""

import re

HIDDEN = "***"
"""Stands for a value that may be secret."""

_ADDRESS = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://(?:(?!\b[A-Za-z][A-Za-z0-9+.-]*://)\S)+")
_AUTHORITY = re.compile(r"(?P<user>[^/?#]*@)?(?P<host>\[[^]/?#]*\]|[^:/?#@]*)(:\d*)?(?=[/?#]|$)")
_SECRET = re.compile(
    r"key|tok|secret|sig|pass|pwd|auth|cred|sess|code|pin|policy|jwt", re.IGNORECASE
)
_PLAIN = re.compile(r"\d{1,20}|\{[^{}]*\}|")
"""Values that name an image rather than a person: numbers, and the fields of a template."""
_OF_A_STORE = re.compile(r"(s3|gs):/+([^/].*)")
_AROUND = ":,.;)]}'\">"


def public(address: str) -> str:
    """Return an address without user and password, and with the values of its query hidden but for
    numbers and fields (`{id}`) under harmless names. What has no scheme (`://`), such as a path, is
    returned as it is.
    """
    scheme, separator, rest = address.partition("://")
    return f"{scheme}://{public_reference(_without_user(rest))}" if separator else address


def public_reference(reference: str) -> str:
    """Return the part of an address behind its scheme or host, such as that of a Location header,
    with the values of its query hidden as `public` does.
    """
    rest, hash_, fragment = reference.partition("#")
    place, mark, query = rest.partition("?")
    if place.startswith("//"):
        place = f"//{_without_user(place[2:])}"
    fragment = _hidden(fragment) if _SECRET.search(fragment.partition("=")[0]) else fragment
    return f"{place}{mark}{_hidden(query)}{hash_}{fragment}"


def store_address(path: object) -> str | None:
    """Return the address of an object store that a path or text stands for, such as
    `s3://bucket/prefix`, None if it is a folder. In a `Path` one slash is left of two.
    """
    found = _OF_A_STORE.fullmatch(str(path))
    return f"{found[1]}://{found[2].rstrip('/')}" if found else None


def scrubbed(text: str) -> str:
    """Return a text in which every address is `public`."""
    return _ADDRESS.sub(_public_match, text) if "://" in text else text


def _public_match(match: re.Match[str]) -> str:
    address = match[0].rstrip(_AROUND)
    return public(address) + match[0][len(address) :]


def _without_user(rest: str) -> str:
    """Remove user and password, also where they hold characters that should have been escaped."""
    if match := _AUTHORITY.match(rest):
        return rest[match.end("user") :] if match["user"] else rest
    return rest.rpartition("@")[2]  # no port has letters: this is a password with a slash or so


def _hidden(query: str) -> str:
    """Return a query with the values hidden that may be secret."""
    return re.sub(r"[^&;]+", lambda pair: _hidden_pair(pair[0]), query)


def _hidden_pair(pair: str) -> str:
    name, equals, value = pair.rpartition("=")
    name, equals, value = pair.partition("=") if equals else ("", "", value)
    harmless = _PLAIN.fullmatch(value) and not _SECRET.search(name)
    return f"{name}{equals}{value if harmless else HIDDEN}"
