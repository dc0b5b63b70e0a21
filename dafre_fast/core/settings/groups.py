"""Every setting, its default, its bounds and its help text: the only home of defaults.

Each group is a frozen struct. A command names the groups it takes; the flags, the keys of the
`--config` file and their checks follow from the fields (`dafre_fast.cli`). A field without
default is required.
"""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from dafre_fast.core.reasons import Note, Reason

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
_ShardSize = Annotated[Count, Meta(description="Images of a shard, at most.")]


class Group(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all groups of settings."""


class FacesTable(Group, frozen=True):
    """Which table of heads."""

    faces: Annotated[Path, Meta(description="faces.tsv: path, tag id and head box per row.")]


class CatalogueTables(FacesTable, frozen=True):
    """Which table of heads, and which names of tags."""

    tag_ids: Annotated[Path, Meta(description="tagIds.tsv: tag name and tag id per row.")]


class FullRun(Group, frozen=True):
    """Inputs and output of the whole run; without inputs, a sample is drawn and served."""

    faces: Annotated[Path | None, Meta(description="faces.tsv. Without it, a drawn sample.")] = None
    tag_ids: Annotated[Path | None, Meta(description="tagIds.tsv, needed with --faces.")] = None
    source: Annotated[
        str | None,
        Meta(description="Originals: https://host/{bucket}/{id}.{ext}, a folder, archives, …"),
    ] = None
    tags: Annotated[
        bool, Meta(description="Tables of tags and their statistics, where --metadata tells tags.")
    ] = True
    report: Annotated[bool, Meta(description="End with a report: report/index.html.")] = True
    pack: Annotated[
        Literal["webdataset"] | None,
        Meta(description="Put images straight into shards (packs/webdataset-both): no trees."),
    ] = None
    shard_size: _ShardSize = 10_000
    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")


class LabelsOutput(Group, frozen=True):
    """Where the label files go."""

    output: Annotated[Path, Meta(description="Folder of the label files.")] = Path("labels")


class DownloadRun(Group, frozen=True):
    """Where originals come from and go to."""

    source: Annotated[
        str,
        Meta(description="Originals: https://host/{bucket}/{id}.{ext}, archives, hf:, rsync:, …"),
    ]
    output: Annotated[Path, Meta(description="Folder of the originals.")] = Path("original")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per original.")] = (
        None
    )
    simulate: Annotated[
        bool,
        Meta(description="Say what would be fetched and from where; fetch and write nothing."),
    ] = False


class ResizeRun(Group, frozen=True):
    """From a tree of originals to a tree of full images."""

    input: Annotated[
        Path, Meta(description="Folder of originals, or a text file with a path per line.")
    ] = Path("original")
    output: Annotated[Path, Meta(description="Folder of the full images.")] = Path("fullMin256")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per original.")] = (
        None
    )


class CropRun(Group, frozen=True):
    """From a tree of originals to a tree of face crops."""

    input: Annotated[Path, Meta(description="Folder of originals.")] = Path("original")
    output: Annotated[Path, Meta(description="Folder of the face crops.")] = Path("faces")
    manifest: Annotated[Path | None, Meta(description="Parquet file with a row per head.")] = None


class GalleryRun(Group, frozen=True):
    """Which dataset is served, and where."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    host: Annotated[
        str, Meta(min_length=1, description="Name or number of this machine to serve it at.")
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65_535, description="Port to serve it at; 0 finds a free one.")
    ] = 8000
    index: Annotated[
        Path | None,
        Meta(description="Folder of the index. Default: .dafre_fast/gallery in the dataset."),
    ] = None


class ListsRun(Group, frozen=True):
    """What is looked for in which list, and whether it is fetched as well."""

    labels: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Label files (class_id,path), or a folder of train, val and test.csv.",
        ),
    ]
    files: Annotated[
        Path | None,
        Meta(description="The mirror's files, a path per line. Without it, rsync lists --source."),
    ] = None
    output: Annotated[Path, Meta(description="Folder of the lists.")] = Path("lists")
    source: Annotated[
        str | None,
        Meta(description="Fetch what is listed: rsync://host/module/…, or https://host/{name}."),
    ] = None
    sizes: Annotated[
        tuple[Literal["original", "512px"], ...],
        Meta(min_length=1, description="Which trees are fetched."),
    ] = ("original",)
    originals: Annotated[Path, Meta(description="Folder for the tree original.")] = Path("original")
    small: Annotated[Path, Meta(description="Folder for the tree 512px.")] = Path("512px")


class VerifyRun(Group, frozen=True):
    """What is verified, how thoroughly, and what is done about it."""

    output: Annotated[
        Path, Meta(description="Folder of a dataset, or of full images or face crops alone.")
    ] = Path("dataset")
    manifest: Annotated[
        Path | None, Meta(description="Its manifest. Default: manifest.parquet in it, if any.")
    ] = None
    deep: Annotated[bool, Meta(description="Decode every output as well.")] = False
    remove: Annotated[
        bool,
        Meta(description="Remove damaged and orphaned files; what made them makes them anew."),
    ] = False
    json: Annotated[bool, Meta(description="Print every finding as JSON.")] = False


class AuditRun(Group, frozen=True):
    """Where duplicates are looked for, what counts as one, and which of them stays."""

    output: Annotated[Path, Meta(description="Folder of a dataset.")] = Path("dataset")
    distance: Annotated[
        int,
        Meta(ge=0, le=63, description="Most of 256 bits in which hashes of duplicates differ."),
    ] = 48
    keep: Annotated[
        Literal["test", "train", "largest"],
        Meta(
            description="Of duplicates, leave out those of train before val before test, the other"
            " way round, or whatever the split those of the smaller originals."
        ),
    ] = "test"


class PackRun(Group, frozen=True):
    """What is handed on of a dataset, and how."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    format: Annotated[
        Literal["tar", "webdataset", "parquet", "hf"],
        Meta(description="Archives as first published, or shards; hf: for Hugging Face datasets."),
    ] = "webdataset"
    images: Annotated[
        Literal["full", "faces", "both"], Meta(description="Which images of each.")
    ] = "both"
    shard_size: _ShardSize = 10_000
    shuffle: Annotated[
        bool,
        Meta(description="Mix the images of a split, always in the same way, or class by class."),
    ] = True
    exclude: Annotated[
        Path | None,
        Meta(description="CSV of ids to leave out, such as the audit's: audit/exclude.csv."),
    ] = None
    into: Annotated[
        Path | None,
        Meta(description="Folder of the pack. Default: packs/FORMAT-IMAGES in the dataset."),
    ] = None
    workers: Annotated[
        Count | None,
        Meta(description="Worker processes, a shard at a time each. Default: the usable cores."),
    ] = None


class Tolerance(Group, frozen=True):
    """How much may be wrong with a table."""

    max_bad_rows: Annotated[
        Share, Meta(description="Share of malformed rows of a table above which the run stops.")
    ] = 0.01


class StatsRun(Tolerance, frozen=True, kw_only=True):
    """What is counted, and where to."""

    input: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Tables of tags (CSV, Parquet), or metadata (JSON lines, also compressed).",
        ),
    ]
    output: Annotated[Path, Meta(description="Folder of the statistics.")] = Path("stats")
    funnel: Annotated[
        tuple[Path, ...],
        Meta(description="JSON of steps. Default: funnel.json, tags_funnel.json beside the input."),
    ] = ()


class Plotting(Group, frozen=True):
    """What is made of counts."""

    title: Annotated[
        str | None,
        Meta(description="Name of the dataset in text and plots. Default: that of the input."),
    ] = None
    top_k: Annotated[Count, Meta(description="Most used tags that are listed.")] = 1000
    words: Annotated[
        bool, Meta(description="Count the words in general tags as well, and not tags alone.")
    ] = True
    plots: Annotated[bool, Meta(description="Draw plots.")] = True
    format: Annotated[Literal["png", "pdf", "svg"], Meta(description="Of the plots.")] = "png"


class ReportRun(Group, frozen=True):
    """Of which dataset there is a report, and how much is shown in it."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    title: Annotated[
        str | None, Meta(description="Name of the dataset. Default: that of its folder.")
    ] = None
    seed: Annotated[
        int, Meta(ge=0, le=2**32 - 1, description="Which images are shown follows from it.")
    ] = 1
    sheet: Annotated[
        int, Meta(ge=1, le=400, description="Images on each contact sheet, at most.")
    ] = 50
    labelled: Annotated[
        int, Meta(ge=0, le=100, description="Of these, as many are shown with their labels.")
    ] = 20
    classes: Annotated[
        int, Meta(ge=1, le=200, description="Classes that are listed, the largest first.")
    ] = 24
    examples: Annotated[
        int, Meta(ge=0, le=20, description="Examples of each reason of a refusal.")
    ] = 3
    pairs: Annotated[
        int, Meta(ge=0, le=200, description="Pairs of duplicates, where an audit found some.")
    ] = 12


class Selection(Tolerance, frozen=True):
    """Which rows of faces.tsv are kept."""

    min_confidence: Annotated[Share, Meta(description="Least confidence of a head.")] = 0.85
    min_images: Annotated[Count, Meta(description="Least images of a class.")] = 20


class TagsRun(Group, frozen=True):
    """From which metadata to which tables of tags."""

    metadata: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="Danbooru's metadata: files or folders of JSON lines (.gz, .zst, .xz).",
        ),
    ]
    labels: Annotated[
        tuple[Path, ...],
        Meta(
            description="Label files (class_id,path), or a folder of train, val and test.csv."
            " Without them there is one table of all posts that are kept."
        ),
    ] = ()
    output: Annotated[Path, Meta(description="Folder of the tables.")] = Path("labels")
    manifest: Annotated[
        Path | None, Meta(description="What --filter-exist and --filter-opened ask.")
    ] = None
    filter_exist: Annotated[
        bool, Meta(description="Leave out posts whose original the manifest does not have.")
    ] = False
    filter_opened: Annotated[
        bool, Meta(description="Leave out posts of which the manifest has no RGB image.")
    ] = False


class TagSteps(Group, frozen=True):
    """What is done to posts and their tags; each step can be switched off (or on)."""

    filter_flags: Annotated[
        bool, Meta(description="Leave out posts that are pending, flagged, deleted or banned.")
    ] = True
    filter_rating: Annotated[bool, Meta(description="Leave out posts of other --ratings.")] = True
    ratings: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Ratings of posts to keep: s was safe; since 2021 g is."),
    ] = ("s", "g")
    filter_empty: Annotated[
        bool, Meta(description="Leave out posts without a tag in one of the three categories.")
    ] = False
    labels_first: Annotated[
        bool, Meta(description="Count uses over the images of the labels, not over all posts.")
    ] = False
    remove_symbols: Annotated[bool, Meta(description="1girl to 1 girl, punctuation to spaces.")] = (
        True
    )
    remove_short: Annotated[bool, Meta(description="Remove tags shorter than --min-length.")] = True
    min_length: Annotated[Count, Meta(description="Least characters, spaces not counted.")] = 3
    return_less_than: Annotated[
        bool, Meta(description="The inverse: keep only tags shorter than --min-length.")
    ] = False
    remove_rare: Annotated[bool, Meta(description="Remove tags of fewer than --min-uses.")] = True
    min_uses: Annotated[Count, Meta(description="Least uses of a tag in its category.")] = 2
    remove_profanities: Annotated[
        bool, Meta(description="Remove tags of category 0 that contain one of --profanities.")
    ] = True
    profanities: Annotated[
        Path | None, Meta(description="Text file with one per line. Default: a short list of ours.")
    ] = None
    fill_empty: Annotated[bool, Meta(description="Fill empty lists with `unlabeled`.")] = True
    max_bad_records: Annotated[
        Share, Meta(description="Share of bad records of a file above which the run stops.")
    ] = 0.01


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
    ] = ("jpg", "png", "gif", "jpeg", "webp")
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


class FullImage(Group, frozen=True):
    """What decides the bytes of a full image."""

    size: Annotated[
        int, Meta(ge=1, le=65_500, description="Short side of the full image, in pixels.")
    ] = 256
    exact: Annotated[
        bool,
        Meta(description="No shortcut but decoding JPEGs at no less than twice the size."),
    ] = False


class FaceImage(Group, frozen=True):
    """What decides the region and size of a face crop."""

    face_margin: Annotated[
        float, Meta(ge=0, le=10, description="Added on each side, as a share of the head box.")
    ] = 0.0
    face_size: Annotated[
        Count | None,
        Meta(description="Largest short side of a crop, in pixels. Default: as in the original."),
    ] = None


class Encoding(Group, frozen=True):
    """What decides the bytes of every output."""

    quality: Annotated[int, Meta(ge=1, le=100, description="JPEG quality.")] = 90
    subsampling: Annotated[
        Literal["4:2:0", "4:4:4"], Meta(description="Chroma of the JPEG files.")
    ] = "4:2:0"


class Bounds(Originals, frozen=True):
    """What one original may cost, known before a pixel is decoded, and what may be missing."""

    max_pixels: Annotated[Count, Meta(description="Largest original or output, in pixels.")] = (
        300_000_000
    )
    max_scans: Annotated[Count, Meta(description="Most scans of a JPEG.")] = 200
    max_frames: Annotated[Count, Meta(description="Most frames of an animation.")] = 10_000
    worker_memory: Annotated[
        int,
        Meta(ge=100_000_000, description="Memory that a worker may take for its work, in bytes."),
    ] = 1_000_000_000


class Workers(Group, frozen=True):
    """How the work is spread."""

    workers: Annotated[
        Count | None, Meta(description="Worker processes. Default: the usable cores.")
    ] = None
    image_timeout: Annotated[float, Meta(gt=0, description="Seconds that one image may take.")] = (
        60.0
    )


class Running(Workers, frozen=True):
    """What earlier runs did, and what of it is done again."""

    resume: Annotated[
        bool, Meta(description="Go on where an earlier run stopped, or make everything anew.")
    ] = True
    retry_failed: Annotated[
        bool, Meta(description="Try images again that an earlier run refused for good.")
    ] = False


class Printing(Group, frozen=True):
    """What a command prints."""

    json: Annotated[bool, Meta(description="Print the summary as JSON.")] = False


class Reporting(Printing, frozen=True):
    """What a command prints and when it fails."""

    max_refused: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Refusals above which the exit status is 1. Default: any."),
    ] = None


class Recipe(Struct, frozen=True, kw_only=True):
    """All that decides an outcome: the pixels of the outputs, and what is refused instead."""

    revision: int = 3
    """Raised by whoever changes the code such that outputs change."""
    full: FullImage = FullImage()
    face: FaceImage = FaceImage()
    encoding: Encoding = Encoding()
    bounds: Bounds = Bounds()

    def hashes(self) -> "Hashes":
        """Of these settings as JSON: the first 16 hexadecimal digits of a SHA-256 each."""
        deciding = (self.revision, self.full, self.face, self.encoding)
        return Hashes(_hash(deciding), _hash((*deciding, self.bounds)))


class Hashes(NamedTuple):
    """Of a recipe, one without its bounds and one with them. One of them stands with each outcome
    in the ledger, so that other bounds make anew what followed from them and nothing else.
    """

    pixels: str
    bounded: str

    def of(self, reason: Reason | None, notes: Collection[Note] = ()) -> str:
        """The one for an outcome."""
        depends = reason is not None and reason.bounded
        return self.bounded if depends or Note.TRUNCATED in notes else self.pixels


def _hash(settings: object) -> str:
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:16]


def usable_cores() -> int:
    """Cores that this process may run on (affinity, where the system tells it)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
