"""Settings of downloads: where originals may come from, how fast, and who is told."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dafre_fast.core.formats import USUAL_EXTENSIONS
from dafre_fast.core.settings.groups import Count, Group


class Originals(Group, frozen=True):
    """What an original may be, whether it is fetched or read."""

    max_bytes: Annotated[Count, Meta(description="Largest original, in bytes.")] = 500_000_000
    truncated: Annotated[
        Literal["refuse", "keep"],
        Meta(description="JPEGs and PNGs that break off: refuse, or keep what is there, on white."),
    ] = "refuse"


class Fetching(Originals, frozen=True):
    """How originals are fetched, and how politely."""

    metadata: Annotated[
        tuple[Path, ...],
        Meta(description="Parquet or JSON lines with id, and of md5, file_ext, file_size any."),
    ] = ()
    extensions: Annotated[
        tuple[str, ...],
        Meta(description="Extensions tried in order where the real one is not known."),
    ] = USUAL_EXTENSIONS
    connections: Annotated[Count, Meta(description="Connections at once, at most.")] = 16
    connections_per_host: Annotated[
        Count | None,
        Meta(description="The same for one host. Default: 8 for public hosts, else no less."),
    ] = None
    rate: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Requests per second and host. Default: 5 for public hosts, else any."),
    ] = None
    contact: Annotated[
        str, Meta(description="Address or URL of yours, told to the servers in the User-Agent.")
    ] = ""
    retries: Annotated[int, Meta(ge=0, description="Further attempts after a passing failure.")] = 4
    retry_budget: Annotated[
        float, Meta(ge=0, description="Further attempts per image in the mean (and 100 in all).")
    ] = 0.2
    timeout: Annotated[
        float,
        Meta(gt=0, description="Seconds for one original, all attempts, waits for a turn aside."),
    ] = 120.0
    stall_timeout: Annotated[
        float, Meta(gt=0, description="Seconds in each of which --min-rate must be kept up.")
    ] = 15.0
    min_rate: Annotated[
        int, Meta(ge=1, description="Bytes per second below which a transfer is given up.")
    ] = 1000
    patience: Annotated[
        float, Meta(ge=0, description="Seconds that a host may be down or ask to wait.")
    ] = 600.0
    respect_noai: Annotated[
        bool, Meta(description="Refuse what its server marks noai or noimageai (X-Robots-Tag).")
    ] = True
    allow_private: Annotated[
        bool, Meta(description="Follow redirects from public hosts to private ones or loopback.")
    ] = False
    insecure: Annotated[bool, Meta(description="Accept any certificate.")] = False
    sync: Annotated[
        bool, Meta(description="Wait for the disk before a file takes its final name.")
    ] = False


class Watching(Group, frozen=True):
    """Who else is told how the fetching goes on."""

    log_json: Annotated[
        Path | None, Meta(description="File to which a line of JSON is added for every event.")
    ] = None
    metrics_file: Annotated[
        Path | None, Meta(description="File with metrics for Prometheus, new every few seconds.")
    ] = None
    metrics_port: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)] | None,
        Meta(description="Serve the metrics on this port of the loopback; 0 finds a free one."),
    ] = None
