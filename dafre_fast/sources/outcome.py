"""Outcomes of downloads, as the records that go into the ledger: their addresses are `public`."""

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal
from dafre_fast.core.paths import to_text
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.sources.arrival import Arrived
from dafre_fast.sources.interface import Body
from dafre_fast.sources.manners.effort import Effort


def fetched(
    key: str,
    url: str,
    path: str,
    arrived: Arrived,
    *,
    attempts: int,
    seconds: float | None = None,
    body: Body | None = None,
    address: str | None = None,
) -> Fetched:
    """Return the outcome of an original that is now the file `path`.

    `url` names the original; `address` is what was asked for, if that differs (an archive), and
    `body` the answer.
    """
    final_url = None if body is None or body.url == (address or url) else body.url
    return Fetched(
        key=key,
        path=to_text(path),
        url=public(url),
        final_url=final_url and public(final_url),
        http_status=body.status if body else None,
        attempts=attempts,
        bytes=arrived.bytes,
        seconds=seconds,
        sha256=arrived.sha256,
        proof=arrived.proof,
        etag=body.etag if body else None,
        last_modified=body.last_modified if body else None,
    )


def refused(sought: Sought, refusal: Refusal, effort: Effort, url: str | None) -> Fetched:
    """Return the outcome of an original that could not be had from `url`."""
    answer = effort.answer
    return Fetched(
        key=sought.key,
        reason=refusal.reason,
        detail=refusal.detail,
        url=url and public(url),
        final_url=public(answer.url) if answer and answer.url != url else None,
        http_status=answer.status if answer else None,
        attempts=effort.attempts,
        seconds=effort.seconds,
    )
