"""Settings of downloads: limits of originals, rate limits and retries, logs and metrics."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.formats import USUAL_EXTENSIONS
from dafre_fast.core.settings.groups import Count, Group


class Originals(Group, frozen=True):
    """Limits of originals, whether fetched or read from a folder."""

    max_bytes: Annotated[Count, Meta(description="Largest original to accept, in bytes.")] = (
        500_000_000
    )
    truncated: Annotated[
        Literal["refuse", "keep"],
        Meta(description="Truncated JPEGs and PNGs: refuse, or keep the part there is, on white."),
    ] = "refuse"


class Fetching(Originals, frozen=True):
    """Downloads: sources of metadata, rate limits, retries and timeouts."""

    metadata: Annotated[
        tuple[Path, ...],
        Meta(description="Parquet or JSON with id and any of md5, file_ext, file_size."),
    ] = ()
    extensions: Annotated[
        tuple[str, ...],
        Meta(description="Extensions to try in this order if the real one is unknown."),
    ] = USUAL_EXTENSIONS
    connections: Annotated[Count, Meta(description="Most connections at once.")] = 16
    connections_per_host: Annotated[
        Count | None,
        Meta(description="Most connections to one host. Default: 8 if public, else --connections."),
    ] = None
    rate: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Requests per second and host. Default: 5 if public, else no limit."),
    ] = None
    contact: Annotated[
        str, Meta(description="Your mail address or URL, sent to servers in the User-Agent.")
    ] = ""
    retries: Annotated[
        int, Meta(ge=0, description="Retries of an original after a temporary failure.")
    ] = 4
    retry_budget: Annotated[
        float, Meta(ge=0, description="Retries per image on average, plus 100 in all.")
    ] = 0.2
    timeout: Annotated[
        float,
        Meta(gt=0, description="Seconds for one original, retries included, queueing not."),
    ] = 120.0
    stall_timeout: Annotated[
        float, Meta(gt=0, description="Seconds over which --min-rate is measured.")
    ] = 15.0
    min_rate: Annotated[
        int, Meta(ge=1, description="Give up a transfer slower than this, in bytes per second.")
    ] = 1000
    patience: Annotated[
        float, Meta(ge=0, description="Seconds to wait for a host that is down or asks to wait.")
    ] = 600.0
    give_up: Annotated[
        int,
        Meta(
            ge=0,
            description="Stop if the first so many answers of the source are refusals of one kind;"
            " 0: never.",
        ),
    ] = 100
    respect_noai: Annotated[
        bool, Meta(description="Refuse images marked noai or noimageai (X-Robots-Tag).")
    ] = True
    allow_private: Annotated[
        bool, Meta(description="Follow redirects from public to private or loopback addresses.")
    ] = False
    insecure: Annotated[bool, Meta(description="Accept any TLS certificate.")] = False
    sync: Annotated[
        bool, Meta(description="Flush each file to disk before it takes its final name.")
    ] = False


class SharedFetching(Fetching, frozen=True):
    """Downloads: sources of metadata, rate limits, retries and timeouts."""

    runs_at_once: Annotated[
        Count,
        Meta(
            description="Runs that ask the same hosts at the same time, such as parts on other"
            " machines: each takes its share of rates and connections."
        ),
    ] = 1


def sharers_of(fetching: Fetching) -> int:
    """Return how many runs share the hosts that a run asks, itself included."""
    return fetching.runs_at_once if isinstance(fetching, SharedFetching) else 1


class Keeping(Group, frozen=True):
    """Originals that were fetched."""

    keep_originals: Annotated[
        bool,
        Meta(
            description="Keep originals that were fetched, or remove each once no image is left to"
            " be made of it."
        ),
    ] = True


class Watching(Group, frozen=True):
    """Logs and metrics of a run."""

    log_json: Annotated[
        Path | None, Meta(description="Append a line of JSON to this file for every event.")
    ] = None
    metrics_file: Annotated[
        Path | None,
        Meta(description="Write Prometheus metrics to this file every few seconds."),
    ] = None
    metrics_port: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)] | None,
        Meta(description="Serve the metrics on this port of localhost; 0 picks a free one."),
    ] = None
