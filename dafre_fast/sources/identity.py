"""The identity of a source: a short fingerprint of where and how originals are asked for.

A refusal belongs to the source that gave it (`dataset.outcomes.standing_refusals`), and the ledger
must tell sources apart without holding an address, let alone a secret.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from dafre_fast.core.settings.fetching import Fetching

_PROXIES = ("http", "https", "all")
_ADDRESS_DIGITS, _SECRET_DIGITS = 8, 4
_ROUNDS = 100_000


def fingerprint(
    spec: str, settings: Fetching, variables: Iterable[str], environment: Mapping[str, str]
) -> str:
    """Return the fingerprint of `--source`, as hexadecimal digits: eight for the address and the
    settings by which an answer is judged; four more for login, query, proxies and those `variables`
    of the environment that are set, if there are any.

    Four digits of a slow hash are enough to see that a secret changed, and far too few to find out
    what it was, or whether a guess is right.
    """
    address, secrets = _split(spec)
    judged_by = (
        settings.extensions,
        [path.name for path in settings.metadata],
        settings.respect_noai,
        settings.allow_private,
        settings.max_bytes,
        settings.truncated,
    )
    digits = hashlib.sha256(repr((address, *judged_by)).encode()).hexdigest()[:_ADDRESS_DIGITS]
    secrets += [f"{name}={environment[name]}" for name in variables if environment.get(name)]
    if "://" in spec or spec.startswith("hf:"):
        from urllib.request import getproxies  # slow to import, and not needed for a folder

        proxies = getproxies()
        secrets += [f"{name}={proxies[name]}" for name in _PROXIES if proxies.get(name)]
    if not secrets:
        return digits
    slow = hashlib.pbkdf2_hmac("sha256", repr(secrets).encode(), digits.encode(), _ROUNDS)
    return f"{digits}-{slow.hex()[:_SECRET_DIGITS]}"


def _split(spec: str) -> tuple[str, list[str]]:
    """Return an address without login and query, which may be secrets, and those two."""
    if "://" not in spec:
        return spec if spec.startswith("hf:") else str(Path(spec).expanduser().absolute()), []
    scheme, _, rest = spec.partition("://")
    place, slash, path = rest.partition("/")
    login, _, host = place.rpartition("@")
    path, _, query = path.partition("?")
    return f"{scheme}://{host}{slash}{path}", [part for part in (login, query) if part]
